// The page in a real browser against the mock: what a person does, from the link to the pictures and out again.
import { create } from "@bufbuild/protobuf";
import assert from "node:assert/strict";
import { join } from "node:path";
import { after, before, test } from "node:test";
import type { Browser, BrowserContext, Page } from "playwright-core";
import { Role } from "../../src/gen/hearth/v1/pairing_pb";
import { Ring } from "../../src/gen/hearth/v1/types_pb";
import { WorkspaceSchema } from "../../src/gen/hearth/v1/workspaces_pb";
import { first_times, moment_of } from "../../src/lib/bookings";
import { desktop, launch, phone } from "../browser";
import { furnish_operator } from "../mock/furniture";
import { pairing_link } from "../mock/services";
import { start_mock, type MockServer } from "../mock/server";

let browser: Browser;
let mock: MockServer;

before(async () => {
  mock = await start_mock(process.env.HEARTH_DIST ?? join(process.env.HEARTH_WEB!, "dist"));
  mock.state.add_node("kitchen-pc", 12, 32n << 30n);
  mock.state.add_node("attic-pc", 4, 8n << 30n);
  browser = await launch();
});

after(async () => {
  await browser?.close();
  await mock?.close();
});

// A page that fails the test on errors of its own: exceptions, and what the Content-Security-Policy stopped.
async function open(context: BrowserContext, url: string): Promise<Page> {
  const page = await context.newPage();
  page.setDefaultTimeout(60_000);
  page.on("pageerror", (error) => assert.fail(`the page threw: ${error.stack ?? error.message}`));
  page.on("console", (message) => assert.ok(!/Content Security Policy/.test(message.text()), message.text()));
  await page.goto(url);
  return page;
}

