// A browser as a device of a pool.
import assert from "node:assert/strict";
import { join } from "node:path";
import type { BrowserContext, Page } from "playwright-core";
import { until, type Pool } from "./pool";

export interface Devices {
  devices: { name: string; online: boolean }[];
  pending: { name: string; digits: string }[];
}

export async function open(context: BrowserContext, url: string): Promise<Page> {
  const page = await context.newPage();
  page.setDefaultTimeout(60_000);
  page.on("pageerror", (error) => {
    if (/^Firefox can.t establish a connection/.test(error.message)) return; // a note of its own: the page tries again
    assert.fail(`the page threw: ${error.stack ?? error.message}`);
  });
  page.on("console", (message) => assert.ok(!/Content Security Policy/.test(message.text()), message.text()));
  await page.goto(url);
  return page;
}

// Opens an invitation's link and lets the device in on the command line, once both sides show the same digits. `origin`:
// where the device reaches the pool, if not at the pool's own.
export async function pair(pool: Pool, context: BrowserContext, name: string, role = "member", screenshots?: string, origin = pool.origin): Promise<Page> {
  const { links } = pool.json<{ links: string[] }>("invite", "--no-wait", "--role", role);
  const page = await open(context, links[0]!.replace(pool.origin, origin));
  await page.getByLabel("Name of this device").fill(name);
  await page.getByRole("button", { name: "Pair this device" }).click();
  const { digits } = await until(60_000, () => pool.json<Devices>("devices").pending.find((pending) => pending.name === name));
  await page.getByLabel(`Six digits: ${digits.split("").join(" ")}`).waitFor();
  if (screenshots !== undefined) await page.screenshot({ path: join(screenshots, `pair-${name}.png`) });
  pool.cli_now("devices", "allow", digits);
  await page.getByRole("navigation", { name: "Main" }).waitFor();
  return page;
}

// Nothing of the page is wider than its screen.
export async function assert_fits(page: Page, name: string): Promise<void> {
  const wide = await page.evaluate(() => {
    const { scrollWidth, clientWidth } = document.documentElement; // not innerWidth: a phone zooms out until all is seen
    const past = Array.from(document.querySelectorAll("*")).filter((one) => one.getBoundingClientRect().right > clientWidth);
    return scrollWidth > clientWidth ? `${scrollWidth} > ${clientWidth}: ${past.map((one) => one.outerHTML.slice(0, 200)).join("\n")}` : "";
  });
  assert.equal(wide, "", `${name} scrolls sideways`);
}
