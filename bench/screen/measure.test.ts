// How long from a key on the page to the changed pixel in the picture that the page has decoded, with an app that stands
// still and one that moves 60 times a second, at 1280x720 (BENCH_SIZE says otherwise); and what that costs. How long from the tap on an app to its
// first picture; and for how long the picture stands still where the link's rate falls (falling.sh). Debian's Chromium, hub, node and app on this machine. Prints one line of JSON for each; README.md says
// how to run it.
import assert from "node:assert/strict";
import { execSync } from "node:child_process";
import { readdirSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { after, before, test } from "node:test";
import type { Browser, Page } from "playwright-core";
import { launch } from "../../web/test/browser";
import { pair as pair_device } from "../../tests/harness/device";
import { Pool } from "../../tests/harness/pool";

const kPresses = Number(process.env.BENCH_PRESSES ?? 60);
const kStarts = 10;
const kFall = process.env.BENCH_FALL; // what lets the rate fall; nothing else is measured then
const kSize = process.env.BENCH_SIZE ?? "1280x720@60";
const [kWidth, kHeight] = kSize.split(/[x@]/).map(Number) as [number, number];
const kGpus = process.env.BENCH_GPUS; // lent to a 3D program ("0": it is drawn by the processor), which is measured then, too
const programs = process.env.BENCH_SCREEN ?? join(process.cwd(), "bench/screen");
const pool = new Pool(process.env.BENCH_ADDRESS);
let browser: Browser;
let devices = 0;

before(async () => {
  pool.up();
  browser = await launch();
});
after(async () => {
  await browser?.close();
  pool.close();
});

async function pair(way: string): Promise<Page> {
  const context = await browser.newContext({ viewport: { width: kWidth, height: kHeight + 54 }, ignoreHTTPSErrors: true });
  await context.addInitScript((wanted) => localStorage.setItem("hearth.screen.way", wanted), way);
  // Tells when a picture is drawn whose first block has another colour than before.
  await context.addInitScript(() => {
    const draw = CanvasRenderingContext2D.prototype.drawImage as (...all: unknown[]) => void;
    const state = { drawn: 0, drawn_at: 0, gap: 0, first: undefined as undefined | ((at: number) => void), waits: undefined as undefined | ((at: number) => void), was: 0 };
    (window as unknown as { bench: typeof state }).bench = state;
    CanvasRenderingContext2D.prototype.drawImage = function (this: CanvasRenderingContext2D, ...all: unknown[]) {
      Reflect.apply(draw, this, all);
      state.drawn++;
      state.gap = Math.max(state.gap, performance.now() - state.drawn_at);
      state.drawn_at = performance.now();
      state.first?.(performance.now());
      state.first = undefined;
      if (state.waits === undefined) return;
      const at = performance.now();
      const red = this.getImageData(100, 100, 1, 1).data[0]!;
      if (Math.abs(red - state.was) < 128) return;
      state.was = red;
      state.waits(at);
      state.waits = undefined;
    } as typeof CanvasRenderingContext2D.prototype.drawImage;
  });
  return pair_device(pool, context, `bench ${++devices}`, "owner");
}

// Seconds of CPU of the processes whose command line holds a word.
function cpu_of(word: string): number {
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

const parts = { pictures: "--serve", direct: "/hearth-media", server: "Xvfb\0", node: `daemon\0node\0--home\0${pool.home}`, hub: `daemon\0hub\0--home\0${pool.home}` };

for (const [way, kind] of ["hub", "direct"].flatMap((way) => ["still", "moving", ...(kGpus === undefined ? [] : ["rays"])].map((kind) => [way, kind] as const))) {
  test(`${way}, ${kind}`, { timeout: 300_000, skip: kFall !== undefined }, async () => {
    const page = await pair(way);
    const job = await start(page, kind);
    await page.waitForTimeout(3000);
    const before = { at: performance.now(), drawn: await drawn(page), cpu: Object.values(parts).map(cpu_of) };
    await page.waitForTimeout(5000);
    const seconds = (performance.now() - before.at) / 1000;
    const pictures = ((await drawn(page)) - before.drawn) / seconds;
    const cpu = Object.fromEntries(Object.entries(parts).map(([name, word], at) => [name, Number(((100 * (cpu_of(word) - before.cpu[at]!)) / seconds).toFixed(1))]));
    const times: number[] = [];
    for (let press = 0; press < kPresses; press++) {
      await page.waitForTimeout(150 + Math.random() * 100);
      times.push(await page.evaluate(() => new Promise<number>((resolve) => {
        const state = (window as unknown as { bench: { waits?: (at: number) => void; was: number } }).bench;
        const canvas = document.querySelector("canvas")!;
        state.was = canvas.getContext("2d")!.getImageData(100, 100, 1, 1).data[0]!;
        const begun = performance.now();
        state.waits = (at) => resolve(at - begun);
        for (const type of ["keydown", "keyup"]) canvas.dispatchEvent(new KeyboardEvent(type, { key: "a", code: "KeyA", bubbles: true, cancelable: true }));
      })));
    }
    const said = kind === "rays" ? { program: pool.cli_now("logs", job).trim().split("\n").slice(0, 2).join(", ") } : {};
    console.log(JSON.stringify({ way, kind, size: kSize, presses: times.length, ...spread(times), pictures_per_s: Number(pictures.toFixed(1)), cpu_percent_of_a_core: cpu, ...said }));
    assert.equal(times.length, kPresses);
    pool.cli_now("cancel", job);
    await page.close();
  });
}

for (const way of ["hub", "direct"]) {
  test(`${way}, from a tap to the first picture`, { timeout: 300_000, skip: kFall !== undefined }, async () => {
    pool.cli_now("app", "add", "Bench", "--", "xterm", "-e", "sleep", "1000");
    const page = await pair(way);
    const times: number[] = [];
    for (let start = 0; start < kStarts; start++) {
      await page.goto(`${pool.origin}/#/`);
      await page.getByRole("button", { name: "Bench" }).waitFor();
      await page.waitForTimeout(1000);
      times.push(await page.evaluate(() => new Promise<number>((resolve) => {
        const begun = performance.now();
        (window as unknown as { bench: { first?: (at: number) => void } }).bench.first = (at) => resolve(at - begun);
        [...document.querySelectorAll("button")].find((button) => button.textContent?.includes("Bench"))!.click();
      })));
      pool.cli_now("cancel", page.url().split("/").pop()!);
    }
    console.log(JSON.stringify({ way, kind: "first picture", starts: times.length, ...spread(times) }));
    assert.equal(times.length, kStarts);
    pool.cli_now("app", "remove", "Bench");
    await page.close();
  });
}

for (const way of ["hub", "direct"]) {
  test(`${way}, the rate falls`, { timeout: 300_000, skip: kFall === undefined }, async () => {
    const page = await pair(way);
    const job = await start(page, "moving");
    await page.waitForTimeout(15_000);
    const before = await drawn(page);
    await page.waitForTimeout(5_000);
    const then = await drawn(page);
    await page.evaluate(() => void ((window as unknown as { bench: { gap: number } }).bench.gap = 0));
    execSync(kFall!);
    await page.waitForTimeout(10_000);
    const between = await drawn(page);
    await page.waitForTimeout(5_000);
    const gap = await page.evaluate(() => (window as unknown as { bench: { gap: number } }).bench.gap);
    console.log(JSON.stringify({ way, kind: "the rate falls", stood_still_ms: Number(gap.toFixed(1)), pictures_per_s: { before: (then - before) / 5, after_ten_seconds: ((await drawn(page)) - between) / 5 } }));
    assert.ok(gap > 0);
    execSync(process.env.BENCH_RISE!);
    pool.cli_now("cancel", job);
    await page.close();
  });
}

// Once it is seen.
async function start(page: Page, kind: string): Promise<string> {
  const program = kind === "rays" ? ["rays.py", kSize] : ["app.py", kind, kSize];
  const gpus = kind === "rays" ? kGpus! : "0";
  const job = JSON.parse(pool.cli_now("run", "--window", "--detach", "--json", "--gpu", gpus, "--input", join(programs, program[0]!), "--", "python3", ...program)) as { job_id: string };
  await page.goto(`${pool.origin}/#/screen/${job.job_id}`);
  await page.waitForFunction(() => (window as unknown as { bench: { drawn: number } }).bench.drawn > 3, undefined, { timeout: 60_000 });
  return job.job_id;
}

function spread(times: number[]) {
  const sorted = [...times].sort((a, b) => a - b);
  const percentile = (part: number) => Number(sorted[Math.min(sorted.length - 1, Math.floor(part * sorted.length))]!.toFixed(1));
  return { median_ms: percentile(0.5), p95_ms: percentile(0.95), max_ms: percentile(1) };
}

function drawn(page: Page): Promise<number> {
  return page.evaluate(() => (window as unknown as { bench: { drawn: number } }).bench.drawn);
}
