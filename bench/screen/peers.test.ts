// How long from a key on the page to the changed pixel in the picture there, and what is sent meanwhile, through Hearth
// and through the other programs (peers.ts) that are installed, in turn: the same app, the same browser, the same measure.
// Prints one line of JSON for each; README.md says how to run it.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import type { Browser } from "playwright-core";
import { Pool } from "../../tests/harness/pool";
import { launch } from "../../web/test/browser";
import { lacks, peers } from "./peers";
import { ours, theirs, type Side } from "./sides";
import { cpu_of, drawn, kPresses, kSize, press, spread } from "./watching";

const kRounds = Number(process.env.BENCH_ROUNDS ?? 2);
const pool = new Pool();
let browser: Browser;

before(async () => {
  pool.up();
  browser = await launch();
});
after(async () => {
  await browser?.close();
  pool.close();
});

async function measure(side: Side) {
  const now = async () => ({ at: performance.now(), bytes: await side.sent(), drawn: await drawn(side.page), cpu: side.words.reduce((sum, word) => sum + cpu_of(word), 0) });
  await side.page.waitForTimeout(2000);
  const before = await now();
  await side.page.waitForTimeout(3000);
  const after = await now();
  const seconds = (after.at - before.at) / 1000;
  const figure = (value: number) => Number((value / seconds).toFixed(2));
  return {
    figures: { mbit_per_s: figure((after.bytes - before.bytes) * 8e-6), drawn_per_s: figure(after.drawn - before.drawn), cpu_percent_of_a_core: figure(100 * (after.cpu - before.cpu)) },
    times: await press(side.page, Math.ceil(kPresses / kRounds)),
  };
}

for (const kind of ["still", "moving"]) {
  test(`${kind}, beside the others`, { timeout: 1_200_000 }, async (context) => {
    const sides: Record<string, () => Promise<Side>> = { "hearth, hub": () => ours(pool, browser, "hub", [kind, kSize]), "hearth, WebRTC": () => ours(pool, browser, "direct", [kind, kSize]) };
    for (const name of peers) {
      const missing = lacks(name);
      if (missing === false) sides[name] = () => theirs(browser, name, [kind, kSize]);
      else context.diagnostic(`SKIPPED ${name}: ${missing}`);
    }
    const found: Record<string, { times: number[]; rounds: object[] }> = {};
    for (let round = 0; round < kRounds; round++) {
      for (const [name, open] of Object.entries(sides)) {
        const side = await open();
        try {
          const { times, figures } = await measure(side);
          (found[name] ??= { times: [], rounds: [] }).times.push(...times);
          found[name].rounds.push(figures);
        } finally {
          await side.stop();
        }
      }
    }
    for (const [name, { times, rounds }] of Object.entries(found)) {
      console.log(JSON.stringify({ name, kind, size: kSize, presses: times.length, ...spread(times), rounds }));
      assert.ok(times.length >= kPresses);
    }
  });
}
