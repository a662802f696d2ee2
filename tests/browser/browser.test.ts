// The page in Debian's Chromium against a real pool: pairing, a job with pictures, and a revocation.
import assert from "node:assert/strict";
import { join } from "node:path";
import { test as test_of_node } from "node:test";
import type { Browser, Locator, Page } from "playwright-core";
import { desktop, phone } from "../../web/test/browser";
import { assert_fits, pair, type Devices } from "../harness/device";
import { Pool } from "../harness/pool";
import { raise_pool, screenshots } from "../harness/stage";

const test = (name: string, body: () => Promise<void>) => test_of_node(name, { timeout: 100_000 }, body);
let browser: Browser;
const pool = raise_pool((it) => (browser = it));

async function run(page: Page, source: string, tasks: number): Promise<void> {
  await page.getByRole("link", { name: "Run", exact: true }).click();
  await page.getByLabel("Source of main.py").fill(source);
  await page.getByLabel("Tasks").fill(String(tasks));
  await page.getByRole("button", { name: tasks > 1 ? `Run ${tasks} tasks` : "Run it" }).click();
  await page.getByRole("heading", { name: "main.py" }).waitFor();
}

const kPicture = `
import os, struct, time, zlib
index = int(os.environ["HEARTH_TASK_INDEX"])
print("painting", index, flush=True)
time.sleep(2)
def chunk(kind, data):
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
rows = b"".join(b"\\0" + b"".join(bytes([60 + 60 * index, y, x]) for x in range(160)) for y in range(90))
with open(f"picture-{index}.png", "wb") as file:
    file.write(b"\\x89PNG\\r\\n\\x1a\\n" + chunk(b"IHDR", struct.pack(">IIBBBBB", 160, 90, 8, 2, 0, 0, 0)) + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b""))
print("painted", index)
`;

test("a phone pairs, runs a program and sees its pictures", async () => {
  const context = await phone(browser);
  const page = await pair(pool, context, "phone", "member", screenshots);
  await run(page, kPicture, 3);
  await page.getByRole("log").getByText("painting").first().waitFor(); // while it runs
  await page.getByText("Done", { exact: true }).first().waitFor({ timeout: 60_000 });
  await page.getByRole("log").getByText("painted").nth(2).waitFor();
  const picture = page.getByRole("img", { name: "picture-2.png" }).first();
  await picture.waitFor();
  const width = await picture.evaluate((image: HTMLImageElement) => image.decode().then(() => image.naturalWidth));
  assert.equal(width, 160);
  await page.screenshot({ path: join(screenshots, "job-light.png"), fullPage: true });
  for (const [scheme, name] of [["light", "light"], ["dark", "dark"]] as const) {
    await page.emulateMedia({ colorScheme: scheme });
    for (const [view, address] of [["home", "#/"], ["jobs", "#/jobs"], ["devices", "#/devices"], ["run", "#/run"]] as const) {
      await page.goto(`${pool.origin}/${address}`);
      await page.getByRole("heading", { level: 1 }).waitFor();
      await page.screenshot({ path: join(screenshots, `${view}-${name}.png`) });
    }
  }
  await page.goto(`${pool.origin}/#/jobs/1`);
  await picture.waitFor();
  await page.screenshot({ path: join(screenshots, "job-dark.png"), fullPage: true });
  await context.close();
});

// The longest of its words has room, and lies beside the arrow.
async function assert_readable(select: Locator): Promise<void> {
  const lacks = await select.evaluate((it: HTMLSelectElement) => {
    const { font, paddingLeft, paddingRight } = getComputedStyle(it);
    const pen = document.createElement("canvas").getContext("2d")!;
    pen.font = font;
    const words = Math.max(...Array.from(it.options, (option) => pen.measureText(option.text).width));
    const room = it.clientWidth - parseFloat(paddingLeft) - parseFloat(paddingRight);
    return parseFloat(paddingRight) < 28 || room < words ? `room for ${room} of ${words}, ${paddingRight} at the right` : "";
  });
  assert.equal(lacks, "");
}

