// How many bits a second pictures take, and how like the true ones they are then (ssim.ts), through Hearth and through the
// other programs (peers.ts) that are installed, in turn: the same app, whose pictures are numbered (app.py), the same
// browser. Prints a line of JSON for each setting, then by how many times the bits of TigerVNC in noVNC exceed Hearth's at
// the same SSIM; README.md says how to run it.
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { existsSync, mkdtempSync, openSync, readFileSync, readSync, closeSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { deflateSync } from "node:zlib";
import type { Browser, Page } from "playwright-core";
import { Pool, until } from "../../tests/harness/pool";
import { launch } from "../../web/test/browser";
import { frame_of } from "../../web/src/lib/frames";
import { lacks, Started } from "./peers";
import { ours, theirs, type Side } from "./sides";
import { ssim } from "./ssim";
import { kHeight, kSize, kWidth, programs, type Sample } from "./watching";

const kSamples = Number(process.env.BENCH_SAMPLES ?? 8); // of each setting
const kBetween = 400; // ms
const kFilm = 30; // pictures
const kFilmed = (process.env.BENCH_FILM ?? `glxgears -geometry ${kWidth}x${kHeight}+0+0`).split(" ");
const kFilmAfter = Number(process.env.BENCH_FILM_AFTER ?? 3) * 1000; // ms after its start
const lacks_film = !existsSync(join("/usr/bin", kFilmed[0]!)) && !existsSync(kFilmed[0]!) && `${kFilmed[0]} is not installed`;
const root = mkdtempSync(join(tmpdir(), "hearth-quality-"));
const film = join(root, "film");
const kinds: Record<string, string[]> = { moving: ["moving", kSize], text: ["text", `${kWidth}x${kHeight}@20`], film: ["film", kSize, film] };
const pool = new Pool();
let browser: Browser;

before(async () => {
  pool.up();
  browser = await launch();
  if (lacks_film === false) await record();
});
after(async () => {
  await browser?.close();
  pool.close();
  rmSync(root, { recursive: true, force: true });
});

// A display without anything to show it, for as long as `use` takes.
async function with_display<T>(use: (display: string) => Promise<T>): Promise<T> {
  const server = new Started(["Xvfb", "-displayfd", "3", "-screen", "0", `${kWidth}x${kHeight}x24`, "-fbdir", root, "-nolisten", "tcp"], {});
  try {
    return await use(await server.display());
  } finally {
    await server.stop();
  }
}

// What a program draws, no more than 60 pictures a second, into `film`.
async function record(): Promise<void> {
  const pictures = await with_display(async (display) => {
    const program = new Started(kFilmed, { DISPLAY: display });
    const file = openSync(join(root, "Xvfb_screen0"), "r"); // in the format of xwd, with its colours before the pixels
    const head = Buffer.alloc(100);
    readSync(file, head, 0, 100, 0);
    const begin = head.readUInt32BE(0) + 12 * head.readUInt32BE(76);
    await new Promise((resolve) => setTimeout(resolve, kFilmAfter));
    const found: Buffer[] = [];
    await until(60_000, () => {
      const picture = Buffer.alloc(4 * kWidth * kHeight);
      readSync(file, picture, 0, picture.length, begin);
      if (!found.at(-1)?.equals(picture)) found.push(picture);
      return found.length === kFilm || undefined;
    });
    closeSync(file);
    await program.stop();
    return found;
  });
  writeFileSync(film, deflateSync(Buffer.concat(pictures), { level: 1 }));
}

interface Setting {
  name: string;
  set: (page: Page) => Promise<unknown>;
  settle: number; // ms
}

const as_it_is: Setting = { name: "as it is", set: () => Promise.resolve(), settle: 8000 };

// What the viewer's link takes, as FromViewer.kbits of screen.proto: the field 9, a number.
function with_rate(kbits: number): Setting {
  const bytes = [0x48];
  for (let rest = kbits; rest > 0; rest >>= 7) bytes.push((rest & 0x7f) | (rest > 0x7f ? 0x80 : 0));
  const frame = [...frame_of(Uint8Array.from(bytes))];
  return { name: `${kbits} kbit/s`, set: (page) => page.evaluate((message) => window.bench.sockets.forEach((socket) => socket.readyState === WebSocket.OPEN && socket.send(Uint8Array.from(message))), frame), settle: 2000 };
}

function with_levels(quality: number, compression: number): Setting {
  return {
    name: `quality ${quality}, compression ${compression}`,
    set: (page) => page.evaluate(([quality, compression]) => Object.assign((window as unknown as { rfb: object }).rfb, { qualityLevel: quality, compressionLevel: compression }), [quality, compression]),
    settle: 1500,
  };
}

const settings: Record<string, Setting[]> = {
  "hearth, hub": [as_it_is, with_rate(6000), with_rate(3000), with_rate(1500)],
  "hearth, WebRTC": [as_it_is],
  tigervnc: [...[9, 8, 7, 6, 4, 2, 0].map((quality) => with_levels(quality, 2)), with_levels(6, 9)],
  xpra: [as_it_is],
};

interface Taken {
  name: string;
  setting: string;
  bits_per_s: number;
  pictures_per_s: number;
  torn: number;
  samples: Sample[];
}

async function take(name: string, side: Side, setting: Setting): Promise<Taken> {
  await setting.set(side.page);
  await side.page.waitForTimeout(setting.settle);
  const [bytes, at] = [await side.sent(), performance.now()];
  await side.page.evaluate(() => Object.assign(window.bench, { counts: true, changes: 0, torn: 0 }));
  const samples: Sample[] = [];
  while (samples.length < kSamples) {
    await side.page.waitForTimeout(kBetween);
    samples.push(await side.page.evaluate(() => new Promise<Sample>((resolve) => void (window.bench.sample = resolve))));
  }
  const { changes, torn } = await side.page.evaluate(() => Object.assign(window.bench, { counts: false }));
  const seconds = (performance.now() - at) / 1000;
  return { name, setting: setting.name, bits_per_s: ((await side.sent()) - bytes) * 8 / seconds, pictures_per_s: changes / seconds, torn, samples };
}

// The luma of an app's true pictures, by their number.
async function truth(app: string[], numbers: number[]): Promise<Map<number, Uint8Array>> {
  const wanted = [...new Set(numbers)].sort((a, b) => a - b);
  const pixels = await with_display((display) => Promise.resolve(execFileSync("python3", [join(programs, "app.py"), ...app, "--pictures", wanted.join(",")], { env: { ...process.env, DISPLAY: display }, maxBuffer: 2 ** 31 })));
  assert.equal(pixels.length, 4 * kWidth * kHeight * wanted.length);
  return new Map(wanted.map((number, index) => {
    const picture = pixels.subarray(index * 4 * kWidth * kHeight, (index + 1) * 4 * kWidth * kHeight);
    return [number, Uint8Array.from({ length: kWidth * kHeight }, (_, at) => Math.round(0.299 * picture[4 * at + 2]! + 0.587 * picture[4 * at + 1]! + 0.114 * picture[4 * at]!))];
  }));
}

interface Point {
  ssim: number;
  bits: number;
}

// What a curve takes at an SSIM, between the two points about it on a scale of logarithms; undefined: it has no such.
function bits_at(curve: Point[], wanted: number): number | undefined {
  const sorted = [...curve].sort((a, b) => a.ssim - b.ssim);
  const above = sorted.findIndex((point) => point.ssim >= wanted);
  if (above <= 0) return undefined;
  const [low, high] = [sorted[above - 1]!, sorted[above]!];
  const part = (wanted - low.ssim) / (high.ssim - low.ssim);
  return Math.exp(Math.log(low.bits) * (1 - part) + Math.log(high.bits) * part);
}

const taken: Record<string, Taken[]> = {};
for (const [kind, app] of Object.entries(kinds)) {
  test(`${kind}: pictures are taken`, { timeout: 600_000 }, async (context) => {
    if (kind === "film" && lacks_film !== false) return context.skip(lacks_film);
    taken[kind] = [];
    for (const [name, ways] of Object.entries(settings)) {
      const is_ours = name.startsWith("hearth");
      const missing = !is_ours && lacks(name);
      if (missing !== false) {
        context.diagnostic(`SKIPPED ${name}: ${missing}`);
        continue;
      }
      const side = is_ours ? await ours(pool, browser, name.endsWith("hub") ? "hub" : "direct", app) : await theirs(browser, name, app);
      try {
        for (const setting of ways) taken[kind].push(await take(name, side, setting));
      } finally {
        await side.stop();
      }
    }
  });
}

test("how like the true ones they are", { timeout: 1_200_000 }, async () => {
  for (const [kind, all] of Object.entries(taken)) {
    const true_ones = await truth(kinds[kind]!, all.flatMap(({ samples }) => samples.map(({ number }) => number)));
    const points = all.map(({ name, setting, bits_per_s, pictures_per_s, torn, samples }) => {
      const alike = samples.map(({ number, luma }) => ssim(Buffer.from(luma, "base64"), true_ones.get(number)!, kWidth, kHeight));
      const mean = alike.reduce((sum, value) => sum + value, 0) / alike.length;
      console.log(JSON.stringify({ kind, name, setting, ssim: Number(mean.toFixed(4)), least: Number(Math.min(...alike).toFixed(4)), mbit_per_s: Number((bits_per_s / 1e6).toFixed(2)), pictures_per_s: Number(pictures_per_s.toFixed(1)), kbit_per_picture: Number((bits_per_s / pictures_per_s / 1000).toFixed(1)), torn }));
      return { name, setting, ssim: mean, bits: bits_per_s, each: bits_per_s / pictures_per_s };
    });
    const vnc = points.filter(({ name }) => name === "tigervnc");
    if (vnc.length === 0) continue;
    for (const point of points.filter(({ name }) => name.startsWith("hearth"))) {
      const times = (theirs: number | undefined, own: number) => (theirs === undefined || !Number.isFinite(theirs) ? null : Number((theirs / own).toFixed(2)));
      const as_good = Math.min(...vnc.filter((one) => one.ssim >= point.ssim).map(({ bits }) => bits));
      const at_equal = bits_at(vnc, point.ssim);
      const each = bits_at(vnc.map((one) => ({ ssim: one.ssim, bits: one.each })), point.ssim);
      console.log(JSON.stringify({ kind, name: point.name, setting: point.setting, at_ssim: Number(point.ssim.toFixed(4)), vnc_takes_times: times(at_equal, point.bits), for_each_picture: times(each, point.each), its_cheapest_as_good: times(as_good, point.bits) }));
    }
  }
});

test("SSIM of what it is known for", () => {
  const [grey, other] = [new Uint8Array(400).fill(100), new Uint8Array(400).fill(150)];
  const noise = Uint8Array.from(grey, (_, at) => (at * 7919) % 256);
  assert.ok(Math.abs(ssim(noise, noise, 20, 20) - 1) < 1e-9);
  assert.ok(Math.abs(ssim(grey, other, 20, 20) - (2 * 100 * 150 + 6.5025) / (100 ** 2 + 150 ** 2 + 6.5025)) < 1e-9);
  assert.ok(ssim(grey, noise, 20, 20) < 0.1);
});
