// Two phones and one app: a friend watches it, gets the controller, uses it and loses it, as whose app it is says.
import assert from "node:assert/strict";
import { join } from "node:path";
import { before, test } from "node:test";
import type { Browser, BrowserContext, Page } from "playwright-core";
import { bytes_of, kMediaPort, kScreenPort } from "../../web/src/api/app_tunnel";
import { frame_of } from "../../web/src/lib/frames";
import { phone } from "../../web/test/browser";
import { pair } from "../harness/device";
import { until } from "../harness/pool";
import { add_colours, becomes, colour_of, lacks_screen, raise_pool, screenshots } from "../harness/stage";

let browser: Browser;
const pool = raise_pool((it) => (browser = it));

test("a friend watches an app, gets the controller, uses it and loses it", { timeout: 300_000, skip: lacks_screen }, async () => {
  add_colours(pool, "Colours");
  const ann = await pair(pool, await phone(browser), "ann");
  const mia = await pair(pool, await phone(browser, "dark"), "mia");
  await ann.getByRole("button", { name: "Colours" }).click();
  const picture = ann.getByLabel("Colours, its picture");
  await becomes(picture, "00f");
  assert.equal(await mia.getByRole("heading", { name: "Shared with you" }).count(), 0);

  await ann.getByRole("button", { name: "Who sees it" }).click();
  const sheet = ann.getByRole("dialog", { name: "Who sees it" });
  await sheet.getByRole("combobox", { name: "Somebody else" }).selectOption("mia");
  await ann.screenshot({ path: join(screenshots, "shared-choose.png") });
  await sheet.getByRole("button", { name: "Let watch" }).click();
  await sheet.getByRole("button", { name: "Stop sharing with mia" }).waitFor();

  // It is on her Home, one tap away; she sees it, and has nothing to use it by.
  await mia.getByRole("heading", { name: "Shared with you" }).waitFor();
  await mia.screenshot({ path: join(screenshots, "shared-home.png") });
  await mia.getByRole("region", { name: "Shared with you" }).getByRole("link", { name: "Colours" }).click();
  const seen = mia.getByLabel("Colours, its picture");
  await becomes(seen, "00f");
  await mia.getByText("You watch; ann has the controller").waitFor();
  for (const name of ["Keyboard", "More", "End the app"]) assert.equal(await mia.getByRole("button", { name, exact: true }).count(), 0, name);
  await seen.click();
  await mia.keyboard.type("not this\n");
  await mia.screenshot({ path: join(screenshots, "shared-watch.png") });

  await sheet.getByRole("list", { name: "Watching now" }).getByText("mia").waitFor();
  await ann.screenshot({ path: join(screenshots, "shared-sheet.png") });
  await sheet.getByRole("list", { name: "Shared with" }).getByRole("button", { name: "Pass the controller" }).click();
  await mia.getByText("You have the controller").waitFor();
  await ann.getByText("mia has the controller").waitFor();
  await becomes(seen, "00f"); // what she typed before was not heeded
  await mia.getByRole("button", { name: "Keyboard" }).click();
  await until(60_000, async () => {
    await mia.getByLabel("Text for the app").pressSequentially("now"); // her page may yet be coming back
    await mia.getByRole("button", { name: "Enter", exact: true }).click();
    return (await colour_of(seen)) === "f00" || undefined;
  });
  await becomes(picture, "f00");
  await mia.screenshot({ path: join(screenshots, "shared-control.png") });

  await ann.keyboard.press("Escape"); // the sheet
  await ann.screenshot({ path: join(screenshots, "shared-passed.png") });
  await ann.getByRole("button", { name: "Have it back" }).click();
  await mia.getByText("You watch; ann has the controller").waitFor();
  await ann.getByRole("button", { name: "Keyboard" }).waitFor();
  await becomes(picture, "f00");
  await ann.getByRole("button", { name: "Who sees it" }).click();
  await sheet.getByRole("button", { name: "Stop sharing with mia" }).click();
  await mia.getByText("It is not shared with you, or no more.").waitFor();
  assert.equal(await mia.getByRole("button", { name: "End the app" }).count(), 0);
  await mia.screenshot({ path: join(screenshots, "shared-over.png") });
  await mia.getByRole("link", { name: "Done" }).click();
  await mia.getByRole("heading", { level: 1 }).waitFor();
  assert.equal(await mia.getByRole("heading", { name: "Shared with you" }).count(), 0);
  await ann.keyboard.press("Escape");
  await ann.getByRole("button", { name: "End the app" }).click();
  await ann.getByRole("dialog", { name: "End this app?" }).getByRole("button", { name: "End the app" }).click();
  await ann.getByRole("link", { name: "Done" }).waitFor();
  pool.cli_now("app", "remove", "Colours");
  await ann.context().close();
  await mia.context().close();
});

// A page by WebRTC whose data channels a program of its device can use as it likes.
async function direct(context: BrowserContext): Promise<BrowserContext> {
  await context.addInitScript(() => {
    localStorage.setItem("hearth.screen.way", "direct");
    const make = RTCPeerConnection.prototype.createDataChannel;
    const open: RTCDataChannel[] = ((window as unknown as { open_channels: RTCDataChannel[] }).open_channels = []);
    RTCPeerConnection.prototype.createDataChannel = function (...all) {
      const channel = make.apply(this, all);
      open.push(channel);
      return channel;
    };
  });
  return context;
}

