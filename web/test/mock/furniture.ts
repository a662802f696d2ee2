// What an operator would see on a busy day: a queue, shares over hours, usage of two firms.
import { create } from "@bufbuild/protobuf";
import { BookingSchema } from "../../src/gen/hearth/v1/bookings_pb";
import { PriorityClass } from "../../src/gen/hearth/v1/jobs_pb";
import { QueueLineSchema, ShareSampleSchema } from "../../src/gen/hearth/v1/operator_pb";
import { UsageSchema } from "../../src/gen/hearth/v1/usage_pb";
import type { State } from "./state";

export function furnish_operator(state: State): void {
  const moment = (minutes_ago: number) => ({ unixMillis: BigInt(Date.now() - 60_000 * minutes_ago) });
  state.queue = [
    create(QueueLineSchema, {
      priority: PriorityClass.URGENT,
      account: "physics",
      jobs: 2,
      tasksPending: 14n,
      tasksRunning: 6n,
      first: [{ jobId: 41n, name: "detector calibration", owner: "Ana's laptop", tasksPending: 14n, reason: "2 nodes could take it, all busy now with job 38", submitted: moment(3) }],
    }),
    create(QueueLineSchema, {
      priority: PriorityClass.NORMAL,
      account: "design",
      jobs: 3,
      tasksPending: 1240n,
      tasksRunning: 9n,
      first: [
        { jobId: 38n, name: "render: lighthouse at night", owner: "studio-pc", tasksPending: 1200n, reason: "the firm acme uses as much as it may: hearth account", submitted: moment(80) },
        { jobId: 39n, name: "assemble the film", owner: "studio-pc", tasksPending: 40n, reason: "it runs after job 38, not yet ended", submitted: moment(79) },
      ],
    }),
    create(QueueLineSchema, { priority: PriorityClass.SCAVENGER, account: "Mara's phone", jobs: 1, tasksRunning: 2n }),
  ];
  state.bookings = [
    create(BookingSchema, { id: 1n, account: "physics", nodes: 1, from: moment(30), until: moment(-90), nodeNames: ["kitchen-pc"] }),
    create(BookingSchema, { id: 2n, account: "acme", nodes: 2, where: "gpu.memory >= 8G", from: moment(-1440), until: moment(-1800), noticeSeconds: 3600n }),
  ];
  state.samples = Array.from({ length: 120 }, (_, at) =>
    create(ShareSampleSchema, {
      at: moment((119 - at) * 6),
      shares: [
        { account: "design", share: 0.35 + 0.25 * Math.sin(at / 14) },
        { account: "physics", share: at < 40 ? 0 : 0.3 + 0.12 * Math.cos(at / 9) },
        { account: "Mara's phone", share: at % 50 < 12 ? 0.1 : 0 },
      ].filter(({ share }) => share > 0),
    }),
  );
  const use = (owner: string, account: string, firm: string, day: string, hours: number, watts: number) =>
    create(UsageSchema, { ownerId: 3n, owner, account, firm, day, tasks: BigInt(Math.round(hours * 11)), attempts: BigInt(Math.round(hours * 12)), coreSeconds: 3600 * hours, energyJoules: 3600 * hours * watts, unmeteredCoreSeconds: watts === 0 ? 3600 * hours : 0 });
  state.usage = [
    use("Ana's laptop", "physics", "acme", "2026-01-30", 81.4, 9),
    use("studio-pc", "design", "acme", "2026-01-30", 212.25, 11),
    use("studio-pc", "design", "acme", "2026-01-31", 190, 11),
    use("Mara's phone", "", "", "2026-01-31", 3.5, 0),
  ];
}
