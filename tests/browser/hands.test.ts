// An app used from a phone's and a PC's page with more than taps and keys: clipboard, files, trackpad, game controls.
import assert from "node:assert/strict";
import { existsSync } from "node:fs";
import { join } from "node:path";
import { after, before, test as test_of_node } from "node:test";
import type { Browser, BrowserContext, Page } from "playwright-core";
import { desktop, phone } from "../../web/test/browser";
import { pair } from "../harness/device";
import { until } from "../harness/pool";
import { becomes, lacks_screen, raise_pool, screenshots } from "../harness/stage";

const options = { timeout: 300_000, skip: lacks_screen };
const lacks_pygame = !existsSync("/usr/lib/python3/dist-packages/pygame") && "python3-pygame is missing";
let browser: Browser;
const pool = raise_pool((it) => (browser = it));

// An xterm that pastes by Ctrl+V and lets its program copy. `script`: after the window has become blue.
function add_app(name: string, script: string): void {
  const keys = "XTerm*VT100.translations: #override Ctrl<Key>v: insert-selection(CLIPBOARD)";
  pool.cli_now("app", "add", name, "--", "xterm", "-u8", "-b", "0", "-xrm", keys, "-xrm", "XTerm*allowWindowOps: true", "-e", "sh", "-c", `printf '\\033[44m\\033[2J'; ${script}; sleep 1000`);
}

// `x`, `y`: within its window.
async function start(context: BrowserContext, device: string, app: string, x?: number, y?: number): Promise<Page> {
  await context.grantPermissions(["clipboard-read", "clipboard-write"]);
  const page = await pair(pool, context, device);
  await page.getByRole("button", { name: app }).click();
  await becomes(page.getByLabel(`${app}, its picture`), "00f", x, y);
  return page;
}

async function end(page: Page, app: string): Promise<void> {
  await page.getByRole("button", { name: "End the app" }).click();
  await page.getByRole("dialog").getByRole("button", { name: "End the app" }).click();
  await page.getByRole("link", { name: "Done" }).click();
  pool.cli_now("app", "remove", app);
}

const kRed = "printf '\\033[41m\\033[2J'";
const kGreen = "printf '\\033[42m\\033[2J'";
const kCopyLine = `read line; printf '\\033]52;c;%s\\a' "$(printf '%s, back' "$line" | base64 -w0)"`;

test_of_node("text and files go between a phone and an app when the person says so", options, async () => {
  add_app("Exchange", `${kCopyLine}; until grep -q 'from the phone' note.txt 2>/dev/null; do sleep 0.1; done; ${kRed}`);
  const context = await phone(browser);
  const page = await start(context, "exchanger", "Exchange");
  await page.evaluate(() => navigator.clipboard.writeText("grüße 🔥\n"));
  await page.getByRole("button", { name: "More" }).click();
  await page.screenshot({ path: join(screenshots, "app-more.png") });
  await page.getByRole("button", { name: "Paste" }).click();
  await page.getByText("Copied in the app").waitFor();
  await page.screenshot({ path: join(screenshots, "app-copied.png") });
  assert.equal(await page.evaluate(() => navigator.clipboard.readText()), "grüße 🔥\n"); // nothing without a tap
  await page.getByRole("button", { name: "Copy here" }).click();
  await until(20_000, async () => ((await page.evaluate(() => navigator.clipboard.readText())) === "grüße 🔥, back" ? true : undefined));

  const note = { name: "note.txt", mimeType: "text/plain", buffer: Buffer.from("from the phone\n".repeat(50_000)) };
  await page.getByLabel("Files to add").setInputFiles([note]);
  await page.getByText("Saved as note.txt in the app's folder").waitFor();
  await becomes(page.getByLabel("Exchange, its picture"), "f00");
  await page.getByLabel("Files to add").setInputFiles([note]);
  await page.getByText("Saved as note (2).txt in the app's folder").waitFor();
  await page.screenshot({ path: join(screenshots, "app-files.png") });
  await end(page, "Exchange");
  await context.close();
});

