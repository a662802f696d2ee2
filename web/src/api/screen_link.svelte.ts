// The page's end of an app's picture: a WebSocket to hearth-screen through the hub (screen.proto), pictures decoded by
// WebCodecs, input as what is held now. It comes back by itself after a broken link, and rests while nobody looks.
import { create, fromBinary, toBinary, type MessageInitShape } from "@bufbuild/protobuf";
import { FromViewerSchema, ToViewerSchema, type Clipboard, type Cursor, type FileProgress, type Picture } from "../gen/hearth/v1/screen_pb";
import { pieces_of } from "../lib/clipboard";
import type { OutPiece } from "../lib/file_sender";
import { codec_of, frame_of, FrameReader } from "../lib/frames";
import type { Held } from "../lib/hands";
import { pieces_to_type } from "../lib/keysyms";
import { has_ended, reason_text } from "../lib/states";
import { clients, sentence } from "./session";

const kPort = 7440;
const kFirstPause = 300;
const kLongestPause = 3000;

export type Phase = { at: "waiting"; words: string } | { at: "live" } | { at: "over"; words: string };

export interface Numbers {
  pictures: number; // shown in a second
  kbits: number; // in a second
  capture: number; // milliseconds, as all that follow
  encode: number;
  way: number; // from its PC's encoder's end to being shown, on the way there and back of an input
  answer: number; // from the last input to the picture that follows it
}

interface Size {
  width: number;
  height: number;
}

export class ScreenLink {
  phase = $state.raw<Phase>({ at: "waiting", words: "Starting…" });
  size = $state.raw<Size>({ width: 0, height: 0 }); // of the picture
  numbers = $state.raw<Numbers | undefined>();
  on_frame: (frame: VideoFrame) => void = () => undefined;
  on_cursor: (cursor: Cursor) => void = () => undefined;
  on_clipboard: (piece: Clipboard) => void = () => undefined;
  on_file: (progress: FileProgress) => void = () => undefined;
  on_lost: () => void = () => undefined;

  #job: bigint;
  #view: Size = { width: 0, height: 0 };
  #socket: WebSocket | undefined;
  #decoder: VideoDecoder | undefined;
  #codec = "";
  #pause = kFirstPause;
  #timer: ReturnType<typeof setTimeout> | undefined;
  #closed = false;
  #input_number = 0;
  #sent_at = new Map<number, number>();
  #pending = new Map<number, Picture>();
  #counted = { pictures: 0, bytes: 0, since: performance.now() };

