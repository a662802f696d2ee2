// Files on their way into an app's folder, one after the other, in pieces (screen.proto: FilePiece). No more is under way
// than the app's side has said it can take. Knows no element and no link.
export const kFilePiece = 32 * 1024; // bytes
export const kAhead = 256 * 1024;
export const kMaxFile = 1024 ** 3;
export const kMaxTogether = 64;

export interface Source {
  name: string;
  size: number;
  read: (from: number, to: number) => Promise<Uint8Array>;
}

export interface OutPiece {
  number: number;
  name: string;
  size: number;
  offset: number;
  data: Uint8Array;
  last: boolean;
  cancelled: boolean;
  more: boolean;
  x: number;
  y: number;
}

export interface Progress {
  number: number;
  received: number;
  savedAs: string;
  offered: boolean;
  taken: boolean;
  problem: string;
}

export interface Sending {
  number: number;
  name: string;
  size: number;
  received: number;
  state: "waiting" | "sending" | "saved" | "taken" | "failed";
  words: string; // its name in the app's folder, or why it failed
}

interface Job extends Sending {
  read: Source["read"];
  sent: number;
  more: boolean;
  x: number;
  y: number;
}

export class FileSender {
  #send: (piece: OutPiece) => void;
  #tell: (files: Sending[]) => void;
  #jobs: Job[] = [];
  #last_number = 0;
  #reads = false;

  // `tell`: whenever something has changed.
  constructor(send: (piece: OutPiece) => void, tell: (files: Sending[]) => void) {
    this.#send = send;
    this.#tell = tell;
  }

  // Dropped together at a point of the picture. What is too much is refused by name.
  add(files: Source[], x: number, y: number): void {
    const fit = files.filter((file) => file.size <= kMaxFile).slice(0, kMaxTogether);
    for (const file of files) {
      const good = fit.includes(file);
      const words = good ? "" : file.size > kMaxFile ? "a file of at most 1 GiB can be added" : "at most 64 files can be added at once";
      const { name, size, read } = file;
      this.#jobs.push({ number: ++this.#last_number, name, size, read, received: 0, sent: 0, more: good && file !== fit.at(-1), x, y, state: good ? "waiting" : "failed", words });
    }
    this.#changed();
    void this.#pump();
  }

  on_progress(progress: Progress): void {
    const job = this.#jobs.find((one) => one.number === progress.number);
    if (job === undefined) return;
    job.received = Math.max(job.received, progress.received);
    if (progress.problem !== "") this.#fail(job, progress.problem);
    else if (progress.savedAs !== "") Object.assign(job, { state: "saved", words: progress.savedAs, received: job.size });
    if (progress.offered && progress.taken) this.#taken(job);
    this.#changed();
    void this.#pump();
  }

  cancel(number: number): void {
    const job = this.#jobs.find((one) => one.number === number);
    if (job === undefined) return;
    if (job.state === "sending" || job.state === "waiting") this.#send(this.#piece(job, new Uint8Array(0), { cancelled: true }));
    this.#jobs = this.#jobs.filter((one) => one !== job);
    this.#changed();
    void this.#pump();
  }

  // The link is gone, and with it what was half there.
  lost(): void {
    for (const job of this.#jobs) if (job.state === "sending" || job.state === "waiting") this.#fail(job, "the link broke; add it again");
    this.#changed();
  }

  // Those that are over are listed no more.
  clear(): void {
    this.#jobs = this.#jobs.filter((job) => job.state === "waiting" || job.state === "sending");
    this.#changed();
  }

  // With it those of the same drop before it, which were offered together.
  #taken(last: Job): void {
    const at = this.#jobs.indexOf(last);
    for (let i = at; i >= 0 && (i === at || this.#jobs[i]!.more); i--) if (this.#jobs[i]!.state === "saved") this.#jobs[i]!.state = "taken";
  }

  #fail(job: Job, words: string): void {
    job.state = "failed";
    job.words = words;
  }

  #piece(job: Job, data: Uint8Array, what: { last?: boolean; cancelled?: boolean }): OutPiece {
    const first = job.sent === 0;
    return {
      number: job.number, name: first ? job.name : "", size: first ? job.size : 0, offset: job.sent, data,
      last: what.last ?? false, cancelled: what.cancelled ?? false, more: job.more, x: Math.round(job.x), y: Math.round(job.y),
    };
  }

  async #pump(): Promise<void> {
    if (this.#reads) return;
    this.#reads = true;
    try {
      for (let job = this.#next(); job !== undefined; job = this.#next()) await this.#send_piece(job);
    } finally {
      this.#reads = false;
    }
  }

  // Whose turn it is, if something may be sent now.
  #next(): Job | undefined {
    const job = this.#jobs.find((one) => one.state === "sending" || one.state === "waiting");
    if (job === undefined || (job.state === "sending" && job.sent === job.size)) return undefined;
    return job.sent + kFilePiece - job.received <= kAhead ? job : undefined;
  }

  async #send_piece(job: Job): Promise<void> {
    const begins = job.state === "waiting";
    job.state = "sending";
    const to = Math.min(job.size, job.sent + kFilePiece);
    let data: Uint8Array;
    try {
      data = await job.read(job.sent, to);
      if (data.length !== to - job.sent) throw new Error("it has changed");
    } catch {
      if (!this.#jobs.includes(job) || (job.state as Sending["state"]) === "failed") return;
      this.#send(this.#piece(job, new Uint8Array(0), { cancelled: true })); // what was dropped with it is offered without it
      this.#fail(job, "it cannot be read; a folder cannot be added");
      return this.#changed();
    }
    // It may have been cancelled, or the link lost, while it was read.
    if (!this.#jobs.includes(job) || job.state !== "sending") return;
    this.#send(this.#piece(job, data, { last: to === job.size }));
    job.sent = to;
    if (begins) this.#changed();
  }

  #changed(): void {
    this.#tell(this.#jobs.map(({ number, name, size, received, state, words }) => ({ number, name, size, received, state, words })));
  }
}
