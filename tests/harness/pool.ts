// A pool of the real program for tests that run in Node.
import { execFile, execFileSync } from "node:child_process";
import { createPrivateKey, sign } from "node:crypto";
import { mkdirSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

const program = process.env.HEARTH_PROGRAM!;

export interface Ended {
  code: number;
  out: string;
  err: string;
}

export class Pool {
  // `address`: one of this machine's.
  constructor(readonly address = "127.0.0.1") {}

  private readonly root = mkdtempSync(join(tmpdir(), "hearth-e2e-"));
  readonly home = join(this.root, "home");
  readonly work = join(this.root, "work");
  private readonly env = { ...process.env, HEARTH_HOME: this.home, DBUS_SYSTEM_BUS_ADDRESS: "unix:path=/nonexistent", DISPLAY: "" };

  up(): void {
    mkdirSync(this.work);
    this.cli_now("up", "--address", this.address, "--port", "0", "--no-invite");
  }

  // Throws if the command fails.
  cli_now(...words: string[]): string {
    return execFileSync(program, words, { env: this.env, cwd: this.work, encoding: "utf8", timeout: 60_000, stdio: ["ignore", "pipe", "pipe"] });
  }

  cli(...words: string[]): Promise<Ended> {
    return new Promise((resolve) =>
      execFile(program, words, { env: this.env, cwd: this.work, timeout: 60_000 }, (error, out, err) =>
        resolve({ code: error === null ? 0 : Number(error.code ?? 1), out, err }),
      ),
    );
  }

  json<T>(...words: string[]): T {
    return JSON.parse(this.cli_now(...words, "--json")) as T;
  }

  get port(): number {
    return Number(this.json_file("hub/endpoint.json").port);
  }
  get origin(): string {
    return `https://${this.address}:${this.port}`;
  }
  get log(): string {
    return readFileSync(join(this.home, "log"), "utf8");
  }

  // What the owner's device says to a challenge, see proto/hearth/v1/pairing.proto.
  proof(challenge: Uint8Array, identity: Uint8Array): { deviceId: bigint; signature: Uint8Array<ArrayBuffer> } {
    const key = createPrivateKey(readFileSync(join(this.home, "cli/identity.pem")));
    const message = Buffer.concat([Buffer.from("hearth-session/1"), identity, challenge]);
    return { deviceId: BigInt(this.json_file("cli/account.json").device_id as number), signature: new Uint8Array(sign(null, message, key)) };
  }

  // Ends the pool; throws if a daemon left a report of a bug.
  close(): void {
    this.cli_now("down");
    const log = this.log;
    rmSync(this.root, { recursive: true, force: true });
    if (/Sanitizer|runtime error:|this is a bug in Hearth/.test(log)) throw new Error(log);
  }

  private json_file(name: string): Record<string, unknown> {
    return JSON.parse(readFileSync(join(this.home, name), "utf8")) as Record<string, unknown>;
  }
}

export async function until<T>(millis: number, ask: () => T | undefined | Promise<T | undefined>): Promise<T> {
  const end = Date.now() + millis;
  for (;;) {
    const value = await ask();
    if (value !== undefined) return value;
    if (Date.now() > end) throw new Error("it did not happen in time");
    await new Promise((resolve) => setTimeout(resolve, 30));
  }
}