async function pending_of(name: string): Promise<[string, string]> {
  for (;;) {
    for (const [id, { pending }] of mock.state.pairings) if (pending.name === name && pending.digits !== "") return [id, pending.digits];
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

async function pair(context: BrowserContext, name: string, role = Role.OWNER): Promise<Page> {
  const { secret } = mock.state.invite(role);
  const page = await open(context, pairing_link(mock.origin, secret));
  await page.getByLabel("Name of this device").fill(name);
  await page.getByRole("button", { name: "Pair this device" }).click();
  const [id, digits] = await pending_of(name);
  await page.getByLabel(`Six digits: ${digits.split("").join(" ")}`).waitFor();
  mock.state.answer_pairing(id, true);
  await page.getByRole("navigation", { name: "Main" }).waitFor();
  return page;
}

test("a link pairs the phone, and its secret leaves the address at once", async () => {
  const context = await phone(browser);
  const { secret } = mock.state.invite(Role.OWNER);
  const page = await open(context, pairing_link(mock.origin, secret));
  await page.getByRole("button", { name: "Pair this device" }).waitFor();
  assert.equal(page.url(), `${mock.origin}/`);
  assert.equal(await page.getByLabel("Name of this device").inputValue(), "Android phone");
  await page.getByRole("button", { name: "Pair this device" }).click();
  const [id, digits] = await pending_of("Android phone");
  await page.getByLabel(`Six digits: ${digits.split("").join(" ")}`).waitFor();
  await page.reload(); // the phone slept: the page goes on waiting
  await page.getByLabel(`Six digits: ${digits.split("").join(" ")}`).waitFor();
  mock.state.answer_pairing(id, true);
  await page.getByRole("heading", { name: "All quiet" }).waitFor();
  await page.getByText("attic-pc", { exact: true }).waitFor();
  await page.reload(); // known now
  await page.getByRole("heading", { name: "All quiet" }).waitFor();
  await context.close();
});

test("eight digits do as well; wrong ones and a refusal are said", async () => {
  const context = await phone(browser);
  const page = await open(context, mock.origin);
  const { code } = mock.state.invite(Role.MEMBER);
  await page.getByLabel("Code from your PC").fill(code === "00000000" ? "00000001" : "0000 0000");
  await page.getByLabel("Name of this device").fill("typed");
  await page.getByRole("button", { name: "Pair this device" }).click();
  await page.getByRole("alert").getByText("wrong, used or too old").waitFor();
  await page.getByLabel("Code from your PC").fill(`${code.slice(0, 4)} ${code.slice(4)}`);
  await page.getByRole("button", { name: "Pair this device" }).click();
  mock.state.answer_pairing((await pending_of("typed"))[0], false);
  await page.getByRole("alert").getByText("The owner refused this device").waitFor();
  await context.close();
});

test("a link of another PC's identity is refused", async () => {
  const context = await phone(browser);
  const { secret } = mock.state.invite(Role.OWNER);
  const link = pairing_link(mock.origin, secret);
  const page = await open(context, `${link.slice(0, link.lastIndexOf("."))}.AAAAAAAAAAAAAA`);
  await page.getByRole("button", { name: "Pair this device" }).click();
  await page.getByRole("alert").getByText("is not the one that made the link").waitFor();
  await context.close();
});

test("a browser without Ed25519 pairs with a P-256 key", async () => {
  const context = await phone(browser);
  await context.addInitScript(() => {
    const { generateKey, importKey } = SubtleCrypto.prototype;
    const refuse = (name: string) => {
      if (name === "Ed25519") throw new DOMException("unrecognized name", "NotSupportedError");
    };
    Object.assign(SubtleCrypto.prototype, {
      async generateKey(this: SubtleCrypto, algorithm: { name: string }, ...rest: unknown[]) {
        refuse(algorithm.name);
        return Reflect.apply(generateKey, this, [algorithm, ...rest]);
      },
      async importKey(this: SubtleCrypto, format: string, key: unknown, algorithm: { name: string }, ...rest: unknown[]) {
        refuse(algorithm.name);
        return Reflect.apply(importKey, this, [format, key, algorithm, ...rest]);
      },
    });
  });
  const page = await pair(context, "old phone");
  await page.getByRole("heading", { name: "All quiet" }).waitFor();
  await context.close();
});

test("a program runs: progress, output, pictures, text, and the same again", async () => {
  const context = await phone(browser);
  const page = await pair(context, "runner");
  await page.getByRole("link", { name: "Run", exact: true }).click();
  await page.getByLabel("Tasks").fill("3");
  await page.getByRole("button", { name: "Run 3 tasks" }).click();
  await page.getByRole("heading", { name: "main.py" }).waitFor();
  await page.getByText("Done", { exact: true }).first().waitFor();
  await page.getByRole("log").getByText("100 %").nth(2).waitFor();
  assert.equal(await page.getByRole("log").getByText("100 %").count(), 3);

  await page.getByRole("button", { name: "Show picture-2.png large" }).click();
  await page.getByText("3 of 3", { exact: true }).waitFor();
  await page.keyboard.press("ArrowRight");
  await page.getByText("1 of 3", { exact: true }).waitFor();
  await page.getByRole("dialog", { name: "Picture" }).getByText("picture-0.png").waitFor();
  const width = await page.getByRole("dialog", { name: "Picture" }).getByRole("img").evaluate((image: HTMLImageElement) => image.decode().then(() => image.naturalWidth));
  assert.equal(width, 200);
  await page.keyboard.press("Escape");
  await page.getByRole("dialog", { name: "Picture" }).waitFor({ state: "hidden" });

  await page.getByRole("button", { name: "Read note-0.txt" }).click();
  await page.getByLabel("Content of note-0.txt").getByText("warm").waitFor();
  const [download] = await Promise.all([page.waitForEvent("download"), page.getByRole("link", { name: "Download note-1.txt" }).click()]);
  assert.equal(download.suggestedFilename(), "note-1.txt");

  await page.getByRole("button", { name: "Run again" }).click();
  await page.getByRole("button", { name: "Run 3 tasks" }).waitFor();
  assert.match(await page.getByLabel("Source of main.py").inputValue(), /Mandelbrot/);
  await context.close();
});

test("a program runs in the environment that was chosen", async () => {
  mock.state.put_environment("python", 180 << 20, "Python with numpy, scipy and pillow");
  const context = await phone(browser);
  const page = await pair(context, "chooser");
  await page.getByRole("list", { name: "Environments" }).getByText("Python with numpy").waitFor();
  await page.getByRole("link", { name: "Run", exact: true }).click();
  await page.getByLabel("Environment").selectOption("python");
  await page.getByText("Python with numpy, scipy and pillow").waitFor();
  await page.getByRole("button", { name: "Run it" }).click();
  await page.getByRole("heading", { name: "main.py" }).waitFor();
  assert.equal([...mock.state.jobs.values()].at(-1)!.job.spec!.environment, "python");
  await page.getByText("; in python").waitFor();
  mock.state.environments.clear();
  await page.getByRole("button", { name: "Run again" }).click();
  assert.equal(await page.getByLabel("Environment").inputValue(), "python");
  await context.close();
});

test("workspaces are listed and removed after a question, unless a job has one", async () => {
  const add = (name: string, details: { usedBytes?: bigint; inUseBy?: bigint; nodeConnected?: boolean }) =>
    mock.state.workspaces.set(name, create(WorkspaceSchema, { name, ownerId: 1n, owner: "laptop", node: "attic", nodeConnected: true, bytes: 1n << 30n, ...details }));
  add("renders", { usedBytes: 200n << 20n });
  add("busy", { inUseBy: 7n });
  add("remote", { nodeConnected: false });
  const context = await phone(browser);
  const page = await pair(context, "keeper");
  const list = page.getByRole("list", { name: "Workspaces" });
  await list.getByText("200 MiB of 1 GiB").waitFor();
  await list.getByText("In use by job 7.").waitFor();
  const remove = async (name: string) => {
    await list.getByRole("button", { name: `Remove ${name}` }).click();
    await page.getByRole("dialog").getByRole("button", { name: "Remove", exact: true }).click();
  };
  await remove("renders");
  await list.getByText("renders").waitFor({ state: "detached" });
  await remove("remote");
  await list.getByText("wiped when attic is back").waitFor();
  await remove("busy");
  await page.getByRole("alert").getByText("is in use by job 7").waitFor();
  mock.state.workspaces.clear();
  await context.close();
});

test("a failure names its reason, and its error output is told apart", async () => {
  const context = await phone(browser);
  const page = await pair(context, "failing");
  await page.goto(`${mock.origin}/#/run`);
  await page.getByLabel("Source of main.py").fill("FAIL");
  await page.getByRole("button", { name: "Run it" }).click();
  await page.getByText("Failed", { exact: true }).first().waitFor();
  await page.getByText("The program ended with exit code 1.").first().waitFor();
  await page.getByRole("log").getByText("RuntimeError: FAIL").waitFor();
  await context.close();
});

test("a waiting job says why, and is cancelled after a question", async () => {
  const context = await phone(browser);
  const page = await pair(context, "waiting");
  await page.goto(`${mock.origin}/#/run`);
  await page.getByLabel("Source of main.py").fill("HOLD");
  await page.getByRole("button", { name: "Run it" }).click();
  await page.getByText("are busy with other tasks").waitFor();
  await page.getByRole("button", { name: "Cancel the job" }).click();
  await page.getByRole("dialog", { name: "Cancel this job?" }).getByRole("button", { name: "Cancel the job" }).click();
  await page.getByText("Cancelled", { exact: true }).first().waitFor();
  await context.close();
});

test("an ended job is removed after a question, and every open page drops it", async () => {
  const [own, other] = [await phone(browser), await desktop(browser)];
  const [page, watching] = [await pair(own, "remover"), await pair(other, "onlooker")];
  await page.goto(`${mock.origin}/#/run`);
  await page.getByText("More", { exact: true }).click();
  await page.getByLabel("Name of the job").fill("short lived");
  await page.getByRole("button", { name: "Run it" }).click();
  await page.getByText("Done", { exact: true }).first().waitFor();
  await watching.goto(new URL(page.url()).href);
  await watching.getByRole("heading", { name: "short lived" }).waitFor();
  await page.getByRole("button", { name: "Remove the job" }).click();
  const question = page.getByRole("dialog", { name: "Remove this job?" });
  await question.getByRole("button", { name: "Keep it" }).click();
  await question.waitFor({ state: "hidden" });
  await page.getByRole("button", { name: "Remove the job" }).click();
  await question.getByRole("button", { name: "Remove the job" }).click();
  await page.getByRole("heading", { name: "Jobs" }).waitFor();
  assert.equal(await page.getByText("short lived").count(), 0);
  await watching.getByText("This job was removed").waitFor();
  await watching.getByRole("link", { name: "Jobs", exact: true }).first().click();
  await watching.getByRole("heading", { name: "Jobs" }).waitFor();
  assert.equal(await watching.getByText("short lived").count(), 0);
  await own.close();
  await other.close();
});

test("an owner invites, compares, allows and revokes; the other is out", async () => {
  const [own, other] = [await desktop(browser), await phone(browser)];
  const owner = await pair(own, "owner laptop");
  await owner.getByRole("link", { name: "Devices" }).click();
  await owner.getByRole("button", { name: "Invite" }).click();
  await owner.getByRole("img", { name: "QR code with the invitation" }).waitFor();
  const code = (await owner.getByLabel(/^Eight digits/).textContent())!;
  const guest = await open(other, mock.origin);
  await guest.getByLabel("Code from your PC").fill(code);
  await guest.getByLabel("Name of this device").fill("Mara's phone");
  await guest.getByRole("button", { name: "Pair this device" }).click();
  const card = owner.getByRole("region", { name: "Mara's phone wants to join" });
  const shown = (await guest.getByLabel(/^Six digits/).textContent())!.replace(/\s/g, "");
  assert.equal((await card.getByLabel(/^Digits/).textContent())!.replace(/\s/g, ""), shown);
  await card.getByRole("button", { name: "Allow" }).click();
  await guest.getByRole("heading", { name: "All quiet" }).waitFor();
  await guest.getByRole("link", { name: "Devices" }).click();
  assert.equal(await guest.getByRole("button", { name: "Invite" }).count(), 0);

  await owner.getByRole("button", { name: "Revoke Mara's phone" }).click();
  await owner.getByRole("dialog", { name: "Revoke Mara's phone?" }).getByRole("button", { name: "Revoke" }).click();
  await guest.getByText("The pool no longer knows this device.").waitFor();
  await owner.getByText("Mara's phone", { exact: true }).waitFor({ state: "detached" });
  await own.close();
  await other.close();
});

test("a friend's page shows its own alone, and says so", async () => {
  const context = await phone(browser);
  const page = await pair(context, "friend's phone", Role.MEMBER);
  await page.getByText("% CPU").first().waitFor();
  for (const { record } of mock.state.devices.values()) if (record.name === "friend's phone") record.ring = Ring.FRIEND;
  mock.break_streams();
  await page.getByText("Nothing of yours has run here yet.").waitFor();
  await page.getByText("Cores you use").waitFor();
  assert.equal(await page.getByText("% CPU").count(), 0);
  await page.getByRole("link", { name: "Jobs" }).click();
  await page.getByText("Other people's jobs do not.").waitFor();
  await page.getByRole("link", { name: "Devices" }).click();
  await page.getByText("it is shown no others").waitFor();
  assert.equal(await page.getByRole("button", { name: "Invite" }).count(), 0);
  await context.close();
});

test("whoever runs the pool sees its queue, shares and usage, and drains a PC after a question", async () => {
  furnish_operator(mock.state);
  const context = await phone(browser);
  const page = await pair(context, "operator's phone", Role.OPERATOR);
  await page.getByRole("link", { name: "Pool", exact: true }).click();
  const queue = page.getByRole("list", { name: "Queue" });
  await queue.getByText("the firm acme uses as much as it may").waitFor();
  await queue.getByText("2 jobs: 14 tasks waiting, 6 running").waitFor();
  await page.getByRole("img", { name: /now design .*physics/ }).waitFor();

  const table = page.getByRole("table", { name: /Usage/ });
  await table.getByRole("row", { name: /design .*402.25/ }).waitFor();
  await page.getByLabel("Firm", { exact: true }).check();
  await table.getByRole("row", { name: /acme .*483.65/ }).waitFor();
  await table.getByRole("row", { name: /no firm .*[?]/ }).waitFor();
  const [download] = await Promise.all([page.waitForEvent("download"), page.getByRole("button", { name: "CSV" }).click()]);
  assert.equal(download.suggestedFilename(), "hearth-usage.csv");

  await page.getByRole("button", { name: "Book PCs" }).click();
  const form = page.getByRole("dialog", { name: "Book PCs" });
  await form.getByLabel(/For whom/).selectOption("physics");
  await form.getByLabel("How many PCs").fill("9");
  const [from, until] = first_times(new Date(Date.now() + 86_400_000)); // so that its notice has not begun
  await form.getByLabel("From", { exact: true }).fill(from);
  await form.getByLabel("Until", { exact: true }).fill(until);
  await form.getByRole("button", { name: "Book", exact: true }).click();
  await form.getByText("it asks for 9 nodes").waitFor();
  await form.getByLabel("How many PCs").fill("2");
  await form.getByRole("button", { name: "Book", exact: true }).click();
  await form.waitFor({ state: "hidden" });
  const bookings = page.getByRole("list", { name: "Bookings" });
  const own = bookings.getByRole("listitem").filter({ hasText: "physics 2 PCs" });
  await own.getByText("Its PCs are chosen at").waitFor();
  const booked = mock.state.bookings.at(-1);
  assert.equal(Number(booked!.from!.unixMillis), moment_of(from));
  assert.equal(Number(booked!.until!.unixMillis), moment_of(until));
  assert.equal(booked!.noticeSeconds, 600n);
  await own.getByRole("button", { name: /Take booking/ }).click();
  await page.getByRole("dialog", { name: "Take this booking back?" }).getByRole("button", { name: "Take it back" }).click();
  await own.waitFor({ state: "detached" });
  assert.equal(mock.state.bookings.length, 2);

  const map = page.getByRole("list", { name: "PCs" });
  await page.getByRole("button", { name: "Drain attic-pc" }).click();
  const question = page.getByRole("dialog", { name: "Drain attic-pc?" });
  await question.getByRole("button", { name: "Leave it" }).click();
  await question.waitFor({ state: "hidden" });
  assert.equal(await map.getByText("Drained").count(), 0);
  await page.getByRole("button", { name: "Drain attic-pc" }).click();
  await question.getByLabel("1 h", { exact: true }).check();
  await question.getByRole("button", { name: "Drain", exact: true }).click();
  await map.getByText("Drained").waitFor();
  const attic = [...mock.state.nodes.values()].find((node) => node.name === "attic-pc")!;
  assert.ok(Number(attic.graceEnds!.unixMillis) > Date.now() + 3_000_000);
  await page.getByRole("button", { name: "Let attic-pc serve again" }).click();
  await map.getByText("Drained").waitFor({ state: "detached" });
  await page.getByRole("button", { name: "Cordon attic-pc" }).click();
  await page.getByRole("dialog", { name: "Cordon attic-pc?" }).getByRole("button", { name: "Cordon", exact: true }).click();
  await map.getByText("Cordoned").waitFor();
  await page.getByRole("button", { name: "Let attic-pc serve again" }).click();
  await map.getByText("Cordoned").waitFor({ state: "detached" });
  await context.close();
});

test("a member has no operator's view", async () => {
  const context = await phone(browser);
  const page = await pair(context, "plain member", Role.MEMBER);
  await page.getByRole("link", { name: "Run", exact: true }).waitFor();
  assert.equal(await page.getByRole("link", { name: "Pool", exact: true }).count(), 0);
  await page.goto(`${mock.origin}/#/pool`);
  await page.getByText("for the pool's owners and operators").waitFor();
  assert.equal(await page.getByRole("button", { name: /^Drain/ }).count(), 0);
  await context.close();
});

test("a session that ran out and a broken stream are mended; forgetting leaves", async () => {
  const context = await phone(browser);
  const page = await pair(context, "mended");
  await page.getByRole("heading", { name: "All quiet" }).waitFor();
  mock.state.sessions.clear();
  mock.break_streams();
  await context.setOffline(true);
  await page.getByText("Not connected.").waitFor();
  await page.getByRole("link", { name: "https://10.0.0.6:7443/" }).waitFor(); // where the pool's next hub is
  await page.getByText("attic-pc", { exact: true }).waitFor(); // the last data stays
  await context.setOffline(false);
  await page.getByText("Not connected.").waitFor({ state: "detached" });
  mock.state.sessions.clear();
  await page.getByRole("link", { name: "Devices" }).click();
  await page.getByRole("button", { name: "Forget this device" }).click();
  await page.getByRole("button", { name: "Forget it" }).click();
  await page.getByText("This device was forgotten").waitFor();
  await page.reload();
  await page.getByLabel("Code from your PC").waitFor();
  await context.close();
});
