// How long to wait before trying again: doubling from half a second to 15 s, with a quarter of chance so that many
// pages do not come back at once.
export class Backoff {
  private failures_ = 0;

  constructor(private readonly random_: () => number = Math.random) {}

  next_millis(): number {
    const base = Math.min(15_000, 500 * 2 ** this.failures_);
    this.failures_ = Math.min(this.failures_ + 1, 10);
    return base * (0.75 + 0.5 * this.random_());
  }

  reset(): void {
    this.failures_ = 0;
  }
}

// Resolves after `millis`, or at once when `signal` fires or `wake` is called for by the browser coming back.
export function pause(millis: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const done = () => {
      clearTimeout(timer);
      signal.removeEventListener("abort", done);
      window.removeEventListener("online", done);
      document.removeEventListener("visibilitychange", seen);
      resolve();
    };
    const seen = () => {
      if (document.visibilityState === "visible") done();
    };
    const timer = setTimeout(done, millis);
    signal.addEventListener("abort", done);
    window.addEventListener("online", done);
    document.addEventListener("visibilitychange", seen);
    if (signal.aborted) done();
  });
}
