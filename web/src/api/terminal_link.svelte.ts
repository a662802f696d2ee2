// The page's end of a text program's terminal: a WebSocket to hearth-terminal through the hub (terminal.proto). It comes
// back by itself after a broken link, and goes on where it was.
import { create, fromBinary, toBinary, type MessageInitShape } from "@bufbuild/protobuf";
import { Code } from "@connectrpc/connect";
import { FromTerminalViewerSchema, ToTerminalViewerSchema, type TerminalOutput, type TerminalStart } from "../gen/hearth/v1/terminal_pb";
import { frame_of, FrameReader } from "../lib/frames";
import { has_ended, job_words, reason_text } from "../lib/states";
import { kOtherRight, kScreenPort } from "./app_tunnel";
import { live } from "./live.svelte";
import { clients, is_code, sentence } from "./session";

const kFirstPause = 300;
const kLongestPause = 3000;
const kInputPiece = 8 * 1024;
const kBeat = 15_000; // between two questions whether the link lives: a phone's may die without a word
const kAnswersWithin = 5000;
const kAwayFor = 5000; // after which a link that looks well is likely to be dead

export type Phase = { at: "waiting"; words: string } | { at: "live" } | { at: "over"; words: string };

export interface TerminalSize {
  rows: number;
  columns: number;
}

export class TerminalLink {
  phase = $state.raw<Phase>({ at: "waiting", words: "Starting…" });
  size = $state.raw<TerminalSize | undefined>(); // that the terminal has
  // What was shown is to be cleared, and then this shown.
  on_reset: (prelude: Uint8Array) => void = () => undefined;
  // `shown` is to be called once it has been.
  on_output: (data: Uint8Array, shown: () => void) => void = () => undefined;

  #job: bigint;
  #wanted: TerminalSize | undefined;
  #socket: WebSocket | undefined;
  #run = 0n;
  #next = 0n; // the offset that comes next
  #shown = 0n;
  #present = 0n;
  #pause = kFirstPause;
  #timer: ReturnType<typeof setTimeout> | undefined;
  #hidden_at = 0;
  #heard_at = 0;
  #beat = setInterval(() => this.#ask_whether_it_lives(), kBeat);
  #closed = false;

