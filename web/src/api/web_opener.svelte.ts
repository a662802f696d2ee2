// Opens a job's web program: waits until it takes connections, then leaves this page for it. It has an origin of its own,
// at another port of this host (AppService.OpenWeb).
import { Code } from "@connectrpc/connect";
import { clients, is_code, sentence } from "./session";

const kLookAgain = 700; // milliseconds
const kComesWithin = 8000; // what answers at all has done so by then

export type Opening = { at: "waiting"; words: string } | { at: "leaving" } | { at: "stuck"; door: number } | { at: "over"; words: string };

export class WebOpener {
  state = $state.raw<Opening>({ at: "waiting", words: "" });
  #stop = new AbortController();
  #timer: ReturnType<typeof setTimeout> | undefined;

  // `port`: 0, that of the job's web program.
  constructor(
    readonly job: bigint,
    readonly port: number,
  ) {
    void this.#open();
  }

  close(): void {
    this.#stop.abort();
    clearTimeout(this.#timer);
  }

  async #open(): Promise<void> {
    try {
      const { door, path } = await clients.apps.openWeb({ jobId: this.job, port: this.port }, { signal: this.#stop.signal });
      const url = new URL(path, window.location.origin);
      url.port = String(door);
      this.state = { at: "leaving" };
      this.#timer = setTimeout(() => (this.state = { at: "stuck", door }), kComesWithin);
      window.location.replace(url); // so that the way back does not lead here
    } catch (error) {
      if (this.#stop.signal.aborted) return;
      const waits = is_code(error, Code.FailedPrecondition) || is_code(error, Code.Unavailable) || error instanceof TypeError;
      this.state = { at: waits ? "waiting" : "over", words: sentence(error) };
      if (waits) this.#timer = setTimeout(() => void this.#open(), kLookAgain);
    }
  }
}
