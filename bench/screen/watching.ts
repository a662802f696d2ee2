// What bench/screen's files have in common: a page that tells when a canvas it shows is drawn to, by whichever program;
// keys that are pressed there; and what that costs the processes of this machine and its network.
import { execFileSync } from "node:child_process";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import type { Browser, BrowserContext, Page } from "playwright-core";
import { pair as pair_device } from "../../tests/harness/device";
import type { Pool } from "../../tests/harness/pool";

export const kPresses = Number(process.env.BENCH_PRESSES ?? 60);
export const kSize = process.env.BENCH_SIZE ?? "1280x720@60";
export const [kWidth, kHeight] = kSize.split(/[x@]/).map(Number) as [number, number];
export const programs = process.env.BENCH_SCREEN ?? join(process.cwd(), "bench/screen");

export interface Sample {
  number: number; // of the picture, see app.py
  luma: string; // a byte for each pixel, as base64
}

// What the page knows.
interface Watched {
  canvas: () => HTMLCanvasElement; // the largest one, which is the app's
  drawn: number;
  drawn_at: number;
  gap: number; // the longest time between two pictures, in milliseconds
  was: number; // the red of the block
  first?: (at: number) => void; // called with the next picture
  waits?: (at: number) => void; // called with the next one whose block has another colour
  counts: boolean; // the numbers of the pictures are read
  number: number;
  changes: number; // to another number
  torn: number; // pictures without a number that can be read
  sample?: (sample: Sample) => void; // called with the next picture that has a number
  received: () => Promise<number>; // bytes, by WebRTC
  sockets: WebSocket[]; // to apps, through the hub
}

declare global {
  interface Window {
    bench: Watched;
  }
}

export async function watch(context: BrowserContext): Promise<void> {
  await context.addInitScript((height) => {
    const draw = CanvasRenderingContext2D.prototype.drawImage as (...all: unknown[]) => void;
    const peers: RTCPeerConnection[] = [];
    const largest = () => [...document.querySelectorAll("canvas")].reduce((one, other) => (other.width > one.width ? other : one));
    const state: Watched = { canvas: largest, drawn: 0, drawn_at: 0, gap: 0, was: 0, counts: false, number: -1, changes: 0, torn: 0, received: async () => {
      const reports = await Promise.all(peers.filter((peer) => peer.connectionState === "connected").map((peer) => peer.getStats()));
      return reports.flatMap((report) => [...report.values()] as { type: string; bytesReceived: number }[]).filter(({ type }) => type === "transport").reduce((sum, { bytesReceived }) => sum + bytesReceived, 0);
    }, sockets: [] };
    window.bench = state;
    const noted = <T extends object>(of: new (...all: never[]) => T, note: (made: T) => void) =>
      new Proxy(of, {
        construct: (made_by, all) => {
          const made = Reflect.construct(made_by, all) as T;
          note(made);
          return made;
        },
      });
    window.RTCPeerConnection = noted(RTCPeerConnection, (made) => void peers.push(made)) as typeof RTCPeerConnection;
    window.WebSocket = noted(WebSocket, (made) => void (made.url.includes("/forward?") && state.sockets.push(made))) as typeof WebSocket;
    // Twelve squares below the block, and the same ones the other way round: -1 if they do not fit each other.
    const number_of = (context: CanvasRenderingContext2D): number => {
      const row = context.getImageData(0, height - 8, 24 * 16, 1).data;
      const bits = Array.from({ length: 24 }, (_, at) => (row[4 * (16 * at + 8) + 1]! > 127 ? 1 : 0));
      if (bits.slice(0, 12).some((bit, at) => bit === bits[12 + at])) return -1;
      return bits.slice(0, 12).reduce<number>((sum, bit, at) => sum | (bit << at), 0);
    };
    const luma_of = (context: CanvasRenderingContext2D): Promise<string> => {
      const { data } = context.getImageData(0, 0, context.canvas.width, context.canvas.height);
      const luma = new Uint8Array(data.length / 4);
      for (let at = 0; at < luma.length; at++) luma[at] = Math.round(0.299 * data[4 * at]! + 0.587 * data[4 * at + 1]! + 0.114 * data[4 * at + 2]!);
      return new Promise((resolve) => {
        const reader = new FileReader();
        reader.onload = () => resolve((reader.result as string).split(",")[1]!);
        reader.readAsDataURL(new Blob([luma]));
      });
    };
    const count = (context: CanvasRenderingContext2D) => {
      const number = number_of(context);
      if (number < 0) state.torn++;
      else if (number !== state.number) state.changes++;
      state.number = number;
      const { sample } = state;
      if (number < 0 || sample === undefined) return;
      state.sample = undefined;
      void luma_of(context).then((luma) => sample({ number, luma }));
    };
    CanvasRenderingContext2D.prototype.drawImage = function (this: CanvasRenderingContext2D, ...all: unknown[]) {
      Reflect.apply(draw, this, all);
      if (!this.canvas.isConnected || this.canvas !== largest()) return;
      const at = performance.now();
      state.drawn++;
      state.gap = Math.max(state.gap, at - state.drawn_at);
      state.drawn_at = at;
      state.first?.(at);
      state.first = undefined;
      if (state.counts) count(this);
      if (state.waits === undefined) return;
      const red = this.getImageData(100, 100, 1, 1).data[0]!;
      if (Math.abs(red - state.was) < 128) return;
      state.was = red;
      state.waits(at);
      state.waits = undefined;
    } as typeof CanvasRenderingContext2D.prototype.drawImage;
  }, kHeight);
}