test("no page is wider than the narrowest phone", async () => {
  pool.cli_now("token", "new", "build server");
  pool.cli_now("run", "--count", "3", "--name", "small talk", "--", "echo", "hello");
  const [job] = pool.json<{ jobs: { id: number }[] }>("jobs", "--limit", "1").jobs;
  const context = await phone(browser);
  const page = await pair(pool, context, "narrow phone", "owner");
  await page.setViewportSize({ width: 320, height: 640 });
  const order = page.getByRole("combobox", { name: "Order" });
  const task = page.getByRole("combobox", { name: "Output of which task" });
  const views: [string, Locator][] = [
    ["#/", page.getByRole("heading", { level: 1 })],
    ["#/jobs", page.getByText("small talk")],
    [`#/jobs/${job!.id}`, task],
    ["#/jobs/999", page.getByText("There is no such job here, or no longer.")],
    ["#/devices", page.getByText("Token, Member")],
    ["#/run", page.getByRole("radio", { name: "Terminal" })],
    ["#/files", page.getByText(/ used, .* free/)],
    ["#/trash", page.getByRole("heading", { name: "Trash" })],
    ["#/links", page.getByRole("heading", { name: "Who reaches the files" })],
    ["#/people", page.getByText("build server")],
    ["#/photos", page.getByRole("heading", { name: "Photos" })],
    ["#/pool", page.getByRole("list", { name: "PCs" })],
  ];
  for (const [address, there] of views) {
    await page.goto(`${pool.origin}/${address}`);
    await there.first().waitFor();
    await assert_fits(page, address);
    for (const select of [order, task]) if (await select.isVisible()) await assert_readable(select);
    await page.screenshot({ path: join(screenshots, `narrow-${address.replaceAll(/[^a-z]/g, "") || "home"}.png`), fullPage: true });
  }
  await context.close();
});

test("an operator drains the PC and lets it serve again", async () => {
  const context = await phone(browser);
  const page = await pair(pool, context, "operator", "operator", screenshots);
  await page.getByRole("link", { name: "Pool", exact: true }).click();
  const map = page.getByRole("list", { name: "PCs" });
  await map.getByRole("button", { name: /^Drain/ }).click();
  const question = page.getByRole("dialog", { name: /^Drain/ });
  await question.getByLabel("1 h", { exact: true }).check();
  await question.getByRole("button", { name: "Drain", exact: true }).click();
  await map.getByText("Drained").waitFor();
  pool.cli_now("run", "--detach", "--", "true");
  await page.getByRole("list", { name: "Queue" }).getByText("cordoned or drained by the pool's owner").waitFor();
  await page.getByRole("row", { name: /core|[0-9]/ }).first().waitFor();
  for (const scheme of ["light", "dark"] as const) {
    await page.emulateMedia({ colorScheme: scheme });
    await page.screenshot({ path: join(screenshots, `pool-${scheme}.png`), fullPage: true });
  }
  await map.getByRole("button", { name: /serve again$/ }).click();
  await map.getByText("Drained").waitFor({ state: "detached" });
  await page.getByRole("list", { name: "Queue" }).waitFor({ state: "detached" });
  assert.match(pool.cli_now("audit", "--csv"), /operator.*node\.drain/);
  await context.close();
});

test("a revoked device is out within moments", async () => {
  const first = await phone(browser);
  const lost = await pair(pool, first, "lost phone");
  const second = await desktop(browser);
  const owner = await pair(pool, second, "desk", "owner");
  await owner.getByText("All quiet").or(owner.getByRole("heading").first()).first().waitFor();
  assert.ok(pool.json<Devices>("devices").devices.some((device) => device.name === "lost phone" && device.online));
  pool.cli_now("devices", "revoke", "lost phone");
  await lost.getByRole("button", { name: "Pair this device" }).waitFor({ timeout: 10_000 });
  await lost.reload();
  await lost.getByRole("button", { name: "Pair this device" }).waitFor();
  assert.ok(!pool.json<Devices>("devices").devices.some((device) => device.name === "lost phone"));
  await owner.reload(); // the other device is still in
  await owner.getByRole("navigation", { name: "Main" }).waitFor();
  await first.close();
  await second.close();
});
