// The family's files in Debian's Chromium at a phone's size against a real pool: put there over a link that breaks, looked
// at, renamed, thrown away and brought back; what is on the disk of the PC is compared each time.
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { randomBytes } from "node:crypto";
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, statSync, utimesSync, writeFileSync } from "node:fs";
import { connect, createServer, type AddressInfo, type Server, type Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test as test_of_node } from "node:test";
import { create, toBinary } from "@bufbuild/protobuf";
import type { Browser, BrowserContext, Page } from "playwright-core";
import { DriveUsageReplySchema } from "../../web/src/gen/hearth/v1/drive_pb";
import { launch, phone } from "../../web/test/browser";
import { assert_fits, pair } from "../harness/device";
import { Pool, until } from "../harness/pool";

const test = (name: string, body: () => Promise<void>) => test_of_node(name, { timeout: 200_000 }, body);
const pool = new Pool();
const screenshots = process.env.HEARTH_SCREENSHOTS!;
const folder = mkdtempSync(join(tmpdir(), "hearth-drive-"));
let browser: Browser;
let wire: Wire;
let context: BrowserContext;
let page: Page;

// A link to the hub that can break: passes bytes on until as many as `cut_after` went towards it, then cuts, once.
class Wire {
  cut_after = Number.POSITIVE_INFINITY;
  cuts = 0;
  #server: Server;
  #sockets = new Set<Socket>();
  #away = false;

