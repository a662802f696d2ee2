// The page's end of an app's picture and sound, and input as what is held now. There are two ways to its PC: through the
// hub, decoded by WebCodecs, which is there at once and fastest at home; and WebRTC, which does not wait for what a bad
// link lost. Where the hub is far the second is tried beside the first and taken once its picture is there. Either comes
// back by itself after a broken link, and rests while nobody looks.
import { Code } from "@connectrpc/connect";
import { Codec, type Clipboard, type Cursor, type FileProgress, type Gamepad, type Picture, type ToViewer } from "../gen/hearth/v1/screen_pb";
import { pieces_of } from "../lib/clipboard";
import type { OutPiece } from "../lib/file_sender";
import type { Held } from "../lib/hands";
import { pieces_to_type } from "../lib/keysyms";
import { has_ended, reason_text } from "../lib/states";
import { AppTunnel, kOtherRight, kScreenPort, type FromViewerInit } from "./app_tunnel";
import { DirectLink } from "./direct_link";
import { live } from "./live.svelte";
import { PictureDecoder } from "./picture_decoder";
import { clients, is_code, sentence } from "./session";
import { Microphone, SoundPlayer } from "./sound";

const kFirstPause = 300;
const kLongestPause = 3000;
const kFar = 25; // milliseconds there and back; a LAN and its Wi-Fi need less
const kProbes = 3;
const kWay = "hearth.screen.way"; // what the person chose, kept in this browser

export type Phase = { at: "waiting"; words: string } | { at: "live" } | { at: "over"; words: string };
export type Way = "automatic" | "hub" | "direct";

export interface Numbers {
  pictures: number; // shown in a second
  kbits: number; // in a second
  lost: number; // of a hundred packets, by WebRTC
  capture: number; // milliseconds, as all that follow
  encode: number;
  way: number; // from its PC's encoder's end to being shown, on the way there and back of an input
  answer: number; // from the last input to the picture that follows it
  codec: Codec;
}

interface Size {
  width: number;
  height: number;
}

export class ScreenLink {
  phase = $state.raw<Phase>({ at: "waiting", words: "Starting…" });
  size = $state.raw<Size>({ width: 0, height: 0 }); // of the picture
  numbers = $state.raw<Numbers | undefined>();
  by = $state.raw<"hub" | "direct">("hub");
  sound = $state.raw(true);
  microphone = $state.raw<Microphone | undefined>();
  on_frame: (frame: VideoFrame | HTMLVideoElement, size: Size) => void = () => undefined;
  on_cursor: (cursor: Cursor) => void = () => undefined;
  on_clipboard: (piece: Clipboard) => void = () => undefined;
  on_file: (progress: FileProgress) => void = () => undefined;
  on_gamepad: (gamepad: Gamepad) => void = () => undefined;
  on_lost: () => void = () => undefined;

  #job: bigint;
  #view: Size = { width: 0, height: 0 };
  #tunnel: AppTunnel | undefined;
  #decoder: PictureDecoder | undefined;
  #direct: DirectLink | undefined;
  #direct_failed = false; // since the link was opened last
  #considered = false;
  #player = new SoundPlayer();
  #wish = (localStorage.getItem(kWay) ?? "automatic") as Way;
  #pause = kFirstPause;
  #timer: ReturnType<typeof setTimeout> | undefined;
  #closed = false;
  #input_number = 0;
  #sent_at = new Map<number, number>();
  #counted = { pictures: 0, bytes: 0, lost: 0, packets: 0, since: performance.now() };

