// A phone, and the screen that somebody sits at: it is seen and used on the page like any app, until the person there says stop.
import assert from "node:assert/strict";
import { type ChildProcess, spawn } from "node:child_process";
import { join } from "node:path";
import { after, test } from "node:test";
import type { Browser } from "playwright-core";
import { phone } from "../../web/test/browser";
import { pair } from "../harness/device";
import { becomes, lacks_screen, raise_pool, screenshots } from "../harness/stage";

let browser: Browser;
const pool = raise_pool((raised) => (browser = raised));
const started: ChildProcess[] = [];
after(() => started.forEach((one) => one.kill("SIGKILL")));

// The first line that it prints.
function first_line(program: string, args: string[], env: NodeJS.ProcessEnv = {}): Promise<{ line: string; process: ChildProcess }> {
  const process_ = spawn(program, args, { env: { ...process.env, ...env }, stdio: ["ignore", "pipe", "ignore"] });
  started.push(process_);
  return new Promise((resolve, reject) => {
    let text = "";
    process_.stdout!.on("data", (piece: Buffer) => {
      text += piece.toString();
      if (text.includes("\n")) resolve({ line: text.split("\n")[0]!, process: process_ });
    });
    process_.on("exit", () => reject(new Error(`${program} has ended: ${text}`)));
  });
}

// Blue, until it is touched; red then.
const kColours = "stty raw -echo; printf '\\033[?9h\\033[44m\\033[2J'; dd bs=1 count=1 2>/dev/null >&2; printf '\\033[41m\\033[2J'; sleep 1000";

test("a phone sees its PC's own screen and uses it", { timeout: 300_000, skip: lacks_screen }, async () => {
  const desktop = await first_line("/usr/bin/Xvfb", ["-displayfd", "1", "-screen", "0", "1366x768x24", "-nolisten", "tcp", "-noreset"]);
  const display = { DISPLAY: `:${desktop.line}`, WAYLAND_DISPLAY: "", XDG_SESSION_TYPE: "" };
  started.push(spawn("/usr/bin/xterm", ["-b", "0", "-bw", "0", "-geometry", "400x200+0+0", "-e", "sh", "-c", kColours], { env: { ...process.env, ...display } }));
  const ann = await pair(pool, await phone(browser), "ann", "owner");
  const sharing = await first_line(process.env.HEARTH_PROGRAM!, ["--home", pool.home, "app", "share-screen", "--name", "The den"], display);

  await ann.getByRole("link", { name: "The den Running" }).click();
  await ann.getByRole("link", { name: "See the screen" }).waitFor();
  await ann.screenshot({ path: join(screenshots, "share-screen-job.png") });
  await ann.getByRole("link", { name: "See the screen" }).click();
  const picture = ann.getByLabel("The den, its picture");
  await becomes(picture, "00f");
  await becomes(picture, "f00", 683, 2); // the sign
  await ann.screenshot({ path: join(screenshots, "share-screen.png") });
  assert.deepEqual(await picture.evaluate((canvas: HTMLCanvasElement) => [canvas.width, canvas.height]), [1366, 768], "as it is");
  await picture.tap();
  await becomes(picture, "f00");

  sharing.process.kill("SIGINT");
  await ann.getByRole("link", { name: "Done" }).waitFor();
  await ann.screenshot({ path: join(screenshots, "share-screen-over.png") });
  await ann.context().close();
});
