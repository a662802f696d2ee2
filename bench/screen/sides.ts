// One app in a browser, through Hearth or through another program: the same for both, so that they are measured alike.
import { basename, join } from "node:path";
import type { Browser, Page } from "playwright-core";
import type { Pool } from "../../tests/harness/pool";
import { Peer } from "./peers";
import { pair, programs, sent_from, start } from "./watching";

export interface Side {
  page: Page;
  words: string[]; // in the command lines of what shows the app, see cpu_of()
  sent: () => Promise<number>; // bytes to the page
  stop: () => Promise<void>;
}

// `app`: the arguments of app.py; the last may be a file. `way`: "hub" or "direct".
export async function ours(pool: Pool, browser: Browser, way: string, app: string[]): Promise<Side> {
  const page = await pair(pool, browser, way);
  const files = app.filter((word) => word.startsWith("/"));
  const job = await start(pool, page, ["app.py", ...app.map((word) => (word.startsWith("/") ? basename(word) : word))], "0", files);
  return {
    page,
    words: ["--serve", "/hearth-media", `daemon\0node\0--home\0${pool.home}`, `daemon\0hub\0--home\0${pool.home}`],
    sent: () => (way === "hub" ? Promise.resolve(sent_from(pool.port)) : page.evaluate(() => window.bench.received())),
    stop: async () => {
      await page.context().close();
      pool.cli_now("cancel", job);
    },
  };
}

export async function theirs(browser: Browser, name: string, app: string[]): Promise<Side> {
  const { peer, page } = await Peer.open(name, ["python3", join(programs, "app.py"), ...app], browser);
  return {
    page,
    words: peer.words,
    sent: () => Promise.resolve(sent_from(peer.page_port)),
    stop: async () => {
      await page.context().close();
      await peer.stop();
    },
  };
}
