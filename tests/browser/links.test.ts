// Sharing by a link, as people do it: the owner makes one on a phone, somebody without any device of the pool opens it in a
// browser of his own, looks, downloads, puts files in, and is out when it is taken back.
import assert from "node:assert/strict";
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, truncateSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test as test_of_node } from "node:test";
import type { Browser, BrowserContext, Page } from "playwright-core";
import { launch, phone } from "../../web/test/browser";
import { assert_fits, open, pair } from "../harness/device";
import { Pool, until } from "../harness/pool";

const test = (name: string, body: () => Promise<void>) => test_of_node(name, { timeout: 200_000 }, body);
const pool = new Pool();
const screenshots = process.env.HEARTH_SCREENSHOTS!;
const folder = mkdtempSync(join(tmpdir(), "hearth-links-"));
let browser: Browser;
let owner: Page;
let guests: BrowserContext;

function on_pc(...names: string[]): string {
  return join(pool.home, "drive", ...names);
}

async function shoot(page: Page, name: string): Promise<void> {
  await assert_fits(page, name);
  await page.screenshot({ path: join(screenshots, `links-${name}.png`), animations: "disabled" });
}

// The link's address, as the page shows it.
async function share(name: string, grant: string, also: (sheet: ReturnType<Page["getByRole"]>) => Promise<void> = () => Promise.resolve()): Promise<string> {
  await owner.getByRole("button", { name: `More for ${name}`, exact: true }).tap();
  await owner.getByRole("dialog", { name }).getByRole("button", { name: "Share", exact: true }).tap();
  const sheet = owner.getByRole("dialog", { name: `Share ${name}` });
  await sheet.getByRole("radio", { name: new RegExp(`^${grant}`) }).check();
  await also(sheet);
  await shoot(owner, `share-${grant.toLowerCase().replaceAll(/[^a-z]+/g, "-")}`);
  await sheet.getByRole("button", { name: "Make the link" }).tap();
  const shown = owner.getByRole("dialog", { name: `Link to ${name}` });
  await shown.getByRole("img", { name: "QR code with the link" }).waitFor();
  const address = await shown.getByLabel("The link", { exact: true }).inputValue();
  await shoot(owner, "made");
  await shown.getByRole("button", { name: "Done" }).tap();
  return address;
}

async function take_back(title: string): Promise<void> {
  await owner.goto(`${pool.origin}/#/links`);
  await owner.getByRole("button", { name: `Take back ${title}`, exact: true }).tap();
  await owner.getByRole("dialog").getByRole("button", { name: "Take back" }).tap();
  await owner.getByRole("button", { name: `Take back ${title}`, exact: true }).waitFor({ state: "detached" });
}

before(async () => {
  pool.up();
  mkdirSync(screenshots, { recursive: true });
  mkdirSync(on_pc("wedding", "more"), { recursive: true });
  mkdirSync(on_pc("inbox"));
  writeFileSync(on_pc("wedding", "notes.txt"), "buy rings\n");
  writeFileSync(on_pc("wedding", "more", "deep.txt"), "deep\n");
  writeFileSync(on_pc("wedding", "film.bin"), "");
  truncateSync(on_pc("wedding", "film.bin"), 2 ** 30);
  writeFileSync(on_pc("inbox", "secret.txt"), "secret");
  browser = await launch();
  owner = await pair(pool, await phone(browser), "phone", "owner");
  guests = await phone(browser);
});
after(async () => {
  await browser?.close();
  pool.close();
  rmSync(folder, { recursive: true, force: true });
});

test("a guest without a device looks, downloads, and is out when the link is taken back", async () => {
  await owner.getByRole("link", { name: "Files", exact: true }).tap();
  const address = await share("wedding", "Look and download", async (sheet) => sheet.getByLabel("Name for it, if you want one").fill("Mia and Tom"));
  const guest = await open(guests, address);
  await guest.getByRole("heading", { name: "Mia and Tom" }).waitFor();
  const files = guest.getByRole("list", { name: "Files" });
  await files.getByRole("link", { name: "notes.txt" }).waitFor();
  assert.equal(await guest.getByRole("navigation", { name: "Main" }).count(), 0);
  assert.equal(await guest.getByRole("button", { name: "Upload", exact: true }).count(), 0);
  await shoot(guest, "guest");

  await files.getByRole("link", { name: "notes.txt" }).tap();
  await guest.getByRole("region", { name: "Content of notes.txt" }).getByText("buy rings").waitFor();
  await guest.getByRole("button", { name: "Close", exact: true }).tap();
  const [archive] = await Promise.all([guest.waitForEvent("download"), guest.getByRole("button", { name: "Download all" }).tap()]);
  assert.equal(archive.suggestedFilename(), "wedding.zip");
  await archive.cancel();
  await files.getByRole("link", { name: "more" }).tap();
  await guest.getByRole("heading", { name: "more" }).waitFor();
  const [one] = await Promise.all([
    guest.waitForEvent("download"),
    files.getByRole("link", { name: "deep.txt" }).tap().then(() => guest.getByRole("dialog").getByRole("link", { name: "Download deep.txt" }).click()),
  ]);
  assert.equal(readFileSync((await one.path())!, "utf8"), "deep\n");
  await guest.getByRole("button", { name: "Close", exact: true }).tap();
  // Coming back with the cookie is no other use.
  await guest.reload();
  await guest.getByRole("heading", { name: "more" }).waitFor();
  assert.equal(pool.json<{ links: { uses: number }[] }>("drive", "links").links[0]!.uses, 1);

  await guest.getByRole("link", { name: "Mia and Tom" }).tap();
  await files.getByRole("link", { name: "film.bin" }).waitFor();
  const cut = guest.evaluate(async (url) => {
    const reader = (await fetch(url)).body!.getReader();
    await reader.read();
    (window as unknown as { begun: boolean }).begun = true;
    try {
      for (;;) if ((await reader.read()).done) return "whole";
    } catch {
      return "cut";
    }
  }, `/link/${address.split("/")[5]}/dav/film.bin`);
  await guest.waitForFunction(() => (window as unknown as { begun?: boolean }).begun === true);
  // On the page of the PC, not by a tap: the download is quick.
  pool.cli_now("drive", "unshare", address.split("/")[5]!);
  assert.equal(await cut, "cut");
  await guest.getByRole("heading", { name: "This link does not open" }).waitFor();
  await guest.getByText("it was taken back").waitFor();
  await shoot(guest, "ended");
  await guest.close();
});

