// Draws public/icon-*.png from public/icon.svg with Debian's Chromium. Run it after changing the drawing; the results
// are committed.
import { readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { chromium } from "playwright-core";

const folder = join(dirname(dirname(fileURLToPath(import.meta.url))), "public");
const drawing = readFileSync(join(folder, "icon.svg"), "utf8");
// Masks cut round shapes out of the middle: the ground reaches to the edges and the drawing is smaller.
const maskable = drawing.replaceAll('rx="112"', "").replace('viewBox="0 0 512 512"', 'viewBox="-50 -50 612 612"').replaceAll('<rect width="512" height="512"', '<rect x="-50" y="-50" width="612" height="612"');

const browser = await chromium.launch({ executablePath: "/usr/bin/chromium", args: ["--no-sandbox", "--disable-gpu"] });
try {
  for (const [name, size, source] of [
    ["icon-192.png", 192, drawing],
    ["icon-512.png", 512, drawing],
    ["icon-maskable-512.png", 512, maskable],
  ]) {
    const page = await browser.newPage({ viewport: { width: size, height: size } });
    await page.setContent(`<style>html,body{margin:0;background:transparent}svg{display:block;width:${size}px;height:${size}px}</style>${source}`);
    await page.screenshot({ path: join(folder, name), omitBackground: true });
    await page.close();
  }
} finally {
  await browser.close();
}