  constructor(job: bigint) {
    this.#job = job;
    document.addEventListener("visibilitychange", this.#on_visibility);
    window.addEventListener("online", this.#again);
  }

  // The size that the terminal is to have; opens the link.
  ask(size: TerminalSize): void {
    if (size.rows === this.#wanted?.rows && size.columns === this.#wanted.columns) return;
    this.#wanted = size;
    if (this.#socket === undefined) this.#open();
    else this.#send({ size });
  }

  // The same once more, if another viewer has asked for another one meanwhile.
  ask_again(): void {
    const { size } = this;
    if (size !== undefined && (size.rows !== this.#wanted?.rows || size.columns !== this.#wanted.columns)) this.#send({ size: this.#wanted });
  }

  // What was typed; or what the page's terminal answers to output, which is not sent if that is of the past.
  input(bytes: Uint8Array, typed = false): void {
    if (!typed && this.#shown < this.#present) return;
    for (let at = 0; at < bytes.length; at += kInputPiece) this.#send({ input: bytes.subarray(at, at + kInputPiece) });
  }

  close(): void {
    this.#closed = true;
    document.removeEventListener("visibilitychange", this.#on_visibility);
    window.removeEventListener("online", this.#again);
    clearInterval(this.#beat);
    this.#drop();
  }

  #on_visibility = (): void => {
    if (document.hidden) this.#hidden_at = Date.now();
    else if (this.#socket?.readyState !== WebSocket.OPEN || Date.now() - this.#hidden_at > kAwayFor) this.#again();
  };

  #again = (): void => {
    if (this.phase.at === "over" || this.#wanted === undefined) return;
    this.#drop();
    this.#pause = kFirstPause;
    this.#open();
  };

  // By its own size, which is answered.
  #ask_whether_it_lives(): void {
    const { size } = this;
    const socket = this.#socket;
    if (document.hidden || socket?.readyState !== WebSocket.OPEN) return;
    if (size === undefined || size.rows !== this.#wanted?.rows || size.columns !== this.#wanted.columns) return;
    const asked = Date.now();
    this.#send({ size });
    setTimeout(() => {
      if (socket === this.#socket && this.#heard_at < asked) this.#again();
    }, kAnswersWithin);
  }

  #drop(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    const socket = this.#socket;
    this.#socket = undefined;
    socket?.close();
  }

  #open(): void {
    if (this.#closed || this.phase.at === "over") return;
    clearTimeout(this.#timer);
    this.#timer = undefined;
    const address = new URL(`/forward?job=${this.#job}&task=0&port=${kScreenPort}`, window.location.href);
    address.protocol = address.protocol.replace("http", "ws");
    const socket = new WebSocket(address, "hearth-tunnel.1");
    const reader = new FrameReader();
    socket.binaryType = "arraybuffer";
    this.#socket = socket;
    socket.onopen = () => this.#send({ watch: { run: this.#run, from: this.#next }, size: this.#wanted });
    socket.onclose = ({ code }) => {
      if (socket !== this.#socket) return;
      if (code === kOtherRight) this.#again();
      else void this.#on_end(socket);
    };
    socket.onmessage = (event: MessageEvent<ArrayBuffer>) => {
      if (socket !== this.#socket) return;
      try {
        for (const message of reader.push(new Uint8Array(event.data))) this.#hear(message);
      } catch {
        socket.close();
      }
    };
  }

  #send(message: MessageInitShape<typeof FromTerminalViewerSchema>): void {
    if (this.#socket?.readyState !== WebSocket.OPEN) return;
    this.#socket.send(frame_of(toBinary(FromTerminalViewerSchema, create(FromTerminalViewerSchema, message))));
  }

  // Why, the job tells; then again, unless that has ended.
  async #on_end(socket: WebSocket): Promise<void> {
    if (socket !== this.#socket) return;
    this.#drop();
    let words = "";
    try {
      const { job } = await clients.jobs.get({ jobId: this.#job });
      if (job !== undefined && has_ended(job)) return this.#finish(reason_text(job.firstFailure) || `${job_words(job.state)[0]}.`);
      if (job !== undefined && live.keeps_out(job)) return this.#finish("It is not shared with you, or no more.");
      words = job?.running ? "Waiting for its terminal…" : (await clients.jobs.why({ jobId: this.#job })).sentence;
    } catch (error) {
      // A guest of the pool is shown no job of another's.
      if (is_code(error, Code.NotFound) && !live.shared_apps.has(this.#job)) return this.#finish("It has ended, or is shared with you no more.");
      words = is_code(error, Code.NotFound) ? "Waiting for its terminal…" : sentence(error);
    }
    if (this.#closed || this.phase.at === "over" || this.#socket !== undefined) return;
    this.phase = { at: "waiting", words };
    this.#timer = setTimeout(() => {
      this.#timer = undefined;
      this.#open();
    }, this.#pause);
    this.#pause = Math.min(kLongestPause, this.#pause * 1.5);
  }

  #finish(words: string): void {
    this.phase = { at: "over", words };
    this.#drop();
  }

  #hear(bytes: Uint8Array): void {
    const message = fromBinary(ToTerminalViewerSchema, bytes);
    this.#heard_at = Date.now();
    if (message.start !== undefined) this.#start(message.start);
    if (message.size !== undefined) this.size = { rows: message.size.rows, columns: message.size.columns };
    if (message.output !== undefined) this.#show(message.output);
    if (message.end !== undefined) this.#finish(message.end.exitCode === 0 ? "The program has ended." : `The program has ended with code ${message.end.exitCode}.`);
    if (message.problem !== "") this.#finish(message.problem);
  }

  #start(start: TerminalStart): void {
    this.#run = start.run;
    this.#present = start.present;
    if (start.reset) {
      this.#next = this.#shown = start.offset;
      this.on_reset(start.prelude);
    }
    this.phase = { at: "live" };
    this.#pause = kFirstPause;
    this.#send({ shown: this.#shown });
  }

  #show({ offset, data }: TerminalOutput): void {
    const end = offset + BigInt(data.length);
    const run = this.#run;
    this.#next = end;
    this.on_output(data, () => {
      if (run !== this.#run || end < this.#shown) return;
      this.#shown = end;
      this.#send({ shown: end });
    });
  }
}
