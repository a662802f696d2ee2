// A web program of a job in Debian's Chromium at a phone's size against a real pool: opened by a tap, used, and kept to an
// origin of its own.
import assert from "node:assert/strict";
import { join } from "node:path";
import { test } from "node:test";
import { deflateSync } from "node:zlib";
import type { Browser, BrowserContext, Page } from "playwright-core";
import { phone } from "../../web/test/browser";
import { pair } from "../harness/device";
import source from "../harness/web_program.py"; // its text
import { raise_pool, screenshots } from "../harness/stage";

let browser: Browser;
const pool = raise_pool((it) => (browser = it));

// A word of an app is one line, and all of them 4 KiB.
function as_one_line(program: string): string {
  return `import base64, zlib; exec(zlib.decompress(base64.b64decode("${deflateSync(program).toString("base64")}")))`;
}

function cancel_all(): void {
  for (const job of pool.json<{ jobs: { id: string; state: string }[] }>("jobs").jobs) pool.cli_now("cancel", String(job.id));
}

// A tab that is to see what its page may not do, and complains of it in the console.
async function hostile(context: BrowserContext, url: string): Promise<Page> {
  const page = await context.newPage();
  page.setDefaultTimeout(60_000);
  await page.goto(url);
  return page;
}

test("a web program opens by a tap at an origin of its own, and reaches nothing of the family's page", { timeout: 300_000 }, async () => {
  pool.cli_now("app", "add", "--web", "9000", "Counter", "--", "python3", "-c", as_one_line(source));
  const context = await phone(browser);
  const page = await pair(pool, context, "reader");
  await page.evaluate(() => localStorage.setItem("family", "secret"));
  await page.getByRole("button", { name: "Counter" }).tap();
  await page.getByRole("heading", { name: "A page of its own" }).waitFor();
  const door = new URL(page.url());
  assert.notEqual(door.origin, pool.origin);
  assert.equal(door.hostname, new URL(pool.origin).hostname);
  assert.equal(door.pathname + door.search, "/");
  await page.getByRole("button", { name: "Ask" }).tap();
  await page.getByText("by fetch, by socket").waitFor();
  await page.screenshot({ path: join(screenshots, "web-program.png") });

  // As the program's own script, which is worse than it looks.
  const program = await hostile(context, door.href);
  const seen = await program.evaluate(async (hub) => {
    const tried = (work: Promise<unknown>) => work.then(
      (value) => `yes: ${String(value)}`,
      () => "no",
    );
    const socket = new Promise((resolve, reject) => {
      const one = new WebSocket(`${hub.replace("https", "wss")}/forward?job=1&task=0&port=9000`, "hearth-tunnel.1");
      one.onopen = resolve;
      one.onerror = reject;
    });
    const family = window.open(hub);
    return {
      stored: localStorage.length,
      databases: (await indexedDB.databases()).length,
      cookies: document.cookie,
      call: await tried(fetch(`${hub}/hearth.v1.JobService/List`, { method: "POST", credentials: "include", headers: { "Content-Type": "application/json" }, body: "{}" })),
      blind: await tried(fetch(`${hub}/dav/`, { credentials: "include", mode: "no-cors" })),
      socket: await tried(socket),
      worker: await tried(navigator.serviceWorker.register("/sw.js")),
      elsewhere: await tried(fetch("https://example.org/", { mode: "no-cors" })),
      family: await tried((async () => {
        while (family!.location.href === "about:blank") await new Promise((next) => setTimeout(next, 50)); // its own until it is there
        return family!.document.title;
      })()),
    };
  }, pool.origin);
  assert.deepEqual(seen, { stored: 0, databases: 0, cookies: "", call: "no", blind: "no", socket: "no", worker: "no", elsewhere: "no", family: "no" });

  // Nor does another program, at the next door.
  await program.evaluate(() => localStorage.setItem("first", "mine"));
  const { job_id } = pool.json<{ job_id: string }>("app", "start", "Counter");
  const link = await (async () => {
    for (;;) {
      const opened = await pool.cli("open", job_id);
      if (opened.code === 0) return opened.out.trim();
    }
  })();
  const other = await hostile(context, link);
  await other.getByRole("heading", { name: "A page of its own" }).waitFor();
  assert.notEqual(new URL(other.url()).origin, door.origin);
  assert.equal(await other.evaluate(() => localStorage.length), 0);
  const across = await other.evaluate(
    (target) => fetch(target, { method: "POST", credentials: "include", mode: "no-cors", body: "x" }).then(() => "yes", () => "no"),
    `${door.origin}/echo`,
  );
  assert.equal(across, "no");

  // A browser that comes without the door's cookie is a new one there: nothing lies there for it.
  await context.clearCookies({ name: /hearth-door/ });
  await program.reload();
  await program.getByRole("heading", { name: "This browser has not been let in" }).waitFor();
  await program.screenshot({ path: join(screenshots, "web-closed.png") });
  await program.getByRole("link", { name: "Open it from Hearth" }).tap();
  await program.getByRole("heading", { name: "A page of its own" }).waitFor();
  assert.equal(await program.evaluate(() => localStorage.length), 0);

  // The way back leads to the family's page, not to the way here.
  await page.goBack();
  await page.getByRole("navigation", { name: "Main" }).waitFor();
  assert.equal(await page.evaluate(() => localStorage.getItem("family")), "secret");
  pool.cli_now("app", "remove", "Counter");
  cancel_all();
  await context.close();
});

test("a job's page opens what listens at a port of it, and says what it waits for", { timeout: 300_000 }, async () => {
  const context = await phone(browser);
  const page = await pair(pool, context, "runner", "owner");
  await page.goto(`${pool.origin}/#/run`);
  await page.getByLabel("Web", { exact: true }).check();
  await page.getByLabel("Its port").fill("9000");
  await page.getByLabel("Shell", { exact: true }).check();
  await page.getByLabel("Source of").fill("sleep 1000");
  await page.screenshot({ path: join(screenshots, "web-run.png"), fullPage: true });
  await page.getByRole("button", { name: "Run it" }).tap();
  await page.getByText("nothing in the task takes connections on port 9000", { exact: false }).waitFor();
  await page.screenshot({ path: join(screenshots, "web-waiting.png") });

  const job = pool.cli_now("run", "--detach", "--", "python3", "-c", source).trim();
  await page.goto(`${pool.origin}/#/jobs/${job}`);
  await page.getByText("Open a web page of it").tap();
  await page.getByLabel("The port that it listens on").fill("9000");
  await page.screenshot({ path: join(screenshots, "web-job.png") });
  // Where the door's port is not let through, nothing comes from it for as long as a browser waits.
  await context.route(/hearth-enter/, (route) => void setTimeout(() => void route.abort("aborted"), 12_000));
  await page.getByRole("button", { name: "Open", exact: true }).tap();
  await page.getByText("Nothing comes from port").waitFor();
  await page.screenshot({ path: join(screenshots, "web-stuck.png") });
  await context.unroute(/hearth-enter/);
  await page.getByRole("button", { name: "Try again" }).tap();
  await page.getByRole("heading", { name: "A page of its own" }).waitFor();
  await context.close();
});
