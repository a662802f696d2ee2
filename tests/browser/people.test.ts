// A family's people in Debian's Chromium at a phone's size: an owner says whose a device and a folder are; somebody else
// is shown nothing of it.
import assert from "node:assert/strict";
import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { after, before, test as test_of_node } from "node:test";
import type { Browser, BrowserContext, Page } from "playwright-core";
import { launch, phone } from "../../web/test/browser";
import { assert_fits, pair } from "../harness/device";
import { Pool } from "../harness/pool";

const test = (name: string, body: () => Promise<void>) => test_of_node(name, { timeout: 200_000 }, body);
const pool = new Pool();
const screenshots = process.env.HEARTH_SCREENSHOTS!;
let browser: Browser;
let context: BrowserContext;
let page: Page;

async function shoot(name: string): Promise<void> {
  await assert_fits(page, name);
  await page.screenshot({ path: join(screenshots, `people-${name}.png`), animations: "disabled" });
}

before(async () => {
  pool.up();
  mkdirSync(screenshots, { recursive: true });
  browser = await launch();
  context = await phone(browser);
  page = await pair(pool, context, "phone", "owner");
});
after(async () => {
  await browser?.close();
  pool.close();
});

test("people are added, and devices become theirs", async () => {
  await page.getByRole("link", { name: "Files", exact: true }).tap();
  await page.getByRole("link", { name: "People", exact: true }).tap();
  await page.getByText("This device is nobody's yet").waitFor();
  for (const person of ["mia", "tom"]) {
    await page.getByLabel("Name of a person").fill(person);
    await page.getByRole("button", { name: "Add", exact: true }).tap();
    await page.getByRole("region", { name: "Private folders" }).getByText(`${person} · not open to this device`).waitFor();
  }
  await page.getByLabel("Whose phone is").selectOption("mia");
  await page.getByText("This device is mia's.").waitFor();
  await page.getByRole("link", { name: "mia", exact: true }).waitFor();
  await shoot("added");
});

test("a folder is some people's own, with a limit", async () => {
  await page.getByRole("button", { name: "A folder for some" }).tap();
  const sheet = page.getByRole("dialog");
  await sheet.getByLabel(/^Its name/).fill("parents");
  await sheet.getByLabel("mia").check();
  await sheet.getByLabel("tom").check();
  await sheet.getByLabel(/^May hold/).fill("a lot");
  await sheet.getByText("A number above 0").waitFor();
  await sheet.getByLabel(/^May hold/).fill("0.5");
  await shoot("sheet");
  await sheet.getByRole("button", { name: "Save" }).tap();
  await page.getByText("0 bytes of 512 MiB").waitFor();
  await shoot("limited");
  await page.getByRole("button", { name: "Change tom" }).tap();
  await sheet.getByRole("button", { name: "Make it everybody's" }).tap();
  await page.getByRole("button", { name: "Change tom" }).waitFor({ state: "detached" });
});

test("whoever is not of them is shown nothing of it", async () => {
  const other = await phone(browser);
  const theirs = await pair(pool, other, "tablet", "member");
  await theirs.getByRole("link", { name: "Files", exact: true }).tap();
  const list = theirs.getByRole("list", { name: "Files" });
  await list.getByRole("link", { name: "tom" }).waitFor();
  assert.equal(await list.getByRole("link", { name: "mia" }).count(), 0);
  assert.equal(await list.getByRole("link", { name: "parents" }).count(), 0);
  await theirs.goto(`${new URL(theirs.url()).origin}/#/files/mia`);
  await theirs.getByText("other people's own").waitFor();
  await theirs.goto(`${new URL(theirs.url()).origin}/#/people`);
  await theirs.getByText("This device is nobody's yet").waitFor();
  assert.equal(await theirs.getByRole("button", { name: /^Change/ }).count(), 0);
  await other.close();
  await page.emulateMedia({ colorScheme: "dark" });
  await shoot("dark");
  await context.close();
});
