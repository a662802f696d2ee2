import assert from "node:assert/strict";
import { create } from "@bufbuild/protobuf";
import { test } from "node:test";
import { TaskSchema } from "../../src/gen/hearth/v1/jobs_pb";
import { FailureReason, OutcomeSchema, TaskState } from "../../src/gen/hearth/v1/types_pb";
import { split_arguments } from "../../src/lib/arguments";
import { Backoff } from "../../src/lib/backoff";
import { ago_text, bytes_text, clock_text, left_text, percent, plural, span_text } from "../../src/lib/format";
import { by_urgency, reason_text } from "../../src/lib/states";
import { language_of } from "../../src/lib/templates";

test("spans of time", () => {
  const cases: [number, string][] = [[0, "0 s"], [59, "59 s"], [60, "1 min"], [200, "3 min 20 s"], [600, "10 min"], [3599, "59 min"], [7500, "2 h 5 min"], [86_400, "1 d"], [97_200, "1 d 3 h"], [-5, "0 s"]];
  for (const [seconds, text] of cases) assert.equal(span_text(seconds), text);
});

test("time left is an estimate and says no more than it knows", () => {
  assert.equal(left_text(-1n), "");
  assert.equal(left_text(0n), "almost done");
  assert.equal(left_text(3), "about 5 s left");
  assert.equal(left_text(412n), "about 7 min left");
  assert.equal(left_text(7500), "about 2 h 10 min left");
});

test("moments, bytes, counts", () => {
  const now = 1_700_000_000_000;
  assert.equal(ago_text(0n, now), "never");
  assert.equal(ago_text(BigInt(now + 500), now), "just now");
  assert.equal(ago_text(now - 65_000, now), "1 min ago");
  assert.equal(ago_text(now - 7_200_000, now), "2 h ago");
  assert.equal(bytes_text(1), "1 byte");
  assert.equal(bytes_text(1023), "1023 bytes");
  assert.equal(bytes_text(1536), "1.5 KiB");
  assert.equal(bytes_text(1n << 30n), "1 GiB");
  assert.equal(bytes_text(5n << 50n), "5120 TiB");
  assert.equal(plural(1, "task"), "1 task");
  assert.equal(plural(1200, "task"), "1,200 tasks");
  assert.equal(clock_text(61.2), "1:02");
  assert.equal(percent(1, 0), 0);
  assert.equal(percent(3, 2), 100);
});

test("arguments are split as a shell would", () => {
  assert.deepEqual(split_arguments(`  +Iscene.pov  -o "my file {i}.png" 'a "b"' c\\ d "" "q\\"x" `), ["+Iscene.pov", "-o", "my file {i}.png", 'a "b"', "c d", "", 'q"x']);
  assert.deepEqual(split_arguments("   "), []);
  assert.throws(() => split_arguments('a "b'), /never closed/);
});

test("waiting grows to 15 s and begins anew", () => {
  const backoff = new Backoff(() => 0.5);
  assert.deepEqual(Array.from({ length: 7 }, () => backoff.next_millis()), [500, 1000, 2000, 4000, 8000, 15_000, 15_000]);
  backoff.reset();
  assert.equal(backoff.next_millis(), 500);
});

test("failures have a sentence, and come first", () => {
  assert.equal(reason_text(undefined), "");
  assert.equal(reason_text(create(OutcomeSchema, {})), "");
  assert.equal(reason_text(create(OutcomeSchema, { reason: FailureReason.SIGNAL, exitCode: 139 })), "The program was ended by signal 11.");
  assert.equal(reason_text(create(OutcomeSchema, { reason: FailureReason.START, message: "no such program" })), "no such program");
  for (const reason of Object.values(FailureReason)) {
    if (typeof reason === "number" && reason !== FailureReason.UNSPECIFIED) assert.notEqual(reason_text(create(OutcomeSchema, { reason })), "");
  }
  const states = [TaskState.SUCCEEDED, TaskState.PENDING, TaskState.RUNNING, TaskState.FAILED];
  const tasks = states.map((state, index) => create(TaskSchema, { index, state }));
  assert.deepEqual(tasks.sort(by_urgency).map((task) => task.index), [3, 2, 0, 1]);
});

test("a file's name decides its language", () => {
  assert.deepEqual(["a.py", "a.CC", "a.cxx", "a.sh", "a", "a.js"].map(language_of), ["python", "cpp", "cpp", "shell", "file", "file"]);
});
