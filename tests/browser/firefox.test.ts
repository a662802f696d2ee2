// Debian's Firefox as the family's second browser: it comes in, and sees and uses an app.
import assert from "node:assert/strict";
import { existsSync, mkdirSync } from "node:fs";
import { dirname, join } from "node:path";
import { after, before, test } from "node:test";
import type { Browser, Locator } from "playwright-core";
import { kFirefox, launch_firefox } from "../../web/test/browser";
import { pair } from "../harness/device";
import { Pool, until } from "../harness/pool";

const pool = new Pool();
const screenshots = process.env.HEARTH_SCREENSHOTS!;
const has_all = existsSync(kFirefox) && existsSync(join(dirname(process.env.HEARTH_PROGRAM!), "hearth-screen")) && existsSync("/usr/bin/Xvfb") && existsSync("/usr/bin/xterm");
let browser: Browser | undefined;

before(async () => {
  pool.up();
  mkdirSync(screenshots, { recursive: true });
  if (has_all) browser = await launch_firefox();
});
after(async () => {
  await browser?.close();
  pool.close();
});

function becomes(picture: Locator, wanted: string): Promise<boolean> {
  return until(60_000, async () => {
    const colour = await picture.evaluate((canvas: HTMLCanvasElement) => {
      const pixel = canvas.getContext("2d")!.getImageData(100, 100, 1, 1).data;
      return Array.from(pixel.slice(0, 3), (part) => (part > 100 ? "f" : "0")).join("");
    });
    return colour === wanted ? true : undefined;
  });
}

test("Firefox comes in, starts an app, sees it and types into it", { timeout: 300_000, skip: !has_all && "Firefox, hearth-screen, Xvfb or xterm is missing" }, async () => {
  pool.cli_now("app", "add", "Colours", "--", "xterm", "-b", "0", "-e", "sh", "-c", "printf '\\033[44m\\033[2J'; read line; printf '\\033[41m\\033[2J'; sleep 1000");
  const context = await browser!.newContext({ viewport: { width: 390, height: 844 }, ignoreHTTPSErrors: true });
  const page = await pair(pool, context, "firefox");
  await page.screenshot({ path: join(screenshots, "firefox-home.png") });
  await page.getByRole("button", { name: "Colours" }).click();
  const picture = page.getByLabel("Colours, its picture");
  await becomes(picture, "00f");
  await page.getByRole("button", { name: "Numbers" }).click();
  const ways = page.getByLabel("Way", { exact: true });
  await ways.waitFor();
  // Of Cisco's plugin, which Firefox fetches itself where it may, there is none here.
  assert.equal(await ways.locator("option[value=direct]").isDisabled(), true);
  await page.screenshot({ path: join(screenshots, "firefox-app.png") });
  await page.getByRole("button", { name: "Keyboard" }).click();
  await page.getByLabel("Text for the app").pressSequentially("now");
  await page.getByRole("button", { name: "Enter", exact: true }).click();
  await becomes(picture, "f00");
  await page.getByRole("button", { name: "End the app" }).click();
  await page.getByRole("dialog").getByRole("button", { name: "End the app" }).click();
  await page.getByRole("link", { name: "Done" }).waitFor();
  pool.cli_now("app", "remove", "Colours");
  await context.close();
});
