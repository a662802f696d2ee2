// The family's photos by date in Debian's Chromium at a phone's size, against a real pool: 300 of them that lie on the PC,
// looked at, gone through, thrown away and brought back.
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { existsSync, mkdirSync, readdirSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { after, before, test as test_of_node } from "node:test";
import type { Browser, BrowserContext, Page } from "playwright-core";
import { desktop, launch, phone } from "../../web/test/browser";
import { assert_fits, pair } from "../harness/device";
import { Pool, until } from "../harness/pool";

const lacks = !existsSync(join(dirname(process.env.HEARTH_PROGRAM!), "hearth-pictures")) && "hearth-pictures was not built (libvips-dev)";
const test = (name: string, body: () => Promise<void>) => test_of_node(name, { timeout: 200_000, skip: lacks }, body);
const pool = new Pool();
const screenshots = process.env.HEARTH_SCREENSHOTS!;
let browser: Browser;
let context: BrowserContext;
let page: Page;

function on_pc(...names: string[]): string {
  return join(pool.home, "drive", ...names);
}

// The picture, with EXIF's word of when it was taken.
function taken_at(jpeg: Buffer, time: string): Buffer {
  const tiff = Buffer.alloc(64);
  tiff.write("MM\0*", 0, "latin1");
  tiff.writeUInt32BE(8, 4);
  tiff.writeUInt16BE(1, 8); // one entry: where the camera's own lie
  tiff.writeUInt16BE(0x8769, 10);
  tiff.writeUInt16BE(4, 12);
  tiff.writeUInt32BE(1, 14);
  tiff.writeUInt32BE(26, 18);
  tiff.writeUInt16BE(1, 26); // one entry: the time
  tiff.writeUInt16BE(0x9003, 28);
  tiff.writeUInt16BE(2, 30);
  tiff.writeUInt32BE(20, 32);
  tiff.writeUInt32BE(44, 36);
  tiff.write(`${time}\0`, 44, "latin1");
  const head = Buffer.from([0xff, 0xe1, 0, 2 + 6 + tiff.length]);
  return Buffer.concat([jpeg.subarray(0, 2), head, Buffer.from("Exif\0\0", "latin1"), tiff, jpeg.subarray(2)]);
}

// A JPEG of 640 by 480, like a landscape under a sky of that hue.
async function landscape(hue: number): Promise<Buffer> {
  const url = await page.evaluate((sky) => {
    const canvas = Object.assign(document.createElement("canvas"), { width: 640, height: 480 });
    const pen = canvas.getContext("2d")!;
    const air = pen.createLinearGradient(0, 0, 0, 480);
    air.addColorStop(0, `hsl(${sky} 70% 45%)`);
    air.addColorStop(1, `hsl(${sky + 40} 80% 80%)`);
    pen.fillStyle = air;
    pen.fillRect(0, 0, 640, 480);
    pen.fillStyle = "#ffe9a8";
    pen.beginPath();
    pen.arc(120 + ((sky * 7) % 400), 130, 46, 0, 7);
    pen.fill();
    for (const [height, tone] of [[330, 30], [390, 20]] as const) {
      pen.fillStyle = `hsl(${sky + 120} 30% ${tone}%)`;
      pen.beginPath();
      pen.moveTo(0, 480);
      for (let x = 0; x <= 640; x += 8) pen.lineTo(x, height + 40 * Math.sin(x / 70 + sky + tone));
      pen.lineTo(640, 480);
      pen.fill();
    }
    return canvas.toDataURL("image/jpeg", 0.9);
  }, hue);
  return Buffer.from(url.slice(url.indexOf(",") + 1), "base64");
}

async function shoot(name: string): Promise<void> {
  await assert_fits(page, name);
  await page.screenshot({ path: join(screenshots, `photos-${name}.png`), animations: "disabled" });
}

// All pictures in sight are there.
async function settled(): Promise<void> {
  await page.waitForFunction(() => {
    const images = Array.from(document.querySelectorAll<HTMLImageElement>("section img")).filter((image) => {
      const { top, bottom } = image.getBoundingClientRect();
      return bottom > 0 && top < window.innerHeight;
    });
    return images.length > 0 && images.every((image) => image.complete && image.naturalWidth > 0);
  });
}

function tile(name: string) {
  return page.getByRole("button", { name: new RegExp(`^${name.replace(".", "\\.")}, `) });
}

before(async () => {
  if (lacks) return;
  pool.up();
  mkdirSync(screenshots, { recursive: true });
  browser = await launch();
  context = await phone(browser);
  page = await pair(pool, context, "phone", "member");
  mkdirSync(on_pc("holidays"), { recursive: true });
  const views = [];
  for (let hue = 0; hue < 360; hue += 30) views.push(await landscape(hue));
  for (let i = 0; i < 300; i++) {
    const month = String(12 - (i % 12)).padStart(2, "0");
    const jpeg = taken_at(views[i % views.length]!, `${2026 - (Math.floor(i / 12) % 3)}:${month}:${String(1 + (i % 28)).padStart(2, "0")} 12:03:11`);
    writeFileSync(on_pc("holidays", `IMG_${String(i).padStart(4, "0")}.jpg`), jpeg);
  }
  writeFileSync(on_pc("holidays", "first.jpg"), taken_at(views[0]!, "1999:12:31 23:59:58"));
  writeFileSync(on_pc("holidays", "broken.jpg"), "no picture");
  const film = ["-f", "lavfi", "-i", "mandelbrot=s=640x360:r=25", "-t", "2", "-c:v", "libvpx", "-metadata", "creation_time=2026-12-10T12:00:00Z"];
  execFileSync("ffmpeg", ["-nostdin", "-v", "error", ...film, on_pc("holidays", "film.webm")]);
});
after(async () => {
  await browser?.close();
  if (!lacks) pool.close();
});

test("photos lie by month, made small by the PC", async () => {
  await page.getByRole("link", { name: "Files", exact: true }).tap();
  await page.getByRole("link", { name: "Photos by date" }).tap();
  await page.getByRole("status").getByText("303 photos and films").waitFor();
  await page.getByText("yet to be dated").waitFor({ state: "detached", timeout: 60_000 });
  await page.getByRole("heading", { name: "December 2026" }).waitFor();
  await settled();
  await shoot("day");
  const drawn = await page.locator("section button").count();
  assert.ok(drawn > 10 && drawn < 150, `${drawn} of 303 are drawn`);
  const sources = await page.locator("section img").evaluateAll((images) => images.map((image) => (image as HTMLImageElement).src));
  assert.ok(sources.every((source) => source.includes("/thumb/")), sources.join());
  await page.emulateMedia({ colorScheme: "dark" });
  await shoot("night");
  await page.emulateMedia({ colorScheme: "light" });
});

test("a month is gone to, and its heading stays in sight", async () => {
  await page.getByLabel("Go to a month").first().selectOption({ label: "December 1999" });
  await tile("first.jpg").waitFor();
  await page.getByLabel("Go to a month").first().selectOption({ label: "March 2025" });
  await page.getByRole("heading", { name: "March 2025" }).waitFor();
  await page.mouse.wheel(0, 300);
  await settled();
  assert.equal(await page.locator(".heading").evaluateAll((all) => all.some((one) => one.getBoundingClientRect().top === 0)), true);
  await shoot("month");
});

test("one is looked at, and those before and after it", async () => {
  await page.evaluate(() => window.scrollTo(0, 0));
  await page.locator('section[aria-label="December 2026"] button').first().tap();
  const dialog = page.getByRole("dialog", { name: "Picture" });
  const image = dialog.getByRole("img");
  const first = await image.getAttribute("alt");
  await page.waitForFunction(() => (document.querySelector("dialog img") as HTMLImageElement | null)?.naturalWidth === 640);
  await shoot("shown");
  await page.keyboard.press("ArrowRight");
  await page.waitForFunction((name) => document.querySelector("dialog img")?.getAttribute("alt") !== name, first);
  await page.keyboard.press("ArrowLeft");
  await dialog.getByRole("img", { name: first! }).waitFor();
  assert.match((await dialog.getByRole("link", { name: /^Download/ }).getAttribute("href"))!, /^\/dav\/holidays\/.*\?download$/);
});

test("one is thrown away, and brought back", async () => {
  const dialog = page.getByRole("dialog", { name: "Picture" });
  const name = (await dialog.getByRole("img").getAttribute("alt"))!;
  await dialog.getByRole("button", { name: `Throw away ${name}` }).tap();
  await dialog.getByText(`${name} is in the trash.`).waitFor();
  await page.waitForFunction((gone) => document.querySelector("dialog img")?.getAttribute("alt") !== gone, name);
  assert.ok(!existsSync(on_pc("holidays", name)));
  await shoot("deleted");
  await dialog.getByRole("button", { name: "Undo" }).tap();
  await dialog.getByText("Back where it was.").waitFor();
  assert.ok(existsSync(on_pc("holidays", name)));
  await dialog.getByRole("button", { name: "Close", exact: true }).tap();
  await tile(name).waitFor();
});

test("what cannot be read has its name instead, and files have their pictures", async () => {
  await page.goto(`${pool.origin}/#/files/holidays`);
  await page.getByRole("list", { name: "Files" }).getByRole("link", { name: "IMG_0001.jpg" }).waitFor();
  await page.waitForFunction(() => {
    const images = Array.from(document.querySelectorAll<HTMLImageElement>("ul[aria-label=Files] img"));
    return images.length > 5 && images.slice(2, 5).every((image) => image.naturalWidth === 320);
  });
  await shoot("files");
  assert.ok(readdirSync(on_pc(".hearth", "thumbs")).length > 10);
  await until(10_000, () => (existsSync(on_pc(".hearth", "timeline")) ? true : undefined));
});

test("a film is seen by a frame with a sign, and plays", async () => {
  await page.goto(`${pool.origin}/#/photos`);
  const film = page.getByRole("button", { name: /^film\.webm, film, 10 Dec/ });
  await film.locator("img").waitFor();
  await settled();
  await film.locator("svg").waitFor();
  await film.scrollIntoViewIfNeeded();
  await shoot("film");
  await page.emulateMedia({ colorScheme: "dark" });
  await shoot("film-night");
  await page.emulateMedia({ colorScheme: "light" });
  await film.tap();
  await page.waitForFunction(() => {
    const video = document.querySelector("video");
    if (video === null || video.readyState < 2) return false;
    void video.play();
    return video.currentTime > 0;
  });
  await page.getByRole("dialog").getByRole("button", { name: "Close", exact: true }).tap();
});

test("on a desktop they have a place of their own", async () => {
  const wide = await desktop(browser);
  const phone_page = page;
  page = await pair(pool, wide, "laptop", "member");
  await page.getByRole("navigation", { name: "Main" }).getByRole("link", { name: "Photos" }).click();
  await settled();
  await shoot("desktop");
  page = phone_page;
});