  constructor(job: bigint) {
    this.#job = job;
    document.addEventListener("visibilitychange", this.#on_visibility);
  }

  static is_possible(): boolean {
    return typeof VideoDecoder !== "undefined";
  }

  // What is wanted; opens the link.
  show(view: Size): void {
    if (view.width === this.#view.width && view.height === this.#view.height) return;
    this.#view = view;
    if (this.#socket?.readyState === WebSocket.OPEN) this.#send({ view });
    else if (this.phase.at !== "over" && this.#socket === undefined && this.#timer === undefined) this.#open();
  }

  // The state of pointer and keyboard.
  input(held: Held): void {
    const number = ++this.#input_number;
    this.#sent_at.set(number, performance.now());
    if (this.#sent_at.size > 200) this.#sent_at.delete(this.#sent_at.keys().next().value!);
    const { buttons, keys, dx, dy } = held;
    this.#send({ input: { number, x: Math.round(held.x), y: Math.round(held.y), buttons, keys, wheelX: held.wheel_x, wheelY: held.wheel_y, dx, dy } });
  }

  type(text: string): void {
    for (const piece of pieces_to_type(text)) this.#send({ text: piece });
  }

  // Becomes what the app pastes; false: it is too long.
  clip(text: string): boolean {
    const pieces = pieces_of(text);
    for (const clipboard of pieces ?? []) this.#send({ clipboard });
    return pieces !== undefined;
  }

  file(piece: OutPiece): void {
    this.#send({ file: { ...piece, size: BigInt(piece.size), offset: BigInt(piece.offset) } });
  }

  close(): void {
    this.#closed = true;
    document.removeEventListener("visibilitychange", this.#on_visibility);
    this.#drop();
  }

  #on_visibility = (): void => {
    if (document.hidden) {
      this.#drop();
      if (this.phase.at === "live") this.phase = { at: "waiting", words: "Coming back…" };
    } else if (this.phase.at !== "over" && this.#socket === undefined) {
      this.#pause = kFirstPause;
      this.#open();
    }
  };

  #drop(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    const socket = this.#socket;
    this.#socket = undefined;
    socket?.close();
    this.on_lost();
    if (this.#decoder !== undefined && this.#decoder.state !== "closed") this.#decoder.close();
    this.#decoder = undefined;
    this.#codec = "";
    this.#pending.clear();
  }

  #open(): void {
    if (this.#closed || document.hidden) return;
    const address = new URL(`/forward?job=${this.#job}&task=0&port=${kPort}`, window.location.href);
    address.protocol = address.protocol.replace("http", "ws");
    const socket = new WebSocket(address, "hearth-tunnel.1");
    const reader = new FrameReader();
    socket.binaryType = "arraybuffer";
    this.#socket = socket;
    socket.onopen = () => this.#send({ view: this.#view });
    socket.onclose = () => this.#on_end(socket);
    socket.onmessage = (event: MessageEvent<ArrayBuffer>) => {
      if (socket !== this.#socket) return;
      try {
        for (const message of reader.push(new Uint8Array(event.data))) this.#hear(message);
      } catch {
        socket.close();
      }
    };
  }

  #send(message: MessageInitShape<typeof FromViewerSchema>): void {
    if (this.#socket?.readyState !== WebSocket.OPEN) return;
    this.#socket.send(frame_of(toBinary(FromViewerSchema, create(FromViewerSchema, message))));
  }

  // Why, the job tells; then again, unless that has ended.
  async #on_end(socket: WebSocket): Promise<void> {
    if (socket !== this.#socket) return;
    this.#drop();
    let words = "";
    try {
      const { job } = await clients.jobs.get({ jobId: this.#job });
      if (job !== undefined && has_ended(job)) {
        this.phase = { at: "over", words: reason_text(job.firstFailure) || "The app has ended." };
        return;
      }
      words = job?.running ? "Waiting for its picture…" : (await clients.jobs.why({ jobId: this.#job })).sentence;
    } catch (error) {
      words = sentence(error);
    }
    if (this.#closed || this.phase.at === "over" || this.#socket !== undefined) return;
    this.phase = { at: "waiting", words };
    this.#timer = setTimeout(() => {
      this.#timer = undefined;
      this.#open();
    }, this.#pause);
    this.#pause = Math.min(kLongestPause, this.#pause * 1.5);
  }

  #hear(bytes: Uint8Array): void {
    const message = fromBinary(ToViewerSchema, bytes);
    if (message.problem !== "") {
      this.phase = { at: "over", words: message.problem };
      this.#drop();
      return;
    }
    if (message.cursor !== undefined) this.on_cursor(message.cursor);
    if (message.clipboard !== undefined) this.on_clipboard(message.clipboard);
    if (message.file !== undefined) this.on_file(message.file);
    if (message.picture !== undefined) this.#decode(message.picture);
  }

  #decode(picture: Picture): void {
    this.#counted.bytes += picture.data.length;
    if (picture.key) this.#prepare(picture);
    const decoder = this.#decoder;
    if (decoder === undefined || decoder.state !== "configured") {
      this.#send({ shown: picture.number, keyPicture: true });
      return;
    }
    this.#pending.set(Number(picture.number), picture);
    decoder.decode(new EncodedVideoChunk({ type: picture.key ? "key" : "delta", timestamp: Number(picture.number), data: picture.data }));
  }

  #prepare(picture: Picture): void {
    const codec = codec_of(picture.data);
    const name = `${codec} ${picture.width} ${picture.height}`;
    if (codec === undefined || (name === this.#codec && this.#decoder?.state === "configured")) return;
    if (this.#decoder !== undefined && this.#decoder.state !== "closed") this.#decoder.close();
    const decoder = new VideoDecoder({
      output: (frame) => this.#on_decoded(frame),
      error: () => {
        this.#codec = "";
        this.#send({ keyPicture: true });
      },
    });
    decoder.configure({ codec, codedWidth: picture.width, codedHeight: picture.height, optimizeForLatency: true });
    this.#decoder = decoder;
    this.#codec = name;
  }

  #on_decoded(frame: VideoFrame): void {
    const picture = this.#pending.get(frame.timestamp);
    this.#pending.delete(frame.timestamp);
    if (picture !== undefined && (picture.width !== this.size.width || picture.height !== this.size.height)) {
      this.size = { width: picture.width, height: picture.height };
    }
    this.on_frame(frame);
    this.#send({ shown: BigInt(frame.timestamp) });
    frame.close();
    this.phase = this.phase.at === "live" ? this.phase : { at: "live" };
    this.#pause = kFirstPause;
    this.#count(picture);
  }

  #count(picture: Picture | undefined): void {
    const now = performance.now();
    this.#counted.pictures++;
    const sent = picture === undefined ? undefined : this.#sent_at.get(picture.input);
    let answer = this.numbers?.answer ?? 0;
    if (sent !== undefined) {
      answer = now - sent;
      for (const number of this.#sent_at.keys()) if (number <= picture!.input) this.#sent_at.delete(number);
    }
    const spent = now - this.#counted.since;
    if (spent < 500 && sent === undefined) return;
    const capture = (picture?.captureMicros ?? 0) / 1000;
    const encode = (picture?.encodeMicros ?? 0) / 1000;
    const way = sent === undefined ? (this.numbers?.way ?? 0) : Math.max(0, answer - capture - encode);
    const fresh = spent >= 500 || this.numbers === undefined;
    const rates = fresh ? { pictures: (this.#counted.pictures * 1000) / spent, kbits: (this.#counted.bytes * 8) / spent } : this.numbers!;
    this.numbers = { pictures: rates.pictures, kbits: rates.kbits, capture, encode, way, answer };
    if (fresh) this.#counted = { pictures: 0, bytes: 0, since: now };
  }
}
