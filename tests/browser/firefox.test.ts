// Debian's Firefox as the family's second browser: it comes in, and sees and uses an app, which by WebRTC is
// in VP8, since it has no H.264 there.
import { existsSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import type { Browser } from "playwright-core";
import { kFirefox, launch, launch_firefox } from "../../web/test/browser";
import { pair } from "../harness/device";
import { add_colours, becomes, lacks_media, raise_pool, screenshots } from "../harness/stage";

const lacks = lacks_media || (!existsSync(kFirefox) && "firefox-esr is missing");
let browser: Browser;
const pool = raise_pool((it) => (browser = it), lacks ? launch : launch_firefox);

test("Firefox comes in, starts an app, sees it through the hub and by WebRTC, and types into it", { timeout: 300_000, skip: lacks }, async () => {
  add_colours(pool, "Colours");
  const context = await browser.newContext({ viewport: { width: 390, height: 844 }, ignoreHTTPSErrors: true });
  const page = await pair(pool, context, "firefox");
  await page.screenshot({ path: join(screenshots, "firefox-home.png") });
  await page.getByRole("button", { name: "Colours" }).click();
  const picture = page.getByLabel("Colours, its picture");
  await becomes(picture, "00f");
  await page.getByRole("button", { name: "Numbers" }).click();
  const numbers = page.locator("dl");
  await numbers.getByText("H.264").waitFor();
  // By WebRTC in VP8: of Cisco's plugin for H.264, which Firefox fetches itself where it may, there is none here.
  await page.getByLabel("Way", { exact: true }).selectOption("direct");
  await numbers.getByText("VP8").waitFor();
  await becomes(picture, "00f");
  await page.screenshot({ path: join(screenshots, "firefox-app.png") });
  await page.getByRole("button", { name: "Keyboard" }).click();
  await page.getByLabel("Text for the app").pressSequentially("now");
  await page.getByRole("button", { name: "Enter", exact: true }).click();
  await becomes(picture, "f00");
  await numbers.getByText("VP8").waitFor();
  await page.getByRole("button", { name: "End the app" }).click();
  await page.getByRole("dialog").getByRole("button", { name: "End the app" }).click();
  await page.getByRole("link", { name: "Done" }).waitFor();
  pool.cli_now("app", "remove", "Colours");
  await context.close();
});
