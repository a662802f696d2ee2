// What this page uploads to the drive, by tus 1.0 at /upload/. It goes on wherever in the page one is; after a reload the
// browser remembers how far each file came (not the files: they are to be picked again).
import type { DetailedError, HttpRequest, HttpResponse, Upload as TusUpload, UploadOptions } from "tus-js-client";
import { Backoff, pause } from "../lib/backoff";
import { join_path, parent_of, steps_of } from "../lib/drive_paths";
import type { GivenFile } from "../lib/dropped";
import { guest, guest_base } from "../lib/guest_link";
import { is_unfinished, type Totals, type Upload, UploadQueue } from "../lib/upload_queue";
import { kRefused } from "./drive.svelte";
import { keep_session, NotPaired, prove, WrongServer } from "./session";

const kEndpoint = `${guest_base}/upload/`;
const kFingerprint = guest === undefined ? "hearth-drive" : `hearth-link-${guest.id}`;
const kSmall = 4 * 1024 * 1024; // bytes: so much goes with the request that begins an upload
const kStallMillis = 60_000; // without a sign of the server the link is taken for dead
const kTellMillis = 200;
const kStored = new RegExp(`^tus::${kFingerprint}:\\d+:\\d+:(.*)::\\d+$`, "s"); // as tus-js-client keeps the fingerprints below

// An answer that is no success.
class Refused extends Error {
  constructor(
    readonly status: number,
    text: string,
  ) {
    super(text);
  }
}

class Sender {
  #file: File;
  #upload: Upload;
  #stop = new AbortController();
  #tus: TusUpload;
  #settle: ((error: unknown) => void) | undefined;
  #last_sign = 0;
  #place = "";

  constructor(tus: typeof import("tus-js-client"), file: File, upload: Upload, with_data: boolean) {
    this.#file = file;
    this.#upload = upload;
    this.#tus = new tus.Upload(file, this.#options(with_data));
  }

  // Sends until all is there: its path in the drive. Errors: Refused; an AbortError after end(); a file that cannot be read.
  async send(on_sent: (bytes: number) => void, on_cut: () => void): Promise<string> {
    const { signal } = this.#stop;
    const backoff = new Backoff();
    const [previous] = await this.#tus.findPreviousUploads();
    if (previous !== undefined) this.#tus.resumeFromPreviousUpload(previous);
    let furthest = 0;
    this.#tus.options.onProgress = (bytes) => {
      if (bytes > furthest) backoff.reset();
      furthest = Math.max(furthest, bytes);
      this.#last_sign = Date.now();
      on_sent(bytes);
    };
    for (;;) {
      try {
        signal.throwIfAborted();
        await keep_session();
        await this.#attempt(signal);
        return this.#place || this.#upload.target;
      } catch (error) {
        signal.throwIfAborted();
        const status = status_of(error as Partial<DetailedError>);
        if (error instanceof NotPaired || error instanceof WrongServer) throw new Refused(401, error.message);
        if (status === 401) await prove().catch(() => undefined);
        else if (is_final(status)) throw new Refused(status, words_of(error as Partial<DetailedError>, status));
        await this.#file.slice(0, 1).arrayBuffer(); // throws if somebody has changed or removed it here
        on_cut();
        await pause(backoff.next_millis(), signal);
      }
    }
  }

  end(forget: boolean): void {
    this.#stop.abort();
    this.#settle?.(new DOMException("stopped", "AbortError"));
    void this.#tus.abort(forget).catch(() => undefined); // what the server keeps of it goes by itself in time
  }

  async #attempt(signal: AbortSignal): Promise<void> {
    this.#last_sign = Date.now();
    const watch = setInterval(() => {
      if (Date.now() - this.#last_sign < kStallMillis) return;
      void this.#tus.abort();
      this.#settle?.(new TypeError("the link is dead"));
    }, 5000);
    try {
      await new Promise<void>((resolve, reject) => {
        this.#settle = reject;
        this.#tus.options.onSuccess = () => resolve();
        this.#tus.options.onError = reject;
        this.#tus.start();
      });
      signal.throwIfAborted();
    } finally {
      clearInterval(watch);
    }
  }

  #options(with_data: boolean): UploadOptions {
    const { target, size } = this.#upload;
    const modified = String(this.#file.lastModified);
    return {
      endpoint: kEndpoint,
      retryDelays: null,
      metadata: { path: target, modified, ifexists: "rename" },
      fingerprint: () => Promise.resolve(`${kFingerprint}:${size}:${modified}:${target}`),
      removeFingerprintOnSuccess: true,
      uploadDataDuringCreation: with_data && size <= kSmall,
      onAfterResponse: (request, response) => this.#hear(request, response),
    };
  }

  // tus-js-client begins anew when the question how far it came is refused for whatever reason; only when the upload is
  // not known any more is that right.
  #hear(request: HttpRequest, response: HttpResponse): void {
    this.#last_sign = Date.now();
    const status = response.getStatus();
    if (status === 401 || (request.getMethod() === "HEAD" && status >= 400 && status !== 404 && status !== 410)) throw new Refused(status, response.getBody());
    const place = response.getHeader("Hearth-Path");
    if (place) this.#place = decodeURIComponent(place);
  }
}

