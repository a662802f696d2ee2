// A text program in Debian's Chromium at a phone's size against a real pool: started, used, left, found again and ended.
import assert from "node:assert/strict";
import { join } from "node:path";
import { test } from "node:test";
import type { Browser } from "playwright-core";
import { phone } from "../../web/test/browser";
import { pair } from "../harness/device";
import { until } from "../harness/pool";
import { raise_pool, screenshots } from "../harness/stage";

let browser: Browser;
const pool = raise_pool((it) => (browser = it));

test("a text program is started by a tap, used, left and found again", { timeout: 300_000 }, async () => {
  pool.cli_now("app", "add", "--terminal", "Shell", "--", "bash", "--norc");
  const context = await phone(browser);
  await context.grantPermissions(["clipboard-read", "clipboard-write"]);
  const page = await pair(pool, context, "typist");
  await page.getByRole("button", { name: "Shell" }).tap();
  const text = page.locator(".xterm-rows");
  const keyboard = page.getByLabel("Terminal input");
  await text.getByText("$").first().waitFor();
  await keyboard.pressSequentially("echo $((6 * 7))");
  await page.getByRole("button", { name: "Enter", exact: true }).tap();
  await text.getByText("42", { exact: true }).waitFor();
  await keyboard.pressSequentially("sleep 1000");
  await page.getByRole("button", { name: "Enter", exact: true }).tap();
  await page.getByRole("button", { name: "Ctrl", exact: true }).tap();
  await keyboard.pressSequentially("c"); // ends it
  await text.getByText("^C").waitFor();
  await keyboard.pressSequentially("stty size");
  await page.getByRole("button", { name: "Enter", exact: true }).tap();
  const size = () => text.evaluate((rows) => Array.from(rows.children, (row) => row.textContent!.trim()).filter((row) => /^\d+ \d+$/.test(row)).pop());
  const upright = await until(60_000, size);
  assert.match(upright, /^[3-6]\d [3-7]\d$/);
  await page.screenshot({ path: join(screenshots, "terminal.png") });

  // Turned round: the terminal follows.
  await page.setViewportSize({ width: 844, height: 390 });
  await until(60_000, async () => {
    await keyboard.pressSequentially("stty size");
    await page.getByRole("button", { name: "Enter", exact: true }).tap();
    return (await size()) !== upright || undefined;
  });
  await page.screenshot({ path: join(screenshots, "terminal-wide.png") });
  await page.setViewportSize({ width: 390, height: 844 });

  // A finger moves through the past; what is seen goes out, what was copied comes in.
  await keyboard.pressSequentially("seq 300");
  await page.getByRole("button", { name: "Enter", exact: true }).tap();
  await text.getByText("300", { exact: true }).waitFor();
  const finger = await context.newCDPSession(page);
  const touch = (type: string, y?: number) => finger.send("Input.dispatchTouchEvent", { type: type as "touchStart", touchPoints: y === undefined ? [] : [{ x: 150, y }] });
  const flick = async () => {
    await touch("touchStart", 200);
    for (let y = 220; y <= 560; y += 20) await touch("touchMove", y);
    await touch("touchEnd");
  };
  await flick();
  await text.getByText("300", { exact: true }).waitFor({ state: "detached" });
  await page.getByRole("button", { name: "Copy" }).tap();
  await page.getByText("What is seen is copied.").waitFor();
  assert.match(await page.evaluate(() => navigator.clipboard.readText()), /^\d+(\n\d+)+$/);
  await page.evaluate(() => navigator.clipboard.writeText("echo pa''sted"));
  await flick(); // what is typed or pasted stops it, or its own line would glide out of sight
  await page.getByRole("button", { name: "Paste" }).tap();
  await text.getByText("pa''sted").waitFor();
  await page.getByRole("button", { name: "Enter", exact: true }).tap();
  await text.getByText("pasted", { exact: true }).waitFor();
  await page.reload(); // and once more from nothing
  await text.getByText("pasted", { exact: true }).waitFor();
  await keyboard.pressSequentially("exit 3");
  await page.getByRole("button", { name: "Enter", exact: true }).tap();
  await page.getByText("The program has ended with code 3.").waitFor();
  await page.screenshot({ path: join(screenshots, "terminal-end.png") });
  await page.getByRole("link", { name: "Done" }).tap();
  await page.getByRole("heading", { level: 1 }).waitFor();
  pool.cli_now("app", "remove", "Shell");
  await context.close();
});
