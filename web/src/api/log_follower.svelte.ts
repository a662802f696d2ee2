// What a job's tasks print, live, over a stream that goes on where it broke.
import { Code } from "@connectrpc/connect";
import { Backoff, pause } from "../lib/backoff";
import { LogLines, type LogLine } from "../lib/log_lines";
import { clients, is_code, NotPaired, prove, sentence } from "./session";

const kShowMillis = 80;

export class LogFollower {
  lines = $state.raw<readonly LogLine[]>([]);
  dropped = $state(0);
  state = $state<"opening" | "live" | "broken" | "ended">("opening");
  problem = $state("");
  private log_ = new LogLines();
  private stop_ = new AbortController();
  private timer_: ReturnType<typeof setTimeout> | undefined;

  // `tasks` empty: all of them. `ended` says whether the job is over: only then is the end of the stream the end.
  constructor(
    private readonly job_id_: bigint,
    private readonly tasks_: number[],
    private readonly ended_: () => boolean,
  ) {
    void this.run_();
  }

  close(): void {
    this.stop_.abort();
    clearTimeout(this.timer_);
  }

  private async run_(): Promise<void> {
    const signal = this.stop_.signal;
    const backoff = new Backoff();
    while (!signal.aborted) {
      try {
        this.state = "live";
        const ended_before = this.ended_();
        const request = { jobId: this.job_id_, tasks: this.tasks_, follow: true, cursors: this.log_.cursors() };
        for await (const reply of clients.jobs.logs(request, { signal })) {
          this.log_.add(reply);
          this.show_soon_();
          backoff.reset();
        }
        if (ended_before || this.ended_()) return this.finish_();
      } catch (error) {
        if (signal.aborted || error instanceof NotPaired) return;
        if (is_code(error, Code.NotFound)) {
          this.problem = sentence(error);
          return this.finish_();
        }
        this.state = "broken";
        if (is_code(error, Code.Unauthenticated)) await prove().catch(() => undefined);
      }
      await pause(backoff.next_millis(), signal);
    }
  }

  private finish_(): void {
    this.state = "ended";
    this.show_soon_();
  }

  // Many pieces a second become one change of the page.
  private show_soon_(): void {
    this.timer_ ??= setTimeout(() => {
      this.timer_ = undefined;
      this.lines = this.log_.lines.slice();
      this.dropped = this.log_.dropped;
    }, kShowMillis);
  }
}
