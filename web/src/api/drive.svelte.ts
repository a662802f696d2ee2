// A folder of the family's drive as the page shows it: fetched by pages, as they are looked at.
import { Code } from "@connectrpc/connect";
import { DriveOrder, type DriveEntry } from "../gen/hearth/v1/drive_pb";
import { join_path } from "../lib/drive_paths";
import { kPageRows, pages_of, type RowWindow } from "../lib/row_window";
import { live } from "./live.svelte";
import { clients, is_code, sentence } from "./session";

export const kRefused = "Files are for the family's own devices.";
const kMaxEntries = 2000; // in one answer
const kPagesKept = 50; // of those that were looked at last
let order = $state(DriveOrder.NAME); // the same in every folder

export class DriveFolder {
  total = $state<number | undefined>(); // unknown until the first answer
  problem = $state("");
  missing = $state(false);
  refused = $state(false); // nothing of the drive is for this device
  #pages = $state.raw<ReadonlyMap<number, DriveEntry[]>>(new Map());
  #asked = new Set<number>();
  #stop = new AbortController();

  constructor(readonly path: string) {}

  get order(): DriveOrder {
    return order;
  }

  set order(other: DriveOrder) {
    order = other;
    this.#pages = new Map();
    this.reload();
  }

  // Undefined while its page is on the way.
  entry(row: number): DriveEntry | undefined {
    return this.#pages.get(Math.floor(row / kPageRows))?.[row % kPageRows];
  }

  path_of(entry: DriveEntry): string {
    return join_path(this.path, entry.name);
  }

  // The names of folders, among what has been shown lately.
  folders(): ReadonlySet<string> {
    return new Set(Array.from(this.#pages.values()).flatMap((page) => page.filter((entry) => entry.folder).map((entry) => entry.name)));
  }

  // All that the folder holds. Errors: ConnectError.
  async names(): Promise<string[]> {
    const names: string[] = [];
    for (;;) {
      const { entries, total } = await clients.drive.list({ path: this.path, order, offset: names.length, count: kMaxEntries }, { signal: this.#stop.signal });
      names.push(...entries.map((entry) => entry.name));
      if (entries.length === 0 || names.length >= total) return names;
    }
  }

  // Asks for what those rows need and is not here.
  want(rows: RowWindow): void {
    for (const page of pages_of(rows)) if (!this.#pages.has(page) && !this.#asked.has(page)) void this.#fetch(page);
  }

  // Asks again for all that is shown; what is known stays until then.
  reload(): void {
    this.#stop.abort();
    this.#stop = new AbortController();
    this.#asked.clear();
    const kept = Array.from(this.#pages.keys()).slice(-3);
    this.#pages = new Map(kept.map((page) => [page, this.#pages.get(page)!]));
    for (const page of kept.length > 0 ? kept : [0]) void this.#fetch(page);
  }

  // The row `by` further on of which `fits` holds, asking for pages on the way. Undefined at the ends.
  async find(row: number, by: 1 | -1, fits: (entry: DriveEntry) => boolean): Promise<number | undefined> {
    for (let at = row + by; at >= 0 && at < (this.total ?? 0); at += by) {
      const page = Math.floor(at / kPageRows);
      if (!this.#pages.has(page)) await this.#fetch(page);
      const entry = this.entry(at);
      if (entry === undefined) return undefined;
      if (fits(entry)) return at;
    }
    return undefined;
  }

  close(): void {
    this.#stop.abort();
  }

  async #fetch(page: number): Promise<void> {
    const { signal } = this.#stop;
    this.#asked.add(page);
    try {
      const reply = await clients.drive.list({ path: this.path, order, offset: page * kPageRows, count: kPageRows }, { signal });
      const kept = Array.from(this.#pages).filter(([number]) => number !== page && number * kPageRows < reply.total);
      this.#pages = new Map([...kept.slice(1 - kPagesKept), [page, reply.entries]]);
      this.total = reply.total;
      this.problem = "";
      this.missing = this.refused = false;
    } catch (error) {
      if (signal.aborted) return;
      this.missing = is_code(error, Code.NotFound);
      this.refused = is_refusal(error) && (live.own_only || this.path === "/");
      this.problem = this.refused ? kRefused : sentence(error);
    } finally {
      if (!signal.aborted) this.#asked.delete(page);
    }
  }
}

export function is_refusal(error: unknown): boolean {
  return is_code(error, Code.PermissionDenied);
}

// At most as many as one call takes, one call after the other.
export async function in_calls(paths: readonly string[], call: (some: string[]) => Promise<unknown>): Promise<void> {
  const kAtOnce = 1000;
  for (let at = 0; at < paths.length; at += kAtOnce) await call(paths.slice(at, at + kAtOnce));
}

// Takes back a removal: each path's newest in the trash goes where it was. Gives how many came back.
export async function restore_paths(paths: readonly string[]): Promise<number> {
  const wanted = new Set(paths);
  let restored = 0;
  for (const { id, path } of (await clients.drive.listTrash({})).trashed) {
    if (!wanted.delete(path)) continue;
    await clients.drive.restore({ id });
    restored++;
  }
  return restored;
}

// The names of the folders in a folder, at most kMaxFolders.
export const kMaxFolders = kMaxEntries;

export async function folders_in(path: string, signal: AbortSignal): Promise<string[]> {
  const { entries } = await clients.drive.list({ path, order: DriveOrder.NAME, count: kMaxFolders }, { signal });
  return entries.filter((entry) => entry.folder).map((entry) => entry.name);
}