const is_direct = (page: Page) => until(60_000, async () => (await page.evaluate(() => (window as unknown as { open_channels: RTCDataChannel[] }).open_channels.some(({ readyState }) => readyState === "open"))) || undefined);

// Enter is pressed and let go by whatever a program on the page's device could say it to: streams of its own to each
// port of the app, and the data channel.
async function forge_enter(page: Page, job: string): Promise<void> {
  const inputs = [[0xff0d], []].map((keys, at) => bytes_of({ input: { number: 1_000_000 + at, x: -1, y: -1, keys } }));
  const spoken = { job, ports: [kScreenPort, kMediaPort], frames: inputs.map((input) => [...frame_of(input)]), messages: inputs.map((input) => [...input]) };
  const said = await page.evaluate(async ({ job, ports, frames, messages }) => {
    let said = 0;
    for (const port of ports) {
      const socket = new WebSocket(`/forward?job=${job}&task=0&port=${port}`, "hearth-tunnel.1");
      await new Promise<void>((resolve, reject) => {
        socket.onopen = () => resolve();
        socket.onerror = () => reject(new Error(`no stream to port ${port}`));
      });
      for (const frame of frames) socket.send(Uint8Array.from(frame));
      await new Promise((resolve) => setTimeout(resolve, 500));
      socket.close();
      said++;
    }
    for (const channel of (window as unknown as { open_channels: RTCDataChannel[] }).open_channels) {
      if (channel.readyState !== "open") continue;
      for (const message of messages) channel.send(Uint8Array.from(message));
      said++;
    }
    return said;
  }, spoken);
  assert.ok(said >= 3, `said by ${said} ways`);
}

test("what a watcher's device forges is not heeded, by whichever way", { timeout: 300_000, skip: lacks_screen }, async () => {
  add_colours(pool, "Forged");
  const ann = await pair(pool, await direct(await phone(browser)), "una");
  const mia = await pair(pool, await direct(await phone(browser)), "eve");
  await ann.getByRole("button", { name: "Forged" }).click();
  await becomes(ann.getByLabel("Forged, its picture"), "00f");
  const job = ann.url().split("/").pop()!;
  await ann.getByRole("button", { name: "Who sees it" }).click();
  const sheet = ann.getByRole("dialog", { name: "Who sees it" });
  await sheet.getByRole("combobox", { name: "Somebody else" }).selectOption("eve");
  await sheet.getByRole("button", { name: "Let watch" }).click();
  await mia.getByRole("region", { name: "Shared with you" }).getByRole("link", { name: "Forged" }).click();
  const seen = mia.getByLabel("Forged, its picture");
  await becomes(seen, "00f");
  await is_direct(mia);
  await forge_enter(mia, job);
  await mia.waitForTimeout(3_000);
  assert.equal(await colour_of(seen), "00f", "a watcher's Enter was heeded");
  await is_direct(ann);
  await forge_enter(ann, job); // the same of who has the controller is
  await becomes(seen, "f00");
  pool.cli_now("cancel", job);
  pool.cli_now("app", "remove", "Forged");
  await ann.context().close();
  await mia.context().close();
});

test("a guest of the pool is shown a shared terminal and nothing else", { timeout: 300_000 }, async () => {
  const tom = await pair(pool, await phone(browser), "tom");
  pool.cli_now("devices", "ring", "tom", "friend");
  const job = pool.cli_now("run", "--detach", "--terminal", "--name", "Shell", "--", "sh", "-c", "echo welcome; while read line; do echo \"got $line\"; done").trim();
  pool.cli_now("app", "share", job, "--with", "tom");
  await tom.getByRole("region", { name: "Shared with you" }).getByRole("link", { name: "Shell" }).tap();
  const text = tom.locator(".xterm-rows");
  await text.getByText("welcome").waitFor();
  await tom.getByText("You watch;").waitFor();
  assert.equal(await tom.getByRole("button", { name: "Enter", exact: true }).count(), 0);
  await tom.screenshot({ path: join(screenshots, "shared-terminal-watch.png") });
  pool.cli_now("app", "share", job, "--with", "tom", "--control");
  pool.cli_now("app", "pass", job, "tom");
  await tom.getByText("You have the controller").waitFor();
  await until(60_000, async () => {
    await tom.getByLabel("Terminal input").pressSequentially("hello"); // his page may yet be coming back
    await tom.getByRole("button", { name: "Enter", exact: true }).tap();
    return (await text.getByText("got hello").count()) > 0 || undefined;
  });
  await tom.screenshot({ path: join(screenshots, "shared-terminal-control.png") });
  await tom.getByRole("button", { name: "Give it back" }).tap();
  await tom.getByText("You watch;").waitFor();
  pool.cli_now("app", "unshare", job);
  await tom.getByText("It has ended, or is shared with you no more.").waitFor();
  pool.cli_now("cancel", job);
  await tom.context().close();
});