test("a drop-box takes files and shows nothing", async () => {
  const address = await share("inbox", "Drop-box");
  const guest = await open(guests, address);
  await guest.getByText("Put files in here").waitFor();
  assert.equal(await guest.getByText("secret.txt").count(), 0);
  const local = join(folder, "secret.txt");
  writeFileSync(local, "mine");
  await guest.getByRole("button", { name: "Choose files" }).tap();
  await guest.getByLabel("Files to upload", { exact: true }).setInputFiles([local]);
  await guest.getByText("1 file delivered").waitFor();
  await shoot(guest, "box");
  assert.equal(readFileSync(on_pc("inbox", "secret.txt"), "utf8"), "secret");
  assert.equal(readFileSync(on_pc("inbox", "secret (2).txt"), "utf8"), "mine");

  // One page tells of it, and of the devices that reach the files; from there it is taken back.
  await owner.goto(`${pool.origin}/#/links`);
  await owner.getByText("used 1 time, last").first().waitFor();
  await owner.getByRole("region", { name: "Devices and tokens" }).getByText("phone (this device)").waitFor();
  await shoot(owner, "list");
  await take_back("inbox");
  await guest.getByRole("heading", { name: "This link does not open" }).waitFor();
  await guest.close();
});

test("a guest who may edit makes folders, renames and deletes, and the family has the trash", async () => {
  await owner.goto(`${pool.origin}/#/files`);
  const address = await share("inbox", "Edit");
  const guest = await open(guests, address);
  const files = guest.getByRole("list", { name: "Files" });
  await guest.getByRole("button", { name: "Folder", exact: true }).tap();
  await guest.getByLabel("Name of the folder").fill("ours");
  await guest.getByRole("button", { name: "Make it" }).tap();
  await files.getByRole("link", { name: "ours" }).waitFor();
  await guest.getByRole("button", { name: "More for secret.txt", exact: true }).tap();
  await guest.getByRole("button", { name: "Rename", exact: true }).tap();
  await guest.getByLabel("New name").fill("known.txt");
  await guest.keyboard.press("Enter");
  await files.getByRole("link", { name: "known.txt" }).waitFor();
  await shoot(guest, "edited");
  await guest.getByRole("button", { name: "More for known.txt", exact: true }).tap();
  await guest.getByRole("button", { name: "Delete", exact: true }).tap();
  await guest.getByRole("dialog", { name: "Delete known.txt?" }).getByRole("button", { name: "Delete", exact: true }).tap();
  await files.getByRole("link", { name: "known.txt" }).waitFor({ state: "detached" });
  assert.ok(!existsSync(on_pc("inbox", "known.txt")));
  assert.deepEqual(pool.json<{ trashed: { path: string }[] }>("drive", "trash").trashed.map(({ path }) => path), ["/inbox/known.txt"]);
  await guest.close();
});

test("a password is asked for until it fits", async () => {
  await owner.goto(`${pool.origin}/#/files/wedding`);
  const address = await share("notes.txt", "Look and download", async (sheet) => sheet.getByLabel(/^Password/).fill("hunter22"));
  const guest = await open(guests, address);
  await guest.getByRole("heading", { name: "A password, please" }).waitFor();
  await shoot(guest, "password");
  await guest.getByLabel("Password").fill("hunter2");
  await guest.getByRole("button", { name: "Open" }).tap();
  await guest.getByText("This is not the link's password").waitFor();
  await guest.getByLabel("Password").fill("hunter22");
  await guest.getByRole("button", { name: "Open" }).tap();
  await guest.getByRole("heading", { name: "notes.txt" }).waitFor();
  await shoot(guest, "file");
  const [one] = await Promise.all([guest.waitForEvent("download"), guest.getByRole("button", { name: "Download" }).tap()]);
  assert.equal(one.suggestedFilename(), "notes.txt");
  assert.equal(readFileSync((await one.path())!, "utf8"), "buy rings\n");
  await until(60_000, () => (pool.log.includes(address.split("/")[6]!) ? assert.fail("the secret is in the log") : true));
  await guest.close();
});
