// Apps in Debian's Chromium at a phone's size against a real pool: started, seen, heard, used and ended, by both ways.
import { join } from "node:path";
import { test } from "node:test";
import type { Browser, BrowserContext, Page } from "playwright-core";
import { desktop, phone } from "../../web/test/browser";
import { pair } from "../harness/device";
import { until } from "../harness/pool";
import { add_colours, becomes, kColours, lacks_media, lacks_screen, raise_pool, screenshots } from "../harness/stage";

let browser: Browser;
const pool = raise_pool((it) => (browser = it));

test("an app is started by a tap, seen, used and ended", { timeout: 300_000, skip: lacks_screen }, async () => {
  add_colours(pool, "Colours");
  const context = await phone(browser);
  const page = await pair(pool, context, "viewer");
  await page.getByRole("button", { name: "Colours" }).waitFor();
  await page.screenshot({ path: join(screenshots, "apps.png"), fullPage: true });
  await page.getByRole("button", { name: "Colours" }).click();
  const picture = page.getByLabel("Colours, its picture");
  await becomes(picture, "00f");
  await page.screenshot({ path: join(screenshots, "app-blue.png") });
  await page.getByRole("button", { name: "Keyboard" }).click();
  await page.getByLabel("Text for the app").pressSequentially("now");
  await page.getByRole("button", { name: "Enter", exact: true }).click();
  await becomes(picture, "f00");
  await page.getByRole("button", { name: "Numbers" }).click();
  await page.getByText("Input to picture").waitFor();
  await page.screenshot({ path: join(screenshots, "app-red.png") });
  await page.reload(); // the phone slept: the program is as it was
  await becomes(picture, "f00");
  await page.getByRole("button", { name: "End the app" }).click();
  await page.getByRole("dialog").getByRole("button", { name: "End the app" }).click();
  await page.getByRole("link", { name: "Done" }).click();
  await page.getByRole("heading", { level: 1 }).waitFor();
  pool.cli_now("app", "remove", "Colours");
  await context.close();
});

test("an app that fails says at once what it printed last", { timeout: 300_000, skip: lacks_screen }, async () => {
  pool.cli_now("app", "add", "Broken", "--", "sh", "-c", "echo loading; echo 'broken: the disk is missing' >&2; exit 3");
  const context = await phone(browser);
  const page = await pair(pool, context, "hopeful");
  await page.getByRole("button", { name: "Broken" }).click();
  await page.getByText("It printed last: broken: the disk is missing").waitFor();
  await page.getByRole("link", { name: "What it printed" }).waitFor();
  await page.screenshot({ path: join(screenshots, "app-failed.png") });
  pool.cli_now("app", "remove", "Broken");
  await context.close();
});

test("an app's colours are its own at a desktop's size, by both ways", { timeout: 300_000, skip: lacks_media }, async () => {
  pool.cli_now("app", "add", "Red", "--", "xterm", "-b", "0", "-bg", "#ff0000", "-e", "sleep", "1000");
  const context = await desktop(browser);
  const page = await pair(pool, context, "desk");
  for (const way of ["hub", "direct"]) {
    await page.evaluate((wanted) => localStorage.setItem("hearth.screen.way", wanted), way);
    await page.getByRole("button", { name: "Red" }).click();
    const picture = page.getByLabel("Red, its picture");
    await becomes(picture, "f00", 600, 600);
    await until(60_000, async () => {
      const { rows, parts } = await picture.evaluate((canvas: HTMLCanvasElement) => ({ rows: canvas.height, parts: [...canvas.getContext("2d")!.getImageData(600, 600, 1, 1).data] }));
      return (rows >= 720 && parts[0]! > 245 && parts[1]! < 10 && parts[2]! < 10) || undefined;
    });
    await page.getByRole("button", { name: "End the app" }).click();
    await page.getByRole("dialog").getByRole("button", { name: "End the app" }).click();
    await page.getByRole("link", { name: "Done" }).click();
    await page.getByRole("heading", { level: 1 }).waitFor();
  }
  pool.cli_now("app", "remove", "Red");
  await context.close();
});

