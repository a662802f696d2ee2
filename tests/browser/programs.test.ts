// Programs with windows at a phone's size: a 3D one, and such as the person has just written on the phone.
import assert from "node:assert/strict";
import { existsSync } from "node:fs";
import { join } from "node:path";
import { before, test } from "node:test";
import type { Browser, Page } from "playwright-core";
import { phone } from "../../web/test/browser";
import { pair } from "../harness/device";
import { until } from "../harness/pool";
import { lacks_screen, raise_pool, screenshots } from "../harness/stage";

let browser: Browser;
const pool = raise_pool((it) => (browser = it));

const lacks = (file: string, ...packages: string[]) => lacks_screen || (!existsSync(file) && `it needs ${packages.join(" and ")}`);

// How many of the picture's pixels are red, green and blue; and a number of them all, to tell pictures apart.
function look(page: Page): Promise<{ red: number; green: number; blue: number; all: number[] }> {
  return page.locator("canvas").first().evaluate((canvas: HTMLCanvasElement) => {
    const pixels = canvas.getContext("2d")!.getImageData(0, 0, canvas.width, canvas.height).data;
    const seen = { red: 0, green: 0, blue: 0, all: [] as number[] };
    for (let at = 0; at < pixels.length; at += 4) {
      const [red, green, blue] = [pixels[at]!, pixels[at + 1]!, pixels[at + 2]!];
      if (red > 100 && green < 80 && blue < 80) seen.red++;
      if (green > 80 && red < 60 && blue < 90) seen.green++;
      if (blue > 100 && red < 80 && green < 80) seen.blue++;
      if (at % 404 === 0) seen.all.push(red + green + blue);
    }
    return seen;
  });
}

async function changed(page: Page, milliseconds: number): Promise<number> {
  const before = (await look(page)).all;
  await page.waitForTimeout(milliseconds);
  const then = (await look(page)).all;
  return then.filter((value, at) => Math.abs(value - before[at]!) > 60).length;
}

test("a 3D program turns on the phone, and answers its keys", { timeout: 300_000, skip: lacks("/usr/bin/glxgears", "mesa-utils") }, async () => {
  pool.cli_now("app", "add", "Gears", "--", "glxgears");
  const context = await phone(browser);
  const page = await pair(pool, context, "gamer");
  await page.getByRole("button", { name: "Gears" }).click();
  await page.locator("canvas").first().waitFor();
  await until(60_000, async () => {
    const seen = await look(page);
    return Math.min(seen.red, seen.green, seen.blue) > 500 ? true : undefined;
  });
  await until(60_000, async () => ((await changed(page, 200)) > 20 ? true : undefined));
  await page.screenshot({ path: join(screenshots, "program-gears.png") });
  const end = page.getByRole("button", { name: "End the app" });
  const box = (await end.boundingBox())!;
  assert.ok(box.x + box.width <= 390, `the last button ends at ${box.x + box.width} of 390 pixels`);

  await page.getByRole("button", { name: "Keyboard" }).click();
  await page.getByLabel("Text for the app").pressSequentially("a"); // they stand still
  await until(60_000, async () => ((await changed(page, 1_500)) === 0 ? true : undefined));
  const before = (await look(page)).all;
  await page.keyboard.press("ArrowLeft"); // and are looked at from another side
  await page.keyboard.press("ArrowUp");
  await until(60_000, async () => {
    const now = (await look(page)).all;
    return now.filter((value, at) => Math.abs(value - before[at]!) > 60).length > 20 ? true : undefined;
  });
  await end.click();
  await page.getByRole("dialog").getByRole("button", { name: "End the app" }).click();
  await page.getByRole("link", { name: "Done" }).click();
  pool.cli_now("app", "remove", "Gears");
  await context.close();
});

const kPygame = `import pygame
pygame.display.init()
window = pygame.display.set_mode((800, 500))
color = (0, 0, 255)
while True:
    window.fill(color)
    pygame.display.flip()
    if pygame.event.wait().type == pygame.MOUSEBUTTONDOWN:
        color = (255, 0, 0)
`;

const kXlib = `// link: -lX11
#include <X11/Xlib.h>

int main() {
  Display* display = XOpenDisplay(nullptr);
  Window window = XCreateSimpleWindow(display, DefaultRootWindow(display), 0, 0, 360, 500, 0, 0, 0x0000ff);
  XSelectInput(display, window, ButtonPressMask);
  XMapWindow(display, window);
  for (XEvent event; XNextEvent(display, &event) == 0;) {
    if (event.type != ButtonPress) continue;
    XSetWindowBackground(display, window, 0xff0000);
    XClearWindow(display, window);
  }
}
`;

// `least`: pixels of the window that are seen. Pygame's keeps its size, which is more than the phone shows of others.
for (const [language, file, source, least, skip] of [
  ["Python", "main.py", kPygame, 790 * 490, lacks("/usr/lib/python3/dist-packages/pygame", "python3-pygame")],
  ["C++", "main.cpp", kXlib, 20_000, lacks("/usr/include/X11/Xlib.h", "libx11-dev", "g++")],
] as const) {
  test(`a ${language} program that was written on the phone opens a window there, and is touched`, { timeout: 300_000, skip }, async () => {
    const context = await phone(browser);
    const page = await pair(pool, context, `writer of ${language}`);
    await page.goto(`${pool.origin}/#/run`);
    await page.getByLabel("Window", { exact: true }).check();
    await page.getByLabel(language, { exact: true }).check();
    await page.getByLabel(`Source of ${file}`).fill(source);
    await page.getByRole("button", { name: "Run it" }).tap();
    const picture = page.locator("canvas").first();
    await picture.waitFor();
    await until(120_000, async () => ((await look(page)).blue > least ? true : undefined));
    await page.screenshot({ path: join(screenshots, `program-${file}.png`) });
    await picture.tap();
    await until(60_000, async () => ((await look(page)).red > least ? true : undefined));
    await page.getByRole("button", { name: "End the app" }).click();
    await page.getByRole("dialog").getByRole("button", { name: "End the app" }).click();
    await page.getByRole("link", { name: "Done" }).waitFor();
    await context.close();
  });
}