let devices = 0;

// A new device of the pool, which wants pictures through the hub ("hub") or by WebRTC ("direct").
export async function pair(pool: Pool, browser: Browser, way: string): Promise<Page> {
  const context = await browser.newContext({ viewport: { width: kWidth, height: kHeight + 54 }, ignoreHTTPSErrors: true });
  await context.addInitScript((wanted) => localStorage.setItem("hearth.screen.way", wanted), way);
  await watch(context);
  return pair_device(pool, context, `bench ${++devices}`, "owner");
}

export function drawn(page: Page): Promise<number> {
  return page.evaluate(() => window.bench.drawn);
}

// Once the block is seen.
export async function seen(page: Page): Promise<void> {
  await page.waitForFunction(() => window.bench.drawn > 0 && window.bench.canvas().getContext("2d")!.getImageData(100, 100, 1, 1).data[0]! > 200, undefined, { timeout: 60_000 });
}

// Milliseconds from a key on the page to the changed block, for each of so many keys.
export async function press(page: Page, presses: number): Promise<number[]> {
  const times: number[] = [];
  while (times.length < presses) {
    await page.waitForTimeout(150 + Math.random() * 100);
    times.push(await page.evaluate(() => new Promise<number>((resolve) => {
      const canvas = window.bench.canvas();
      window.bench.was = canvas.getContext("2d")!.getImageData(100, 100, 1, 1).data[0]!;
      const begun = performance.now();
      window.bench.waits = (at) => resolve(at - begun);
      for (const type of ["keydown", "keyup"]) canvas.dispatchEvent(new KeyboardEvent(type, { key: "a", code: "KeyA", keyCode: 65, bubbles: true, cancelable: true }));
    })));
  }
  return times;
}

export function spread(times: number[]) {
  const sorted = [...times].sort((a, b) => a - b);
  const percentile = (part: number) => Number(sorted[Math.min(sorted.length - 1, Math.floor(part * sorted.length))]!.toFixed(1));
  return { median_ms: percentile(0.5), p95_ms: percentile(0.95), max_ms: percentile(1) };
}

// Seconds of CPU of the processes whose command line holds a word.
export function cpu_of(word: string): number {
  let ticks = 0;
  for (const process of readdirSync("/proc").filter((name) => /^\d+$/.test(name))) {
    try {
      if (!readFileSync(`/proc/${process}/cmdline`, "latin1").includes(word)) continue;
      const fields = readFileSync(`/proc/${process}/stat`, "latin1").replace(/^.*\) /, "").split(" ");
      ticks += Number(fields[11]) + Number(fields[12]);
    } catch {
      continue; // it has ended
    }
  }
  return ticks / 100;
}

// Bytes that this machine has sent from a TCP port by the connections that are open; a TLS record's own ones count.
export function sent_from(port: number): number {
  const told = execFileSync("ss", ["-tinH", "sport", "=", `:${port}`], { encoding: "utf8" });
  return [...told.matchAll(/bytes_sent:(\d+)/g)].reduce((sum, [, bytes]) => sum + Number(bytes), 0);
}

// The measured program in a window of the pool, once the page shows it: the job's number.
export async function start(pool: Pool, page: Page, program: string[], gpus = "0", inputs: string[] = []): Promise<string> {
  const files = [join(programs, program[0]!), ...inputs].flatMap((file) => ["--input", file]);
  const job = JSON.parse(pool.cli_now("run", "--window", "--detach", "--json", "--gpu", gpus, ...files, "--", "python3", ...program)) as { job_id: string };
  await page.goto(`${pool.origin}/#/screen/${job.job_id}`);
  await seen(page);
  return job.job_id;
}