test_of_node("a phone is a trackpad and has game controls", options, async () => {
  add_app("Game", `stty -icanon -echo; test "$(dd bs=1 count=1 2>/dev/null)" = ' ' && ${kRed}; test "$(dd bs=1 count=1 2>/dev/null)" = w && ${kGreen}`);
  const context = await phone(browser);
  const page = await start(context, "player", "Game");
  await page.getByRole("button", { name: "More" }).click();
  await page.getByRole("button", { name: "Trackpad" }).click();
  const mark = page.locator(".stage > img");
  const before = await mark.getAttribute("style");
  const session = await context.newCDPSession(page);
  const touch = (type: "touchStart" | "touchMove" | "touchEnd", x: number, y: number) => session.send("Input.dispatchTouchEvent", { type, touchPoints: type === "touchEnd" ? [] : [{ x, y }] });
  await touch("touchStart", 150, 300);
  for (const step of [10, 20, 30, 40]) await touch("touchMove", 150 - step, 300 - 2 * step);
  await touch("touchEnd", 0, 0);
  await until(20_000, async () => ((await mark.getAttribute("style")) !== before ? true : undefined));
  await page.screenshot({ path: join(screenshots, "app-trackpad.png") });
  await page.getByRole("button", { name: "More" }).click();
  await page.getByRole("button", { name: "Game controls" }).click();
  await page.getByRole("button", { name: "More" }).click();
  const controls = page.getByRole("group", { name: "Game controls" });
  await page.screenshot({ path: join(screenshots, "app-controls.png") });
  await controls.getByRole("button", { name: "Space" }).tap();
  await becomes(page.getByLabel("Game, its picture"), "f00");
  const stick = (await controls.getByLabel("Left stick: moves").boundingBox())!;
  await page.mouse.move(stick.x + stick.width / 2, stick.y + stick.height / 2);
  await page.mouse.down();
  await page.mouse.move(stick.x + stick.width / 2, stick.y + 2);
  await becomes(page.getByLabel("Game, its picture"), "0f0");
  await page.mouse.up();
  await page.getByRole("button", { name: "More" }).click();
  await page.getByRole("button", { name: "Set controls" }).click();
  await page.getByLabel("A, below").selectOption("Enter");
  await page.screenshot({ path: join(screenshots, "app-controls-set.png") });
  await page.getByRole("button", { name: "Done" }).click();
  await controls.getByRole("button", { name: "Enter" }).waitFor();
  await page.setViewportSize({ width: 844, height: 390 });
  await page.screenshot({ path: join(screenshots, "app-controls-wide.png") });
  await page.reload();
  await becomes(page.getByLabel("Game, its picture"), "0f0");
  await page.getByRole("button", { name: "More" }).click();
  await page.getByRole("button", { name: "Game controls" }).click();
  await controls.getByRole("button", { name: "Enter" }).waitFor(); // kept for this app
  await end(page, "Game");
  await context.close();
});

// It reads a gamepad: A makes it red, the left stick pushed to the right green, and then Start white. Each time it shakes.
const kReadsPad = `import pygame
pygame.init()
window = pygame.display.set_mode((700, 500))
pad = pygame.joystick.Joystick(0)
pad.init()
colour = (0, 0, 255)
while True:
    window.fill(colour)
    pygame.display.flip()
    event = pygame.event.wait(50)
    before = colour
    if event.type == pygame.JOYBUTTONDOWN and event.button == 0: colour = (255, 0, 0)
    if event.type == pygame.JOYAXISMOTION and event.axis == 0 and event.value > 0.9: colour = (0, 255, 0)
    if event.type == pygame.JOYBUTTONDOWN and event.button == 7: colour = (255, 255, 255)
    if colour != before: pad.rumble(0.5 if colour == (255, 0, 0) else 1.0 if colour == (0, 255, 0) else 0.8, 0.5, 700)
`;

// A browser whose phone can be felt to shake, and that a gamepad can be put into.
function with_gamepad(): void {
  const felt: number[] = [];
  const pads: unknown[] = [];
  Object.assign(window, { felt, pads });
  navigator.vibrate = (millis) => felt.push(Number(millis)) > 0;
  navigator.getGamepads = () => pads as Gamepad[];
}