// 0: there was no answer.
function status_of(error: Partial<DetailedError>): number {
  if (error.causingError instanceof Refused) return error.causingError.status;
  return error.originalResponse?.getStatus() ?? 0;
}

// Trying again helps against none of these.
function is_final(status: number): boolean {
  return (status >= 400 && status < 500 && ![401, 408, 409, 423, 429].includes(status)) || status === 507;
}

function words_of(error: Partial<DetailedError>, status: number): string {
  if (status === 403 && guest === undefined) return kRefused;
  if (status === 507) return "The PC's disk is full.";
  const text = (error.originalResponse?.getBody() ?? error.causingError?.message ?? "").trim();
  if (text !== "") return text;
  return status === 413 ? "It is too large." : `The PC refused it (HTTP ${status}).`;
}

interface LeftOver {
  key: string;
  target: string;
}

function left_overs(): LeftOver[] {
  try {
    const keys = Object.keys(localStorage).map((key) => ({ key, found: kStored.exec(key) }));
    return keys.flatMap(({ key, found }) => (found === null ? [] : [{ key, target: found[1]! }]));
  } catch {
    return []; // this browser keeps nothing
  }
}

class DriveUploads {
  list = $state.raw<readonly Upload[]>([]);
  totals = $state.raw<Totals>({ files: 0, done: 0, failed: 0, paused: 0, bytes: 0, sent: 0 });
  arrived = $state.raw<ReadonlyMap<string, number>>(new Map()); // how many have come below a folder since the page was opened
  left_over = $state.raw<readonly LeftOver[]>(left_overs()); // what an earlier visit began and did not end
  #queue = new UploadQueue({ begin: (upload) => void this.#begin(upload), end: (upload, forget) => this.#end(upload, forget), changed: () => this.#changed() });
  #files = new Map<number, File>();
  #senders = new Map<number, Sender>();
  #with_data: Promise<boolean> | undefined;
  #timer: ReturnType<typeof setTimeout> | undefined;
  #lock: Promise<WakeLockSentinel | undefined> | undefined;

