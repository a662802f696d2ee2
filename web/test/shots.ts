// Takes a picture of every view, with a pool that looks like one.
import { create } from "@bufbuild/protobuf";
import { join } from "node:path";
import type { BrowserContext, Page } from "playwright-core";
import { JobSpecSchema, LogStream } from "../src/gen/hearth/v1/jobs_pb";
import { KeyKind, Role } from "../src/gen/hearth/v1/pairing_pb";
import { JobState, ResourcesSchema } from "../src/gen/hearth/v1/types_pb";
import { desktop, launch, phone, type Scheme } from "./browser";
import { run_job } from "./mock/engine";
import { furnish_operator } from "./mock/furniture";
import { pairing_link } from "./mock/services";
import { start_mock, type MockServer } from "./mock/server";
import { now } from "./mock/state";

function furnish({ state }: MockServer): { done: bigint; failed: bigint; live: bigint; waiting: bigint } {
  const gib = 1n << 30n;
  state.add_node("kitchen-pc", 12, 32n * gib, { cpuLoad: 0.62, memoryUsedBytes: 11n * gib, runningTasks: 7, used: create(ResourcesSchema, { cores: 7 }) });
  state.add_node("attic-pc", 4, 8n * gib, { cpuLoad: 0.08, memoryUsedBytes: 2n * gib, closed: true, closedReason: "Open again at 22:00" });
  state.add_node("old laptop", 2, 4n * gib, { connected: false });
  furnish_operator(state);
  state.add_device("Mara's phone", Role.MEMBER, KeyKind.ED25519, Buffer.alloc(44)).record.lastSeen = now();
  state.add_device("workshop tablet", Role.MEMBER, KeyKind.ED25519, Buffer.alloc(44)).record.lastSeen!.unixMillis -= 7_300_000n;
  const spec = (name: string, tasks: number) => create(JobSpecSchema, { name, argv: ["povray", "+Iscene.pov", "+Oframe-{i}.png", "+K0.{i}"], tasks, resources: { cores: 1, memoryBytes: gib }, outputs: ["*.png"] });
  const done = state.add_job(spec("mandelbrot zoom", 8), "Mara's phone");
  void run_job(state, done);
  const fail_source = state.put_blob(Buffer.from("FAIL"));
  const failed = state.add_job(spec("word count", 4), "kitchen-pc");
  const live = state.add_job(spec("render: lighthouse at night", 240), "Linux laptop");
  Object.assign(live.job, { state: JobState.RUNNING, started: now(), pending: 121, running: 7, succeeded: 110, failed: 2, secondsLeft: 412n });
  live.job.started!.unixMillis -= 370_000n;
  for (let i = 0; i < 40; i++) {
    state.log(live, i % 5, LogStream.STDOUT, `Rendering line ${12 * i} of 480, ${1000 + 37 * i} rays\n`);
    if (i % 13 === 12) state.log(live, i % 5, LogStream.STDERR, "Parse Warning: this scene uses an older #version; radiosity was left off\n");
  }
  const waiting = state.add_job(spec("assemble the film", 1), "Linux laptop");
  void fail_source;
  Object.assign(failed.job, { state: JobState.FAILED, pending: 0, succeeded: 3, failed: 1, started: now(), ended: now() });
  return { done: done.job.id, failed: failed.job.id, live: live.job.id, waiting: waiting.job.id };
}

async function pair(mock: MockServer, context: BrowserContext, name: string, on_digits?: (page: Page) => Promise<void>): Promise<Page> {
  const page = await context.newPage();
  await page.goto(pairing_link(mock.origin, mock.state.invite(Role.OWNER).secret));
  await page.getByLabel("Name of this device").fill(name);
  await page.getByRole("button", { name: "Pair this device" }).click();
  await page.getByLabel(/^Six digits/).waitFor();
  await on_digits?.(page);
  for (const [id, { pending }] of mock.state.pairings) if (pending.name === name && pending.digits !== "") mock.state.answer_pairing(id, true);
  await page.getByRole("navigation", { name: "Main" }).waitFor();
  return page;
}

export async function take(dist: string, folder: string): Promise<void> {
  const mock = await start_mock(dist);
  const jobs = furnish(mock);
  const browser = await launch();
  const load = setInterval(() => {
    for (const node of mock.state.nodes.values()) {
      if (node.connected) node.cpuLoad = Math.min(1, Math.max(0.02, node.cpuLoad + (Math.random() - 0.5) * 0.12));
    }
    mock.state.tell({ nodes: Array.from(mock.state.nodes.values()) });
  }, 60);
  try {
    for (const scheme of ["light", "dark"] as Scheme[]) {
      await views(mock, await phone(browser, scheme), `phone-${scheme}`);
      await views(mock, await desktop(browser, scheme), `desktop-${scheme}`);
    }
  } finally {
    clearInterval(load);
    await browser.close();
    await mock.close();
  }

  async function views(server: MockServer, context: BrowserContext, device: string) {
    const shoot = async (page: Page, name: string, whole = false) => {
      await page.screenshot({ path: join(folder, `${device}-${name}.png`), fullPage: whole, animations: "disabled" });
    };
    const first = await context.newPage();
    await first.goto(server.origin);
    await first.getByLabel("Code from your PC").waitFor();
    await shoot(first, "pair");
    await first.close();
    const page = await pair(server, context, device.startsWith("phone") ? `Pixel ${device}` : `Laptop ${device}`, (at) => shoot(at, "digits"));
    await page.getByText("attic-pc", { exact: true }).first().waitFor();
    await page.waitForTimeout(4500);
    await shoot(page, "home");
    await shoot(page, "home-whole", true);
    const go = async (fragment: string, wait: string) => {
      await page.goto(`${server.origin}/${fragment}`);
      await page.getByText(wait).first().waitFor();
      await page.waitForTimeout(700);
    };
    await go("#/pool", "render: lighthouse");
    await shoot(page, "pool", true);
    await page.getByRole("button", { name: "Book PCs" }).click();
    await page.waitForTimeout(400);
    await shoot(page, "book");
    await page.keyboard.press("Escape");
    await page.getByRole("button", { name: "Drain kitchen-pc" }).click();
    await page.waitForTimeout(400);
    await shoot(page, "drain");
    await page.keyboard.press("Escape");
    await go("#/run", "Input files");
    await shoot(page, "run", true);
    await go("#/jobs", "Active");
    await shoot(page, "jobs");
    await go(`#/jobs/${jobs.live}`, "Rendering line");
    await shoot(page, "job-live", true);
    await go(`#/jobs/${jobs.waiting}`, "busy with other tasks");
    await shoot(page, "job-waiting");
    await go(`#/jobs/${jobs.done}`, "picture-7.png");
    await page.waitForTimeout(800);
    await shoot(page, "job-done", true);
    await page.getByRole("button", { name: "Show picture-3.png large" }).click();
    await page.waitForTimeout(400);
    await shoot(page, "lightbox");
    await page.keyboard.press("Escape");
    server.state.add_pairing("Jo's tablet", "402117", Role.MEMBER, KeyKind.ED25519, Buffer.alloc(44));
    await go("#/devices", "wants to join");
    await shoot(page, "devices");
    for (const [id] of server.state.pairings) server.state.answer_pairing(id, false);
    await page.getByRole("button", { name: "Invite" }).click();
    await page.getByRole("img", { name: "QR code with the invitation" }).waitFor();
    await page.waitForTimeout(300);
    await shoot(page, "invite");
    await context.close();
  }
}