  // As if the PC was switched off, until it is back.
  set away(away: boolean) {
    this.#away = away;
    if (away) for (const socket of this.#sockets) socket.destroy();
  }

  constructor(port: number) {
    this.#server = createServer((near) => {
      const far = connect(port, "127.0.0.1");
      if (this.#away) near.destroy();
      for (const [from, to] of [[near, far], [far, near]] as const) {
        this.#sockets.add(from);
        from.on("error", () => to.destroy());
        from.on("close", () => (this.#sockets.delete(from), to.destroy()));
      }
      far.pipe(near);
      near.on("data", (bytes) => {
        this.cut_after -= bytes.length;
        if (this.cut_after < 0) return this.#cut();
        if (!far.write(bytes)) near.pause();
      });
      far.on("drain", () => near.resume());
    });
  }

  async open(): Promise<string> {
    await new Promise<void>((resolve) => this.#server.listen(0, "127.0.0.1", resolve));
    return `https://127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  #cut(): void {
    this.cut_after = Number.POSITIVE_INFINITY;
    this.cuts++;
    for (const socket of this.#sockets) socket.destroy();
  }

  close(): void {
    this.#server.close();
    for (const socket of this.#sockets) socket.destroy();
  }
}

function local(name: string, content: Uint8Array | string): string {
  const path = join(folder, name);
  writeFileSync(path, content);
  return path;
}

function on_pc(...names: string[]): string {
  return join(pool.home, "drive", ...names);
}

async function shoot(name: string): Promise<void> {
  await assert_fits(page, name);
  await page.screenshot({ path: join(screenshots, `files-${name}.png`), animations: "disabled" });
}

async function act(name: string, deed: string): Promise<void> {
  await page.getByRole("button", { name: `More for ${name}`, exact: true }).tap();
  await page.getByRole("dialog", { name }).getByRole("button", { name: deed, exact: true }).tap();
}

async function upload(label: string, ...paths: string[]): Promise<void> {
  await page.getByRole("button", { name: "Upload", exact: true }).tap();
  await page.getByLabel(label, { exact: true }).setInputFiles(paths);
}

// A picture of 192 by 108 pixels.
async function painted(): Promise<Buffer> {
  const url = await page.evaluate(() => {
    const canvas = Object.assign(document.createElement("canvas"), { width: 192, height: 108 });
    const pen = canvas.getContext("2d")!;
    for (let x = 0; x < 192; x++) {
      pen.fillStyle = `hsl(${x} 80% 60%)`;
      pen.fillRect(x, 0, 1, 108);
    }
    return canvas.toDataURL("image/png");
  });
  return Buffer.from(url.slice(url.indexOf(",") + 1), "base64");
}

function row(name: string) {
  return page.getByRole("list", { name: "Files" }).getByRole("link", { name });
}

before(async () => {
  pool.up();
  mkdirSync(screenshots, { recursive: true });
  browser = await launch();
  wire = new Wire(pool.port);
  context = await phone(browser);
  page = await pair(pool, context, "phone", "member", undefined, await wire.open());
  assert.notEqual(new URL(page.url()).origin, pool.origin);
});
after(async () => {
  await browser?.close();
  wire?.close();
  pool.close();
  rmSync(folder, { recursive: true, force: true });
});

test("a folder is made", async () => {
  await page.getByRole("link", { name: "Files", exact: true }).tap();
  await page.getByText("Nothing is kept here yet.").waitFor();
  await page.getByText("used,").waitFor();
  await shoot("empty");
  await page.getByRole("button", { name: "Folder", exact: true }).tap();
  await page.getByLabel("Name of the folder").fill("holiday & more #1");
  await page.getByRole("button", { name: "Make it" }).tap();
  await row("holiday & more #1").tap();
  await page.getByRole("heading", { name: "holiday & more #1" }).waitFor();
  await page.getByText("This folder is empty.").waitFor();
  assert.ok(statSync(on_pc("holiday & more #1")).isDirectory());
});

test("files come over a link that breaks, whole and once, and the tray tells", async () => {
  const film = randomBytes(24 * 1024 * 1024);
  const [large, small, nothing] = [local("film.bin", film), local("notes.txt", "buy milk\nand matches\n"), local("empty", "")];
  utimesSync(large, 1_500_000_000, 1_500_000_000);
  const offsets: number[] = [];
  page.on("request", (request) => {
    if (request.method() === "PATCH") offsets.push(Number(request.headers()["upload-offset"]));
  });
  wire.cut_after = 9 * 1024 * 1024;
  await upload("Files to upload", large, small, nothing);
  await page.getByRole("region", { name: "Uploads" }).getByRole("button", { name: /show each/ }).tap();
  await until(60_000, () => (wire.cuts > 0 ? true : undefined));
  await page.getByText("3 files uploaded").first().waitFor();
  await shoot("uploaded");
  assert.equal(statSync(on_pc("holiday & more #1", "empty")).size, 0);
  assert.equal(wire.cuts, 1);
  assert.ok(offsets.some((offset) => offset > 0), `it began anew: ${offsets.join()}`);
  assert.ok(film.equals(readFileSync(on_pc("holiday & more #1", "film.bin"))));
  assert.equal(readFileSync(on_pc("holiday & more #1", "notes.txt"), "utf8"), "buy milk\nand matches\n");
  assert.equal(statSync(on_pc("holiday & more #1", "film.bin")).mtimeMs, 1_500_000_000_000);
  await row("film.bin").waitFor();
  // What is sent again is kept once; another file of that name lies beside it.
  await upload("Files to upload", small);
  await page.getByText("4 files uploaded").first().waitFor();
  assert.ok(!existsSync(on_pc("holiday & more #1", "notes (2).txt")));
  await upload("Files to upload", local("notes.txt", "buy bread\n"));
  await page.getByText("There was one of that name: it is called notes (2).txt").waitFor();
  await page.getByRole("button", { name: "Done with uploads" }).tap();
  await row("notes (2).txt").waitFor();
});

test("pictures and texts are looked at, one after the other", async () => {
  const picture = await painted();
  await upload("Photos and videos to upload", local("frame10.png", picture), local("frame9.png", picture));
  await page.getByText("2 files uploaded").first().waitFor();
  await page.getByRole("button", { name: "Done with uploads" }).tap();
  await row("frame9.png").tap();
  const shown = page.getByRole("dialog", { name: "Picture" }).getByRole("img", { name: "frame9.png" });
  assert.equal(await shown.evaluate((image: HTMLImageElement) => image.decode().then(() => image.naturalWidth)), 192);
  await shoot("picture");
  await page.getByRole("button", { name: "Next picture" }).tap();
  await page.getByRole("img", { name: "frame10.png" }).waitFor(); // by its number
  await page.goBack();
  await page.getByRole("dialog", { name: "Picture" }).waitFor({ state: "hidden" });
  await row("notes.txt").tap();
  await page.getByRole("region", { name: "Content of notes.txt" }).getByText("and matches").waitFor();
  await page.getByRole("button", { name: "Close", exact: true }).tap();

  // What was closed in another way is passed over.
  await page.goBack();
  await row("holiday & more #1").waitFor();
  await row("holiday & more #1").tap();
  await row("notes.txt").waitFor();
  await page.getByLabel(/^Search in/).fill("MATCHES");
  await page.getByLabel("Inside text too").check();
  await page.getByRole("list", { name: "Found" }).getByText("and matches").first().waitFor();
  await shoot("search");
  await page.getByLabel(/^Search in/).fill("");
});

test("a file is renamed, thrown away, brought back, and erased at last", async () => {
  await act("notes.txt", "Rename");
  await page.getByLabel("New name").fill("shopping list.txt");
  await page.keyboard.press("Enter");
  await row("shopping list.txt").waitFor();
  assert.ok(!existsSync(on_pc("holiday & more #1", "notes.txt")));
  await act("shopping list.txt", "Delete");
  await row("shopping list.txt").waitFor({ state: "detached" });
  assert.ok(!existsSync(on_pc("holiday & more #1", "shopping list.txt")));
  await shoot("deleted");
  await page.getByRole("button", { name: "Undo" }).tap();
  await row("shopping list.txt").waitFor();
  assert.equal(readFileSync(on_pc("holiday & more #1", "shopping list.txt"), "utf8"), "buy milk\nand matches\n");

  await page.getByRole("button", { name: "Select", exact: true }).tap();
  await row("shopping list.txt").tap();
  await row("notes (2).txt").tap();
  await page.getByText("2 chosen").waitFor();
  await shoot("chosen");
  const place = page.url();
  await page.goBack();
  await page.getByText("2 chosen").waitFor({ state: "detached" });
  assert.equal(page.url(), place, "going back ended the choice alone");
  await page.getByRole("button", { name: "Select", exact: true }).tap();
  await row("shopping list.txt").tap();
  await row("notes (2).txt").tap();
  await page.getByRole("region", { name: "What is chosen" }).getByRole("button", { name: "Delete" }).tap();
  await page.getByText("2 things are in the trash.").waitFor();
  await page.getByRole("link", { name: "Files", exact: true }).first().tap();
  await page.getByRole("link", { name: /^Trash/ }).tap();
  await page.getByRole("button", { name: "Restore notes (2).txt" }).tap();
  await page.getByRole("button", { name: "Restore notes (2).txt" }).waitFor({ state: "detached" });
  assert.ok(existsSync(on_pc("holiday & more #1", "notes (2).txt")));
  await shoot("trash");
  await page.getByRole("button", { name: "Erase shopping list.txt" }).tap();
  await page.getByRole("dialog").getByRole("button", { name: "Erase it" }).tap();
  await page.getByText("The trash is empty.").waitFor();
});

test("what a file was before it was replaced is brought back", async () => {
  const put = async (text: string) => (await context.request.put(`${new URL(page.url()).origin}/dav/letter.txt`, { data: text })).ok();
  assert.ok((await put("Dear Mia")) && (await put("oops")));
  await page.getByRole("link", { name: "Files", exact: true }).first().tap();
  await act("letter.txt", "Earlier versions");
  const versions = page.getByRole("region", { name: "Earlier versions" });
  await versions.getByText("8 bytes").waitFor();
  await shoot("versions");
  const [download] = await Promise.all([page.waitForEvent("download"), versions.getByRole("button", { name: /^Download/ }).tap()]);
  assert.equal(readFileSync((await download.path())!, "utf8"), "Dear Mia");
  await versions.getByRole("button", { name: /^Bring back/ }).tap();
  await page.getByText("It is again what it was").waitFor();
  assert.equal(readFileSync(on_pc("letter.txt"), "utf8"), "Dear Mia");
});

test("a program runs on chosen files, and its result lies beside them", async () => {
  await page.goto(`${new URL(page.url()).origin}/#/files`);
  await act("letter.txt", "Run on");
  await page.getByRole("heading", { name: "Run", exact: true }).waitFor();
  await page.getByRole("list", { name: "Of your files" }).getByText("/letter.txt").waitFor();
  assert.equal(await page.getByLabel("Arguments").inputValue(), "letter.txt");
  await page.getByText("Results go into Files").waitFor();
  await page.locator("label").filter({ hasText: "Shell" }).tap();
  await page.locator("#source").fill("tr a-z A-Z < $1 > loud.txt");
  await shoot("run");
  await page.getByRole("button", { name: "Run it" }).tap();
  await page.getByText("Its results go into").waitFor();
  await until(60_000, () => (existsSync(on_pc("loud.txt")) ? true : undefined));
  assert.equal(readFileSync(on_pc("loud.txt"), "utf8"), "DEAR MIA");
});

test("several files leave as one archive", async () => {
  await page.getByRole("link", { name: "Files", exact: true }).first().tap();
  await row("holiday & more #1").tap();
  await page.getByRole("button", { name: "Select", exact: true }).tap();
  await row("frame9.png").tap();
  await row("film.bin").tap();
  const [download] = await Promise.all([page.waitForEvent("download"), page.getByRole("region", { name: "What is chosen" }).getByRole("button", { name: "Download" }).tap()]);
  const archive = join(folder, "got.zip");
  await download.saveAs(archive);
  const names = execFileSync("python3", ["-c", "import sys, zipfile; z = zipfile.ZipFile(sys.argv[1]); print(z.testzip()); print(*sorted(z.namelist()), sep='\\n')", archive], { encoding: "utf8" });
  assert.match(names, /^None\n.*film\.bin\n.*frame9\.png\n$/);
});

test("a folder that is opened while the PC is away is there once it is back", async () => {
  const errors: Error[] = [];
  page.on("pageerror", (error) => errors.push(error));
  await page.getByRole("link", { name: "Files", exact: true }).first().tap();
  await row("holiday & more #1").waitFor();
  wire.away = true;
  await row("holiday & more #1").tap();
  await page.getByText("Not connected.").waitFor();
  await shoot("away");
  wire.away = false;
  await row("film.bin").waitFor();
  assert.deepEqual(errors, []);
});

// Of a name and of one with another ending, their beginnings alone would look the same.
test("a long name's ending is seen at a narrow phone's width", async () => {
  const stem = "The report on what was seen by the sea, the last of all days";
  mkdirSync(on_pc("narrow"));
  for (const ending of [".pdf", " (2).pdf", ".txt"]) writeFileSync(on_pc("narrow", stem + ending), "x");
  const size = page.viewportSize()!;
  await page.setViewportSize({ width: 360, height: 740 });
  await page.goto(`${new URL(page.url()).origin}/#/files/narrow`);
  await row(`${stem}.txt`).waitFor();
  for (const ending of [`days.pdf`, ` (2).pdf`, `days.txt`]) {
    const end = await page.getByRole("list", { name: "Files" }).locator("[aria-hidden]").getByText(ending, { exact: true }).boundingBox();
    assert.ok(end !== null && end.x + end.width <= 360 && end.width > 30, ending);
  }
  await shoot("narrow");
  await page.getByRole("button", { name: `More for ${stem}.pdf`, exact: true }).tap();
  const title = page.getByRole("dialog", { name: `${stem}.pdf` }).getByRole("heading");
  assert.ok(await title.evaluate((heading) => heading.scrollWidth <= heading.clientWidth), "it wraps");
  await shoot("narrow-menu");
  await page.keyboard.press("Escape");
  await page.setViewportSize(size);
});

test("the views are readable by day and by night, though much is kept", async () => {
  const usage = create(DriveUsageReplySchema, { files: 123_456n, bytes: 888_888_888_888n, trashBytes: 1_000n, versionsBytes: 88_888_888_888n, freeBytes: 888_888_888_888n, folder: on_pc() });
  await page.route("**/hearth.v1.DriveService/Usage", (route) => route.fulfill({ contentType: "application/proto", body: Buffer.from(toBinary(DriveUsageReplySchema, usage)) }));
  for (const scheme of ["light", "dark"] as const) {
    await page.emulateMedia({ colorScheme: scheme });
    await page.goto(`${new URL(page.url()).origin}/#/files`);
    await page.getByText("828 GiB used,").waitFor();
    await shoot(`root-${scheme}`);
  }
  await context.close();
});
