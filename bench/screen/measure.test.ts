// How long from a key on the page to the changed pixel in the picture that the page has decoded, with an app that stands
// still and one that moves 60 times a second, at 1280x720 (BENCH_SIZE says otherwise); and what that costs. How long from the tap on an app to its
// first picture; and for how long the picture stands still where the link's rate falls (falling.sh). Debian's Chromium, hub, node and app on this machine. Prints one line of JSON for each; README.md says
// how to run it.
import assert from "node:assert/strict";
import { execSync } from "node:child_process";
import { after, before, test } from "node:test";
import type { Browser } from "playwright-core";
import { launch } from "../../web/test/browser";
import { Pool } from "../../tests/harness/pool";
import { cpu_of, drawn, kPresses, kSize, pair, press, spread, start } from "./watching";

const kStarts = 10;
const kFall = process.env.BENCH_FALL; // what lets the rate fall; nothing else is measured then
const kGpus = process.env.BENCH_GPUS; // lent to a 3D program ("0": it is drawn by the processor), which is measured then, too
const pool = new Pool(process.env.BENCH_ADDRESS);
let browser: Browser;

before(async () => {
  pool.up();
  browser = await launch();
});
after(async () => {
  await browser?.close();
  pool.close();
});

const parts = { pictures: "--serve", direct: "/hearth-media", server: "Xvfb\0", node: `daemon\0node\0--home\0${pool.home}`, hub: `daemon\0hub\0--home\0${pool.home}` };

for (const [way, kind] of ["hub", "direct"].flatMap((way) => ["still", "moving", ...(kGpus === undefined ? [] : ["rays"])].map((kind) => [way, kind] as const))) {
  test(`${way}, ${kind}`, { timeout: 300_000, skip: kFall !== undefined }, async () => {
    const page = await pair(pool, browser, way);
    const job = await (kind === "rays" ? start(pool, page, ["rays.py", kSize], kGpus) : start(pool, page, ["app.py", kind, kSize]));
    await page.waitForTimeout(3000);
    await page.evaluate(() => void (window.bench.gap = 0));
    const before = { at: performance.now(), drawn: await drawn(page), cpu: Object.values(parts).map(cpu_of) };
    await page.waitForTimeout(5000);
    const seconds = (performance.now() - before.at) / 1000;
    const pictures = ((await drawn(page)) - before.drawn) / seconds;
    const gap = Math.round(await page.evaluate(() => window.bench.gap));
    const cpu = Object.fromEntries(Object.entries(parts).map(([name, word], at) => [name, Number(((100 * (cpu_of(word) - before.cpu[at]!)) / seconds).toFixed(1))]));
    const times = await press(page, kPresses);
    const said = kind === "rays" ? { program: pool.cli_now("logs", job).trim().split("\n").slice(0, 2).join(", ") } : {};
    console.log(JSON.stringify({ way, kind, size: kSize, presses: times.length, ...spread(times), pictures_per_s: Number(pictures.toFixed(1)), longest_gap_ms: gap, cpu_percent_of_a_core: cpu, ...said }));
    assert.equal(times.length, kPresses);
    pool.cli_now("cancel", job);
    await page.close();
  });
}

for (const way of ["hub", "direct"]) {
  test(`${way}, from a tap to the first picture`, { timeout: 300_000, skip: kFall !== undefined }, async () => {
    pool.cli_now("app", "add", "Bench", "--", "xterm", "-e", "sleep", "1000");
    const page = await pair(pool, browser, way);
    const times: number[] = [];
    for (let start = 0; start < kStarts; start++) {
      await page.goto(`${pool.origin}/#/`);
      await page.getByRole("button", { name: "Bench" }).waitFor();
      await page.waitForTimeout(1000);
      times.push(await page.evaluate(() => new Promise<number>((resolve) => {
        const begun = performance.now();
        window.bench.first = (at) => resolve(at - begun);
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
    const page = await pair(pool, browser, way);
    const job = await start(pool, page, ["app.py", "moving", kSize]);
    await page.waitForTimeout(15_000);
    const before = await drawn(page);
    await page.waitForTimeout(5_000);
    const then = await drawn(page);
    await page.evaluate(() => void (window.bench.gap = 0));
    execSync(kFall!);
    await page.waitForTimeout(10_000);
    const between = await drawn(page);
    await page.waitForTimeout(5_000);
    const gap = await page.evaluate(() => window.bench.gap);
    console.log(JSON.stringify({ way, kind: "the rate falls", stood_still_ms: Number(gap.toFixed(1)), pictures_per_s: { before: (then - before) / 5, after_ten_seconds: ((await drawn(page)) - between) / 5 } }));
    assert.ok(gap > 0);
    execSync(process.env.BENCH_RISE!);
    pool.cli_now("cancel", job);
    await page.close();
  });
}
