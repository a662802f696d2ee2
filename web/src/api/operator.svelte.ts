// What whoever runs the pool looks at, asked for again and again while somebody does.
import type { Booking } from "../gen/hearth/v1/bookings_pb";
import type { QueueLine, ShareSample } from "../gen/hearth/v1/operator_pb";
import type { Usage } from "../gen/hearth/v1/usage_pb";
import { clients, sentence } from "./session";
import { pause } from "../lib/backoff";

const kQueueMillis = 4_000;
const kSharesMillis = 30_000;

class Operator {
  lines = $state.raw<readonly QueueLine[] | undefined>(undefined); // unknown until the first answer
  lines_left_out = $state(0);
  bookings = $state.raw<readonly Booking[] | undefined>(undefined);
  samples = $state.raw<readonly ShareSample[]>([]);
  usage = $state.raw<readonly Usage[] | undefined>(undefined);
  problem = $state(""); // of the last question; what was known stays

  // Asks until the function that it gives is called.
  look(): () => void {
    const stop = new AbortController();
    void this.repeat_(kQueueMillis, stop.signal, () => this.ask_queue_());
    void this.repeat_(kSharesMillis, stop.signal, () => this.ask_shares_());
    void this.repeat_(kSharesMillis, stop.signal, () => this.ask_usage_());
    void this.repeat_(kSharesMillis, stop.signal, () => this.ask_bookings());
    return () => stop.abort();
  }

  private async repeat_(millis: number, signal: AbortSignal, ask: () => Promise<void>): Promise<void> {
    while (!signal.aborted) {
      if (document.visibilityState === "visible") {
        try {
          await ask();
          this.problem = "";
        } catch (error) {
          this.problem = sentence(error);
        }
      }
      await pause(millis, signal);
    }
  }

  private async ask_queue_(): Promise<void> {
    const reply = await clients.operator.queue({});
    this.lines = reply.lines;
    this.lines_left_out = reply.linesLeftOut;
  }

  private async ask_shares_(): Promise<void> {
    this.samples = (await clients.operator.shares({})).samples;
  }

  async ask_bookings(): Promise<void> {
    this.bookings = (await clients.bookings.list({})).bookings;
  }

  private async ask_usage_(): Promise<void> {
    this.usage = (await clients.usage.list({})).rows;
  }
}

export const operator = new Operator();