// A tone of 440 Hz through PulseAudio's simple library, and colours beside it.
const kTone = `
import ctypes, math, struct
class Spec(ctypes.Structure):
    _fields_ = [("format", ctypes.c_int), ("rate", ctypes.c_uint32), ("channels", ctypes.c_uint8)]
pulse = ctypes.CDLL("libpulse-simple.so.0")
pulse.pa_simple_new.restype = ctypes.c_void_p
stream = pulse.pa_simple_new(None, b"tone", 1, None, b"tone", ctypes.byref(Spec(3, 48000, 2)), None, None, None)
block = b"".join(struct.pack("<hh", value, value) for value in (int(16000 * math.sin(2 * math.pi * 440 * i / 48000)) for i in range(4800)))
while True:
    pulse.pa_simple_write(ctypes.c_void_p(stream), block, ctypes.c_size_t(len(block)), None)
`;

interface Heard {
  loudest: number;
  connections: RTCPeerConnection[];
}

// What the page plays: how loud, and by which way it came.
async function listen_in(context: BrowserContext): Promise<void> {
  await context.addInitScript(() => {
    const heard: Heard = { loudest: 0, connections: [] };
    (window as unknown as { heard: Heard }).heard = heard;
    const copy = AudioBuffer.prototype.copyToChannel;
    AudioBuffer.prototype.copyToChannel = function (samples, ...rest) {
      for (const sample of samples) heard.loudest = Math.max(heard.loudest, Math.abs(sample));
      Reflect.apply(copy, this, [samples, ...rest]);
    };
    const Original = window.RTCPeerConnection;
    window.RTCPeerConnection = class extends Original {
      constructor(options?: RTCConfiguration) {
        super(options);
        heard.connections.push(this);
      }
    };
  });
}

function energy_by_webrtc(page: Page): Promise<number> {
  return page.evaluate(async () => {
    let energy = 0;
    for (const connection of (window as unknown as { heard: Heard }).heard.connections) {
      for (const one of (await connection.getStats()).values()) {
        if (one.type === "inbound-rtp" && one.kind === "audio") energy += one.totalAudioEnergy ?? 0;
      }
    }
    return energy;
  });
}

test("an app is seen and heard by WebRTC, and through the hub", { timeout: 300_000, skip: lacks_media }, async () => {
  pool.cli_now("app", "add", "Tone", "--", "sh", "-c", 'python3 -c "import base64; exec(base64.b64decode(\'$0\'))" & exec xterm -b 0 -e sh -c "$1"', Buffer.from(kTone).toString("base64"), kColours);
  const context = await phone(browser);
  await listen_in(context);
  const page = await pair(pool, context, "listener");
  await page.evaluate(() => localStorage.setItem("hearth.screen.way", "direct"));
  await page.getByRole("button", { name: "Tone" }).click();
  const picture = page.getByLabel("Tone, its picture");
  await becomes(picture, "00f");
  await page.getByRole("button", { name: "Numbers" }).click();
  await page.locator("dl").getByText("direct (WebRTC)").first().waitFor();
  await until(60_000, async () => ((await energy_by_webrtc(page)) > 0.01 ? true : undefined));
  await page.getByRole("button", { name: "Keyboard" }).click();
  await page.getByLabel("Text for the app").pressSequentially("now");
  await page.getByRole("button", { name: "Enter", exact: true }).click();
  await becomes(picture, "f00");
  await page.screenshot({ path: join(screenshots, "app-direct.png") });

  await page.getByLabel("Way").selectOption("hub");
  await until(60_000, () => page.evaluate(() => ((window as unknown as { heard: Heard }).heard.loudest > 0.2 ? true : undefined)));
  await becomes(picture, "f00");

  await page.getByLabel("Way").selectOption("direct");
  await until(60_000, () => page.evaluate(() => ((window as unknown as { heard: Heard }).heard.connections.at(-1)!.connectionState === "connected" ? true : undefined)));
  pool.cli_now("devices", "revoke", "listener");
  await until(10_000, () => page.evaluate(() => ((window as unknown as { heard: Heard }).heard.connections.every((one) => one.connectionState === "closed") ? true : undefined)));
  await context.close();
});
