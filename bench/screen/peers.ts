// Other programs that show an app in a browser, started once for one app: TigerVNC's and x11vnc's displays in noVNC, and
// xpra's own page. All from Debian, on ports of the kernel's choice; what was started is ended by stop().
import { spawn, type ChildProcess } from "node:child_process";
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { createServer, connect, type AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Browser, Page } from "playwright-core";
import { until } from "../../tests/harness/pool";
import { kHeight, kWidth, seen, watch } from "./watching";

const kNoVnc = "/usr/share/novnc";
const kNeeds: Record<string, string[]> = {
  tigervnc: ["/usr/bin/Xtigervnc", "/usr/bin/websockify", kNoVnc],
  x11vnc: ["/usr/bin/x11vnc", "/usr/bin/Xvfb", "/usr/bin/websockify", kNoVnc],
  xpra: ["/usr/bin/xpra", "/usr/bin/Xvfb", "/usr/share/xpra/www/index.html"],
};
export const peers = Object.keys(kNeeds);

// Why a peer cannot be measured here; false: it can.
export function lacks(peer: string): string | false {
  const missing = kNeeds[peer]!.filter((file) => !existsSync(file));
  return missing.length > 0 && `${missing.join(", ")} missing`;
}

// A process with all that it starts, as a session of its own.
export class Started {
  private readonly process: ChildProcess;
  private readonly ended: Promise<void>;
  private told = "";

  constructor(command: string[], env: NodeJS.ProcessEnv) {
    this.process = spawn(command[0]!, command.slice(1), { env: { ...process.env, ...env }, detached: true, stdio: ["ignore", "ignore", "ignore", "pipe"] });
    this.ended = new Promise((resolve) => this.process.on("exit", () => resolve()));
    this.process.stdio[3]!.on("data", (data: Buffer) => (this.told += data.toString()));
  }

  // What an X server says by `-displayfd 3`.
  display(): Promise<string> {
    return until(20_000, () => (this.told.endsWith("\n") ? `:${this.told.trim()}` : undefined));
  }

  async stop(): Promise<void> {
    this.process.kill("SIGTERM");
    await this.ended;
    await until(20_000, () => {
      const left = session_of(this.process.pid!);
      if (left.length === 0) return true;
      try {
        process.kill(left[0]!, "SIGTERM");
      } catch {
        return undefined; // it has ended meanwhile
      }
    });
  }
}

// The processes of a session that have not ended. xpra leaves its X server, in a process group of its own.
function session_of(leader: number): number[] {
  const is_of = (process: string) => {
    try {
      const fields = readFileSync(`/proc/${process}/stat`, "latin1").replace(/^.*\) /, "").split(" ");
      return Number(fields[3]) === leader && fields[0] !== "Z";
    } catch {
      return false; // it has ended
    }
  };
  return readdirSync("/proc").filter((name) => /^\d+$/.test(name) && is_of(name)).map(Number);
}

export class Peer {
  private readonly root = mkdtempSync(join(tmpdir(), "hearth-peer-"));
  private readonly started: Started[] = [];
  private address = "";
  page_port = 0;
  words: string[] = []; // in the command lines of what it consists of

  private constructor(readonly name: string) {}

  // The app's picture on a page of its own; `app` is started in the peer's display.
  static async open(name: string, app: string[], browser: Browser): Promise<{ peer: Peer; page: Page }> {
    const peer = new Peer(name);
    try {
      if (name === "xpra") await peer.start_xpra(app);
      else await peer.start_vnc(app);
      return { peer, page: await peer.show(browser) };
    } catch (error) {
      await peer.stop();
      throw error;
    }
  }

  async stop(): Promise<void> {
    for (const started of this.started.reverse()) await started.stop();
    rmSync(this.root, { recursive: true, force: true });
  }

  private start(command: string[], env: NodeJS.ProcessEnv = {}): Started {
    const started = new Started(command, { HOME: this.root, XDG_RUNTIME_DIR: this.root, ...env });
    this.started.push(started);
    return started;
  }

  private async start_vnc(app: string[]): Promise<void> {
    const [rfb, web] = [await free_port(), await free_port()];
    const size = `${kWidth}x${kHeight}`;
    let display: string;
    if (this.name === "tigervnc") {
      display = await this.start(["Xtigervnc", "-displayfd", "3", "-geometry", size, "-depth", "24", "-FrameRate", "60", "-SecurityTypes", "None", "-interface", "127.0.0.1", "-rfbport", `${rfb}`, "-nolisten", "tcp"]).display();
    } else {
      display = await this.start(["Xvfb", "-displayfd", "3", "-screen", "0", `${size}x24`, "-nolisten", "tcp"]).display();
      this.start(["x11vnc", "-display", display, "-rfbport", `${rfb}`, "-localhost", "-forever", "-shared", "-nopw", "-quiet"]);
    }
    this.start(app, { DISPLAY: display });
    const files = join(this.root, "web");
    mkdirSync(files);
    for (const part of ["core", "vendor"]) symlinkSync(join(kNoVnc, part), join(files, part));
    writeFileSync(join(files, "index.html"), kNoVncPage);
    this.start(["websockify", "--web", files, `127.0.0.1:${web}`, `127.0.0.1:${rfb}`]);
    await Promise.all([listens(rfb), listens(web)]);
    this.page_port = web;
    this.words = [`${rfb}`];
    this.address = `http://127.0.0.1:${web}/`;
  }

  private async start_xpra(app: string[]): Promise<void> {
    this.page_port = await free_port();
    const off = ["mdns", "notifications", "pulseaudio", "webcam", "printing", "file-transfer", "clipboard", "systemd-run", "dbus-control", "dbus-proxy", "start-new-commands", "bell"].map((feature) => `--${feature}=no`);
    const server = `Xvfb -screen 0 ${kWidth + 200}x${kHeight + 200}x24+32 +extension Composite -nolisten tcp -noreset`;
    this.start(["xpra", "start", "--daemon=no", "--html=on", `--bind-tcp=127.0.0.1:${this.page_port}`, `--socket-dir=${this.root}`, "--dbus-launch=", "--speaker=disabled", "--microphone=disabled", ...off, `--xvfb=${server}`, `--start-child=${app.join(" ")}`, "--exit-with-children=yes"]);
    await listens(this.page_port);
    this.words = [`127.0.0.1:${this.page_port}`];
    this.address = `http://127.0.0.1:${this.page_port}/index.html?floating_menu=false&sound=false`;
  }

  private async show(browser: Browser): Promise<Page> {
    const context = await browser.newContext({ viewport: { width: kWidth + 150, height: kHeight + 150 } });
    await watch(context);
    const page = await context.newPage();
    await page.goto(this.address);
    await seen(page);
    return page;
  }
}

const kNoVncPage = `<!DOCTYPE html><body style="margin:0"><div id="screen" style="width:100vw;height:100vh"></div>
<script type="module">
  import RFB from "/core/rfb.js";
  window.rfb = new RFB(document.getElementById("screen"), "ws://" + location.host + "/websockify");
</script>`;

async function free_port(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as AddressInfo;
  await new Promise((resolve) => server.close(resolve));
  return port;
}

async function listens(port: number): Promise<void> {
  await until(30_000, () => new Promise<true | undefined>((resolve) => {
    const socket = connect(port, "127.0.0.1", () => (socket.destroy(), resolve(true)));
    socket.on("error", () => resolve(undefined));
  }));
}