  constructor() {
    window.addEventListener("beforeunload", (event) => {
      if (this.#queue.unfinished) event.preventDefault();
    });
    document.addEventListener("visibilitychange", () => void this.#keep_awake());
  }

  // What is on its way already is not sent a second time.
  add(folder: string, given: readonly GivenFile[]): void {
    const under_way = new Set(this.#queue.uploads.filter(is_unfinished).map(({ target, size }) => `${size}:${target}`));
    const files = given.map(({ path, file }) => ({ target: join_path(folder, path), size: file.size, file })).filter(({ target, size }) => !under_way.has(`${size}:${target}`));
    this.#queue.add(files).forEach((number, i) => this.#files.set(number, files[i]!.file));
    const targets = new Set(files.map(({ target }) => target));
    this.left_over = this.left_over.filter(({ target }) => !targets.has(target));
    this.#queue.pump();
  }

  pause(number: number): void {
    this.#queue.pause(number);
  }
  resume(number: number): void {
    this.#queue.resume(number);
  }
  cancel(number: number): void {
    this.#queue.cancel(number);
  }
  pause_all(): void {
    this.#queue.pause_all();
  }
  resume_all(): void {
    this.#queue.resume_all();
  }
  cancel_all(): void {
    this.#queue.cancel_all();
  }
  clear(): void {
    this.#queue.clear();
  }

  forget_left_over(): void {
    for (const { key } of this.left_over) localStorage.removeItem(key);
    this.left_over = [];
  }

  async #begin(upload: Upload): Promise<void> {
    const { number } = upload;
    const file = this.#files.get(number)!;
    this.#with_data ??= asks_for_data().catch(() => {
      this.#with_data = undefined;
      return false;
    });
    const before = this.#senders.get(number);
    const [tus, with_data] = await Promise.all([import("tus-js-client").catch(() => undefined), this.#with_data]);
    if (tus === undefined) return this.#queue.on_failed(number, "A part of this page could not be loaded. Load it again.");
    const sender = new Sender(tus, file, upload, with_data);
    if (upload.state !== "sending" || this.#senders.get(number) !== before) return; // paused meanwhile, or begun again
    this.#senders.set(number, sender);
    try {
      const path = await sender.send((bytes) => this.#queue.on_sent(number, bytes), () => this.#queue.on_cut(number));
      this.#note(path);
      this.#files.delete(number);
      this.#senders.delete(number);
      this.#queue.on_done(number, path);
    } catch (error) {
      if (error instanceof Refused) this.#queue.on_failed(number, error.message);
      else if (!(error instanceof DOMException && error.name === "AbortError")) this.#queue.on_failed(number, "It can no longer be read here. Pick it again.");
    }
  }

  // The sender of what is only paused stays: it knows what the server is to forget if that is asked later.
  #end({ number }: Upload, forget: boolean): void {
    this.#senders.get(number)?.end(forget);
    if (!forget) return;
    this.#senders.delete(number);
    this.#files.delete(number);
  }

  // The folders above may have been made for it.
  #note(path: string): void {
    const arrived = new Map(this.arrived);
    for (const folder of ["/", ...steps_of(parent_of(path)).map((step) => step.path)]) arrived.set(folder, (arrived.get(folder) ?? 0) + 1);
    this.arrived = arrived;
  }

  // Many times a second: told on at a pace that can be drawn.
  #changed(): void {
    this.#timer ??= setTimeout(() => {
      this.#timer = undefined;
      this.list = this.#queue.uploads.map((upload) => ({ ...upload }));
      this.totals = this.#queue.totals;
      void this.#keep_awake();
    }, kTellMillis);
  }

  // A phone whose screen goes dark stops sending.
  async #keep_awake(): Promise<void> {
    const lock = this.#lock;
    if (!this.#queue.active) {
      this.#lock = undefined;
      void (await lock)?.release();
    } else if (lock === undefined && document.visibilityState === "visible") {
      this.#lock = navigator.wakeLock?.request("screen").catch(() => undefined);
    } else if (document.visibilityState === "visible" && (await lock)?.released === true && this.#lock === lock) {
      this.#lock = undefined; // the page was out of sight
      void this.#keep_awake();
    }
  }
}

// Whether the server takes content with the request that begins an upload.
async function asks_for_data(): Promise<boolean> {
  await keep_session();
  const response = await fetch(kEndpoint, { method: "OPTIONS" });
  return (response.headers.get("Tus-Extension") ?? "").split(",").some((name) => name.trim() === "creation-with-upload");
}

export const drive_uploads = new DriveUploads();
