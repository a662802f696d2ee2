// What the browser's suites have in common: a pool and a browser for all tests of a file, and apps that are seen there.
import { existsSync, mkdirSync } from "node:fs";
import { dirname, join } from "node:path";
import { after, before } from "node:test";
import type { Browser, Locator } from "playwright-core";
import { launch } from "../../web/test/browser";
import { Pool, until } from "./pool";

export const screenshots = process.env.HEARTH_SCREENSHOTS!;
const programs = dirname(process.env.HEARTH_PROGRAM!);

// From before the first test of the file until after the last; `set` is given the browser.
export function raise_pool(set: (browser: Browser) => void, start = launch): Pool {
  const pool = new Pool();
  let browser: Browser | undefined;
  before(async () => {
    pool.up();
    mkdirSync(screenshots, { recursive: true });
    set((browser = await start()));
  });
  after(async () => {
    await browser?.close();
    pool.close();
  });
  return pool;
}

// Why apps cannot be seen here; false: they can.
export const lacks_screen = (!existsSync(join(programs, "hearth-screen")) || !existsSync("/usr/bin/Xvfb") || !existsSync("/usr/bin/xterm")) && "hearth-screen was not built, or Xvfb or xterm is missing";
export const lacks_media = lacks_screen || ((!existsSync(join(programs, "hearth-media")) || !existsSync("/usr/bin/pulseaudio")) && "hearth-media was not built, or pulseaudio is missing");

// Blue, until somebody types a line; red then.
export const kColours = "printf '\\033[44m\\033[2J'; read line; printf '\\033[41m\\033[2J'; sleep 1000";

export function add_colours(pool: Pool, name: string): void {
  pool.cli_now("app", "add", name, "--", "xterm", "-b", "0", "-e", "sh", "-c", kColours);
}

// Of a point, if not told otherwise one where the terminal was before it filled the page; each part as 0 or f.
export function colour_of(picture: Locator, x = 100, y = 100): Promise<string> {
  const read = (canvas: HTMLCanvasElement, [left, top]: [number, number]) => {
    const pixel = canvas.getContext("2d")!.getImageData(left, top, 1, 1).data;
    return Array.from(pixel.slice(0, 3), (part) => (part > 100 ? "f" : "0")).join("");
  };
  return picture.evaluate(read, [x, y] as [number, number]);
}

export function becomes(picture: Locator, wanted: string, x?: number, y?: number): Promise<boolean> {
  return until(60_000, async () => (await colour_of(picture, x, y)) === wanted || undefined);
}
