import assert from "node:assert/strict";
import { create } from "@bufbuild/protobuf";
import { test } from "node:test";
import { BookingSchema } from "../../src/gen/hearth/v1/bookings_pb";
import { Duty, NodeSchema } from "../../src/gen/hearth/v1/nodes_pb";
import { ShareSampleSchema } from "../../src/gen/hearth/v1/operator_pb";
import { UsageSchema } from "../../src/gen/hearth/v1/usage_pb";
import { booked_text, first_times, moment_of } from "../../src/lib/bookings";
import { by_attention, duty_text, node_condition } from "../../src/lib/nodes";
import { lines_of, points_of } from "../../src/lib/shares";
import { energy_text, grouped, usage_csv } from "../../src/lib/usage";

const sample = (minute: number, shares: Record<string, number>) =>
  create(ShareSampleSchema, { at: { unixMillis: BigInt(60_000 * minute) }, shares: Object.entries(shares).map(([account, share]) => ({ account, share })) });

test("shares are a line for each account, the most first, and nothing where it held nothing", () => {
  const samples = [sample(0, { ann: 0.5 }), sample(1, { ann: 0.5, bob: 1 }), sample(2, { bob: 1, cleo: 0.1 })];
  const { lines, left_out } = lines_of(samples, 2);
  assert.deepEqual(lines.map((line) => [line.account, line.now, line.shares]), [["bob", 1, [0, 1, 1]], ["ann", 0, [0.5, 0.5, 0]]]);
  assert.equal(left_out, 1);
  assert.deepEqual(lines_of([], 2), { lines: [], left_out: 0 });
});

test("a line goes with time, and stays within its frame", () => {
  const samples = [sample(0, {}), sample(1, {}), sample(4, {})];
  assert.equal(points_of(samples, [0, 0.5, 1.7], 100, 40), "0,40 25,20 100,0");
  assert.equal(points_of([sample(3, {})], [0.25], 100, 40), "0,30 100,30");
});

const use = (owner: string, account: string, firm: string, day: string, hours: number, joules: number, unmetered = 0) =>
  create(UsageSchema, { ownerId: 7n, owner, account, firm, day, tasks: 2n, coreSeconds: 3600 * hours, energyJoules: joules, unmeteredCoreSeconds: 3600 * unmetered });

test("usage is added up as asked for; what counts for no account counts for its device", () => {
  const rows = [use("pc", "design", "acme", "2026-01-30", 1, 3_600_000), use("laptop", "design", "acme", "2026-01-31", 2, 0, 2), use("phone", "", "", "2026-01-31", 5, 0, 5)];
  assert.deepEqual(grouped(rows, "account").map((sum) => [sum.name, sum.core_seconds, sum.tasks]), [["phone", 18_000, 2], ["design", 10_800, 4]]);
  assert.deepEqual(grouped(rows, "firm").map((sum) => sum.name), ["no firm", "acme"]);
  assert.deepEqual(grouped(rows, "owner").map((sum) => sum.name), ["phone", "laptop", "pc"]);
  assert.deepEqual(grouped(rows, "day").map((sum) => sum.name), ["2026-01-30", "2026-01-31"]);
  assert.deepEqual(grouped(rows, "account").map(energy_text), ["?", "1.00 + ?"]);
  assert.equal(energy_text(grouped(rows.slice(0, 1), "owner")[0]!), "1.00");
});

test("the file is what the command line prints, and holds no formula", () => {
  const lines = usage_csv([use('=1+1,"', "a", "b", "2026-01-30", 1, 5), use("phone", "", "", "2026-01-31", 1, 0, 1)]).split("\r\n");
  assert.match(lines[0]!, /^owner_id,owner,account,firm,day,tasks,.*,energy_joules,unmetered_core_seconds$/);
  assert.equal(lines[1], `7,"'=1+1,""",a,b,2026-01-30,2,0,0,3600.000,0.000,0,0,0,5.000,0.000`);
  assert.equal(lines[2], "7,phone,,,2026-01-31,2,0,0,3600.000,0.000,0,0,0,unknown,3600.000");
  assert.equal(lines[3], "");
});

test("what is said of a PC is told before how it is, and what needs somebody comes first", () => {
  const now = 1_000_000;
  const node = (name: string, details: object) => create(NodeSchema, { name, connected: true, duty: Duty.SERVING, ...details });
  const drains = node("drains", { duty: Duty.DRAINING, runningTasks: 2, closed: true, graceEnds: { unixMillis: BigInt(now + 90_000) } });
  const all = [node("away", { connected: false }), node("idle", {}), node("busy", { runningTasks: 1 }), node("cordoned", { duty: Duty.CORDONED, closed: true }), drains];
  assert.deepEqual(all.sort(by_attention).map((one) => one.name), ["drains", "cordoned", "busy", "idle", "away"]);
  assert.deepEqual(all.map((one) => node_condition(one)[0]), ["Draining", "Cordoned", "Busy", "Ready", "Away"]);
  assert.equal(duty_text(drains, now), "Gets nothing new; what still runs in 1 min 30 s goes back to the queue.");
  assert.equal(duty_text(drains, now + 91_000), "Gets nothing new; what runs goes back to the queue now.");
  assert.equal(duty_text(node("x", {}), now), "");
});

test("a booking says which PCs it has, or when that is decided", () => {
  const hour = 3_600_000;
  const booking = create(BookingSchema, { nodes: 2, from: { unixMillis: BigInt(10 * hour) }, until: { unixMillis: BigInt(12 * hour) }, noticeSeconds: 600n });
  assert.match(booked_text(booking, 9 * hour), /^Its PCs are chosen at /);
  assert.equal(booked_text(booking, 10 * hour), "2 PCs missing");
  assert.equal(booked_text({ ...booking, nodeNames: ["attic"] }, 11 * hour), "attic; 1 PC missing");
  assert.equal(booked_text({ ...booking, nodeNames: ["attic", "cellar"] }, 11 * hour), "attic, cellar");
});

test("a form for a booking begins with the next full hours", () => {
  assert.deepEqual(first_times(new Date(2026, 11, 31, 22, 40)), ["2026-12-31T23:00", "2027-01-01T01:00"]);
  assert.equal(moment_of("2026-12-31T23:00"), new Date(2026, 11, 31, 23).getTime());
  assert.equal(moment_of(""), undefined);
});
