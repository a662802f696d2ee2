// The drive's pictures and films by date, fetched by pages as they are looked at. While the PC is still looking, or when
// something was thrown away here, it is asked again and again.
import type { DriveShot } from "../gen/hearth/v1/drive_pb";
import type { GridMonth } from "../lib/photo_grid";
import { kPageRows, pages_of, type RowWindow } from "../lib/row_window";
import { kRefused, is_refusal } from "./drive.svelte";
import { clients, sentence } from "./session";

const kPagesKept = 40; // of those that were looked at last
const kAgainMillis = 3000;

export class PhotoTimeline {
  total = $state<number | undefined>(); // unknown until the first answer
  months = $state.raw<readonly GridMonth[]>([]);
  looking = $state(false);
  unread = $state(0);
  problem = $state("");
  refused = $state(false);
  gone = $state.raw<ReadonlySet<string>>(new Set()); // thrown away here; the PC may not have noticed yet
  #pages = $state.raw<ReadonlyMap<number, readonly DriveShot[]>>(new Map());
  #version = -1n;
  #asked = new Set<number>();
  #wanted: RowWindow = { first: 0, end: 1 };
  #stop = new AbortController();
  #timer: ReturnType<typeof setTimeout> | undefined;

  // Undefined while its page is on the way.
  shot(number: number): DriveShot | undefined {
    return this.#pages.get(Math.floor(number / kPageRows))?.[number % kPageRows];
  }

  want(shots: RowWindow): void {
    this.#wanted = shots;
    for (const page of pages_of(shots)) if (!this.#pages.has(page) && !this.#asked.has(page)) void this.#fetch(page);
  }

  // Waits for one that is not here yet. Undefined: there is none, or it cannot be had.
  async fetch_shot(number: number): Promise<DriveShot | undefined> {
    if (number < 0 || number >= (this.total ?? 0)) return undefined;
    if (this.shot(number) === undefined) await this.#fetch(Math.floor(number / kPageRows));
    return this.shot(number);
  }

  reload(): void {
    clearTimeout(this.#timer);
    this.#asked.clear();
    for (const page of pages_of(this.#wanted).slice(0, 3)) void this.#fetch(page);
  }

  hide(path: string, hidden: boolean): void {
    const gone = new Set(this.gone);
    if (hidden) gone.add(path);
    else gone.delete(path);
    this.gone = gone;
    this.#again();
  }

  close(): void {
    clearTimeout(this.#timer);
    this.#stop.abort();
  }

  #again(): void {
    clearTimeout(this.#timer);
    if (this.looking || this.gone.size > 0) this.#timer = setTimeout(() => this.reload(), kAgainMillis);
  }

  async #fetch(page: number): Promise<void> {
    const { signal } = this.#stop;
    this.#asked.add(page);
    try {
      const reply = await clients.drive.timeline({ offset: page * kPageRows, count: kPageRows }, { signal });
      const is_new = reply.version !== this.#version;
      const kept = Array.from(this.#pages).filter(([number]) => number !== page && (!is_new || pages_of(this.#wanted).includes(number)));
      this.#pages = new Map([...kept.slice(1 - kPagesKept), [page, reply.shots]]);
      if (is_new) {
        this.#version = reply.version;
        this.total = reply.total;
        this.months = reply.months;
        this.#asked = new Set([page]);
        for (const other of pages_of(this.#wanted)) if (other !== page) void this.#fetch(other);
      }
      this.looking = reply.looking;
      this.unread = reply.unread;
      this.problem = "";
    } catch (error) {
      if (signal.aborted) return;
      this.refused = is_refusal(error);
      this.problem = this.refused ? kRefused : sentence(error);
    } finally {
      this.#asked.delete(page);
    }
    this.#again();
  }
}