test_of_node("a game that reads a gamepad gets one, from the glass and from the hand", { ...options, skip: lacks_screen || lacks_pygame }, async () => {
  pool.cli_now("app", "add", "Racer", "--", "/usr/bin/python3", "-c", `exec(${JSON.stringify(kReadsPad)})`);
  const context = await phone(browser);
  await context.addInitScript(with_gamepad);
  const middle = [350, 700] as const; // Pygame's window keeps its size
  const page = await start(context, "racer", "Racer", ...middle);
  const picture = page.getByLabel("Racer, its picture");
  await page.getByRole("button", { name: "More" }).click();
  await page.getByRole("button", { name: "Game controls" }).click();
  await page.getByRole("button", { name: "More" }).click();
  const controls = page.getByRole("group", { name: "Game controls" });
  await controls.getByRole("button", { name: "A", exact: true }).tap();
  await becomes(picture, "f00", ...middle);
  const felt = () => page.evaluate(() => (window as unknown as { felt: number[] }).felt);
  await until(20_000, async () => ((await felt()).some((millis) => millis > 300) ? true : undefined));
  const stick = (await controls.getByLabel("Left stick: moves").boundingBox())!;
  await page.mouse.move(stick.x + stick.width / 2, stick.y + stick.height / 2);
  await page.mouse.down();
  await page.mouse.move(stick.x + stick.width - 1, stick.y + stick.height / 2);
  await becomes(picture, "0f0", ...middle);
  await page.mouse.up();
  await page.screenshot({ path: join(screenshots, "app-gamepad.png") });
  await page.setViewportSize({ width: 844, height: 390 });
  await page.screenshot({ path: join(screenshots, "app-gamepad-wide.png") });
  await page.setViewportSize({ width: 390, height: 844 });

  await page.evaluate(() => {
    const { felt: all, pads } = window as unknown as { felt: number[]; pads: unknown[] };
    const buttons = Array.from({ length: 17 }, (_, at) => ({ pressed: at === 9, value: at === 9 ? 1 : 0 }));
    const playEffect = (_: string, { strongMagnitude }: { strongMagnitude: number }) => Promise.resolve(all.push(-strongMagnitude));
    pads.push({ connected: true, mapping: "standard", axes: [0, 0, 0, 0], buttons, vibrationActuator: { playEffect } });
    dispatchEvent(new Event("gamepadconnected"));
  });
  await becomes(picture, "fff", ...middle);
  await until(20_000, async () => ((await felt()).some((strength) => strength < -0.7) ? true : undefined));
  await page.getByRole("button", { name: "More" }).click();
  await page.getByRole("button", { name: "Set controls" }).click();
  await page.screenshot({ path: join(screenshots, "app-gamepad-set.png") });
  await page.getByLabel("Keys and pointer").check();
  await page.getByRole("button", { name: "Done" }).click();
  await controls.getByRole("button", { name: "Space" }).waitFor();
  await end(page, "Racer");
  await context.close();
});

test_of_node("a PC's keyboard composes, pastes by Ctrl+V, and its mouse can be the app's", options, async () => {
  add_app("Letters", `read line; test "$line" = '日本語🔥é' && ${kRed}; ${kCopyLine}`);
  const context = await desktop(browser);
  const page = await start(context, "letters", "Letters");
  await page.getByLabel("Letters, its picture").click();
  await page.keyboard.insertText("日本語🔥");
  const session = await context.newCDPSession(page);
  await session.send("Input.imeSetComposition", { text: "´", selectionStart: 1, selectionEnd: 1 });
  await session.send("Input.insertText", { text: "é" });
  await page.keyboard.press("Enter");
  await becomes(page.getByLabel("Letters, its picture"), "f00");
  await page.evaluate(() => navigator.clipboard.writeText("by Ctrl+V\n"));
  await page.keyboard.press("Control+v");
  await page.getByText("Copied in the app").waitFor();
  await page.getByRole("button", { name: "Copy here" }).click();
  await until(20_000, async () => ((await page.evaluate(() => navigator.clipboard.readText())) === "by Ctrl+V, back" ? true : undefined));
  await page.getByRole("button", { name: "More" }).click();
  await page.getByRole("button", { name: "Hold the pointer" }).click();
  await until(20_000, () => page.evaluate(() => (document.pointerLockElement !== null ? true : undefined)));
  await page.mouse.move(300, 300);
  await page.mouse.move(320, 310);
  await page.screenshot({ path: join(screenshots, "app-desktop.png") });
  await page.evaluate(() => document.exitPointerLock());
  await end(page, "Letters");
  await context.close();
});
