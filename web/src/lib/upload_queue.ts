// Files on their way to the drive: which is sent when, and what became of each. Knows no file, link or clock: it says what
// to begin and to end, and is told what happened.
export type UploadState = "waiting" | "sending" | "cut" | "paused" | "done" | "failed";

export interface Upload {
  readonly number: number;
  readonly target: string; // the path it shall have
  readonly size: number;
  sent: number;
  state: UploadState; // "cut": the link broke, it is tried again by itself
  words: string; // its path in the drive once it is there, or why it failed
}

export interface Totals {
  files: number;
  done: number;
  failed: number;
  paused: number;
  bytes: number; // of all but the failed
  sent: number;
}

export interface Deeds {
  begin: (upload: Upload) => void; // go on where it stopped, or from the start
  end: (upload: Upload, forget: boolean) => void; // send no more; `forget`: nor keep what is there already
  changed: () => void;
}

export const kAtOnce = 3;

export class UploadQueue {
  #deeds: Deeds;
  #uploads = new Map<number, Upload>();
  #last_number = 0;

  constructor(deeds: Deeds) {
    this.#deeds = deeds;
  }

  get uploads(): readonly Upload[] {
    return Array.from(this.#uploads.values());
  }

  get unfinished(): boolean {
    return this.uploads.some(is_unfinished);
  }

  // Some are sent now, or as soon as they can be.
  get active(): boolean {
    return this.uploads.some(({ state }) => state === "waiting" || is_under_way(state));
  }

  get totals(): Totals {
    const all: Totals = { files: 0, done: 0, failed: 0, paused: 0, bytes: 0, sent: 0 };
    for (const { state, size, sent } of this.#uploads.values()) {
      all.files++;
      if (state === "done" || state === "failed" || state === "paused") all[state]++;
      if (state === "failed") continue;
      all.bytes += size;
      all.sent += state === "done" ? size : sent;
    }
    return all;
  }

  // Gives their numbers, in the same order.
  add(files: readonly { target: string; size: number }[]): number[] {
    const numbers = files.map(({ target, size }) => {
      const number = ++this.#last_number;
      this.#uploads.set(number, { number, target, size, sent: 0, state: "waiting", words: "" });
      return number;
    });
    return numbers;
  }

  // Begins what there is room for.
  pump(): void {
    let under_way = 0;
    for (const { state } of this.#uploads.values()) if (is_under_way(state)) under_way++;
    for (const upload of this.#uploads.values()) {
      if (under_way >= kAtOnce) break;
      if (upload.state !== "waiting") continue;
      upload.state = "sending";
      under_way++;
      this.#deeds.begin(upload);
    }
    this.#deeds.changed();
  }

  on_sent(number: number, sent: number): void {
    const upload = this.#under_way(number);
    if (upload === undefined) return;
    upload.sent = Math.min(upload.size, sent);
    upload.state = "sending";
    this.#deeds.changed();
  }

  on_done(number: number, path: string): void {
    this.#settle(number, "done", path);
  }

  on_failed(number: number, words: string): void {
    this.#settle(number, "failed", words);
  }

  // It keeps its turn: whoever sends it tries again.
  on_cut(number: number): void {
    const upload = this.#under_way(number);
    if (upload === undefined) return;
    upload.state = "cut";
    this.#deeds.changed();
  }

  pause(number: number): void {
    const upload = this.#uploads.get(number);
    if (upload === undefined || !(upload.state === "waiting" || is_under_way(upload.state))) return;
    const sends = upload.state !== "waiting";
    upload.state = "paused";
    if (sends) this.#deeds.end(upload, false);
    this.pump();
  }

  // Also what failed.
  resume(number: number): void {
    const upload = this.#uploads.get(number);
    if (upload === undefined || !(upload.state === "paused" || upload.state === "failed")) return;
    upload.state = "waiting";
    upload.words = "";
    this.pump();
  }

  // Those that wait first, lest one of them takes the place of one that is paused.
  pause_all(): void {
    const waiting = this.uploads.filter(({ state }) => state === "waiting");
    for (const upload of waiting) upload.state = "paused";
    for (const { number } of this.uploads) this.pause(number);
    this.#deeds.changed();
  }

  resume_all(): void {
    for (const upload of this.#uploads.values()) if (upload.state === "paused") upload.state = "waiting";
    this.pump();
  }

  cancel(number: number): void {
    const upload = this.#uploads.get(number);
    if (upload === undefined) return;
    this.#uploads.delete(number);
    if (upload.state !== "done") this.#deeds.end(upload, true);
    this.pump();
  }

  cancel_all(): void {
    const left = this.uploads.filter(({ state }) => state !== "done");
    for (const { number } of left) this.#uploads.delete(number);
    for (const upload of left) this.#deeds.end(upload, true);
    this.#deeds.changed();
  }

  // Those that are over are listed no more.
  clear(): void {
    for (const upload of this.uploads) {
      if (upload.state === "done") this.#uploads.delete(upload.number);
      if (upload.state === "failed") this.cancel(upload.number);
    }
    this.#deeds.changed();
  }

  #under_way(number: number): Upload | undefined {
    const upload = this.#uploads.get(number);
    return upload !== undefined && is_under_way(upload.state) ? upload : undefined;
  }

  #settle(number: number, state: "done" | "failed", words: string): void {
    const upload = this.#under_way(number);
    if (upload === undefined) return;
    upload.state = state;
    upload.words = words;
    if (state === "done") upload.sent = upload.size;
    this.pump();
  }
}

// Not there yet, and not given up.
export function is_unfinished({ state }: Upload): boolean {
  return state !== "done" && state !== "failed";
}

function is_under_way(state: UploadState): boolean {
  return state === "sending" || state === "cut";
}