  constructor(job: bigint) {
    this.#job = job;
    document.addEventListener("visibilitychange", this.#on_visibility);
    window.addEventListener("online", this.#on_other_network);
  }

  static is_possible(): boolean {
    return PictureDecoder.is_possible() || DirectLink.is_possible();
  }

  // What is wanted; opens the link.
  show(view: Size): void {
    if (view.width === this.#view.width && view.height === this.#view.height) return;
    this.#view = view;
    if (this.#tunnel !== undefined || this.#direct !== undefined) this.#greet();
    else if (this.phase.at !== "over" && this.#timer === undefined) this.#open();
  }

  // The state of pointer and keyboard.
  input(held: Held): void {
    const number = ++this.#input_number;
    this.#sent_at.set(number, performance.now());
    if (this.#sent_at.size > 200) this.#sent_at.delete(this.#sent_at.keys().next().value!);
    const { wheel_x, wheel_y, ...same } = held;
    this.send({ input: { ...same, number, x: Math.round(held.x), y: Math.round(held.y), wheelX: wheel_x, wheelY: wheel_y } });
  }

  type(text: string): void {
    for (const piece of pieces_to_type(text)) this.send({ text: piece });
  }

  // Becomes what the app pastes; false: it is too long.
  clip(text: string): boolean {
    const pieces = pieces_of(text);
    for (const clipboard of pieces ?? []) this.send({ clipboard });
    return pieces !== undefined;
  }

  file(piece: OutPiece): void {
    this.send({ file: { ...piece, size: BigInt(piece.size), offset: BigInt(piece.offset) } });
  }

  // By the way that is shown.
  send(message: FromViewerInit): void {
    if (this.by === "direct") this.#direct?.send(message);
    else this.#tunnel?.send(message);
  }

  set_sound(on: boolean): void {
    this.sound = on;
    if (!on) this.#player.close();
    this.#greet();
  }

  // Throws if the person does not allow it.
  async set_microphone(on: boolean): Promise<void> {
    this.microphone?.close();
    this.microphone = on ? await Microphone.open((voice) => this.send({ voice })) : undefined;
  }

  get wish(): Way {
    return this.#wish;
  }

  choose(way: Way): void {
    this.#wish = way;
    localStorage.setItem(kWay, way);
    this.#again();
  }

  close(): void {
    this.#closed = true;
    document.removeEventListener("visibilitychange", this.#on_visibility);
    window.removeEventListener("online", this.#on_other_network);
    this.microphone?.close();
    this.#drop();
  }

  #on_visibility = (): void => {
    if (document.hidden) {
      this.#drop();
      if (this.phase.at === "live") this.phase = { at: "waiting", words: "Coming back…" };
    } else if (this.phase.at !== "over" && this.#tunnel === undefined && this.#direct === undefined) {
      this.#pause = kFirstPause;
      this.#open();
    }
  };

  // What was sent over the former network may be answered never: waiting for that takes longer than to begin again.
  #on_other_network = (): void => this.#again();

  #again(): void {
    if (this.phase.at === "over" || document.hidden) return;
    this.#drop();
    this.#open();
  }

  #hello(): FromViewerInit {
    return { view: this.#view, sound: this.sound };
  }

  #greet(): void {
    this.#tunnel?.send(this.#hello());
    if (this.#direct?.is_live) this.#direct.send(this.#hello());
  }

  #drop(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    this.#drop_hub();
    this.#direct?.close();
    this.#direct = undefined;
    this.#direct_failed = false;
  }

  // What was on its way is lost with it.
  #drop_hub(): void {
    this.on_lost();
    this.#tunnel?.close();
    this.#tunnel = undefined;
    this.#decoder?.close();
    this.#decoder = undefined;
    this.#player.close();
  }

  #open(): void {
    if (this.#closed || document.hidden) return;
    if (PictureDecoder.is_possible()) this.#open_hub();
    else this.#open_direct();
  }

  #open_hub(): void {
    this.by = "hub";
    this.#considered = false;
    this.#decoder = new PictureDecoder(
      (frame, picture) => this.#on_decoded(frame, picture),
      () => this.#tunnel?.send({ keyPicture: true }),
    );
    const tunnel = new AppTunnel(this.#job, kScreenPort, {
      open: () => tunnel.send(this.#hello()),
      message: (message) => this.#hear(message),
      closed: (code) => {
        if (this.#tunnel !== tunnel) return;
        if (code === kOtherRight) this.#again();
        else void this.#on_end();
      },
    });
    this.#tunnel = tunnel;
  }

  #open_direct(): void {
    const direct = new DirectLink(this.#job, () => this.#hello(), {
      frame: (video, note) => this.#on_direct_frame(direct, video, note),
      message: (message) => {
        if (message.problem === "" || this.#tunnel === undefined) return this.#hear(message);
        direct.close(); // the hub's way is there still
        this.#direct = undefined;
        this.#direct_failed = true;
      },
      closed: (code) => {
        if (this.#direct !== direct) return;
        if (code === kOtherRight) return this.#again();
        this.#direct = undefined;
        const was_shown = this.by === "direct" && direct.is_live;
        this.#direct_failed = !direct.is_live;
        if (this.#tunnel === undefined) void this.#on_end();
        else if (was_shown) this.by = "hub";
      },
    });
    this.#direct = direct;
  }

  // Once for each link through the hub that has come up: the program runs then.
  async #consider_direct(): Promise<void> {
    if (this.#wish === "hub" || this.#direct !== undefined || this.#direct_failed || !DirectLink.is_possible()) return;
    let shortest = Infinity;
    for (let i = 0; i < kProbes && this.#wish === "automatic"; i++) {
      const begun = performance.now();
      await clients.jobs.get({ jobId: this.#job }).catch(() => undefined);
      shortest = Math.min(shortest, performance.now() - begun);
    }
    if (shortest > kFar && this.#tunnel !== undefined && this.#direct === undefined) this.#open_direct();
  }

  // Why, the job tells; then again, unless that has ended.
  async #on_end(): Promise<void> {
    const failed = this.#direct_failed;
    this.#drop();
    this.#direct_failed = failed;
    let words = "";
    try {
      const { job } = await clients.jobs.get({ jobId: this.#job });
      if (job !== undefined && has_ended(job)) {
        return this.#finish(reason_text(job.firstFailure) || "The app has ended.");
      }
      if (job !== undefined && live.keeps_out(job)) return this.#finish("It is not shared with you, or no more.");
      words = job?.running ? "Waiting for its picture…" : (await clients.jobs.why({ jobId: this.#job })).sentence;
    } catch (error) {
      // A guest of the pool is shown no job of another's.
      if (is_code(error, Code.NotFound) && !live.shared_apps.has(this.#job)) return this.#finish("It has ended, or is shared with you no more.");
      words = is_code(error, Code.NotFound) ? "Waiting for its picture…" : sentence(error);
    }
    if (this.#closed || this.phase.at === "over" || this.#tunnel !== undefined || this.#direct !== undefined) return;
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

  #hear(message: ToViewer): void {
    if (message.problem !== "") return this.#finish(message.problem);
    if (message.cursor !== undefined) this.on_cursor(message.cursor);
    if (message.clipboard !== undefined) this.on_clipboard(message.clipboard);
    if (message.file !== undefined) this.on_file(message.file);
    if (message.gamepad !== undefined) this.on_gamepad(message.gamepad);
    if (message.sound !== undefined && this.sound) this.#player.play(message.sound);
    if (message.picture === undefined) return;
    this.#counted.bytes += message.picture.data.length;
    if (this.#decoder?.decode(message.picture) !== true) this.#tunnel?.send({ shown: message.picture.number, keyPicture: true });
  }

  #on_decoded(frame: VideoFrame, picture: Picture | undefined): void {
    this.#show(frame, { width: frame.displayWidth, height: frame.displayHeight }, picture);
    this.#tunnel?.send({ shown: BigInt(frame.timestamp) });
    if (this.#considered) return;
    this.#considered = true;
    void this.#consider_direct();
  }

  #on_direct_frame(direct: DirectLink, video: HTMLVideoElement, note: Picture | undefined): void {
    if (this.#direct !== direct || video.videoWidth === 0) return;
    if (this.by !== "direct" || this.#tunnel !== undefined) {
      this.#drop_hub();
      this.by = "direct";
      direct.send(this.#hello()); // the phone may have been turned since the offer
    }
    this.#show(video, { width: video.videoWidth, height: video.videoHeight }, note);
  }

  #show(frame: VideoFrame | HTMLVideoElement, size: Size, picture: Picture | undefined): void {
    if (size.width !== this.size.width || size.height !== this.size.height) this.size = size;
    this.on_frame(frame, size);
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
    const { kbits, lost } = this.numbers ?? { kbits: 0, lost: 0 };
    const rates = fresh ? { pictures: (this.#counted.pictures * 1000) / spent, kbits: this.by === "hub" ? (this.#counted.bytes * 8) / spent : kbits } : { pictures: this.numbers!.pictures, kbits };
    const codec = picture?.codec ?? this.numbers?.codec ?? Codec.H264;
    this.numbers = { ...rates, lost: this.by === "hub" ? 0 : lost, capture, encode, way, answer, codec };
    if (!fresh) return;
    this.#counted = { ...this.#counted, pictures: 0, bytes: this.by === "hub" ? 0 : this.#counted.bytes, since: now };
    if (this.by === "direct") void this.#count_packets(spent);
  }

  async #count_packets(spent: number): Promise<void> {
    const counts = await this.#direct?.counts();
    if (counts === undefined || this.numbers === undefined) return;
    const { bytes, lost, packets } = this.#counted;
    const [more, missing] = [counts.packets - packets, counts.lost - lost];
    if (counts.bytes >= bytes) this.numbers = { ...this.numbers, kbits: ((counts.bytes - bytes) * 8) / spent, lost: more + missing > 0 ? (100 * Math.max(0, missing)) / (more + missing) : 0 };
    this.#counted = { ...this.#counted, ...counts };
  }
}
