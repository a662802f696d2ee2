import assert from "node:assert/strict";
import { create, toBinary } from "@bufbuild/protobuf";
import { test } from "node:test";
import { LogRecordSchema, LogsReplySchema, LogStream, type LogsReply } from "../../src/gen/hearth/v1/jobs_pb";
import { last_words } from "../../src/lib/last_words";
import { LogLines, stored_size, visible } from "../../src/lib/log_lines";

const record = (text: string | Uint8Array, stream = LogStream.STDOUT) => create(LogRecordSchema, { stream, data: typeof text === "string" ? new TextEncoder().encode(text) : text });

function reply(offset: number, records: ReturnType<typeof record>[], task = 0, attempt = 1): LogsReply {
  return create(LogsReplySchema, { task, attempt, offset: BigInt(offset), records });
}

const texts = (log: LogLines) => log.lines.map((line) => line.text);

test("lines are put together from pieces, also within a letter", () => {
  const log = new LogLines();
  const bytes = new TextEncoder().encode("grün\n");
  const first = record(bytes.slice(0, 3));
  log.add(reply(0, [first]));
  assert.deepEqual(texts(log), ["gr"]);
  log.add(reply(stored_size(first), [record(bytes.slice(3)), record("next")]));
  assert.deepEqual(texts(log), ["grün", "next"]);
});

test("a line that grows is a new object with its old id", () => {
  const log = new LogLines();
  const first = record("a");
  log.add(reply(0, [first]));
  const before = log.lines[0]!;
  log.add(reply(stored_size(first), [record("b\n\nc")]));
  assert.deepEqual(texts(log), ["ab", "", "c"]);
  assert.notEqual(log.lines[0], before);
  assert.equal(log.lines[0]!.id, before.id);
});

test("stdout and stderr have lines of their own", () => {
  const log = new LogLines();
  log.add(reply(0, [record("out"), record("err", LogStream.STDERR), record("put\n")]));
  assert.deepEqual(log.lines.map((line) => [line.stream, line.text]), [[LogStream.STDOUT, "output"], [LogStream.STDERR, "err"]]);
});

test("cursors count the bytes as stored, and what comes twice is shown once", () => {
  const log = new LogLines();
  const records = [record("one\n"), record("x".repeat(200) + "\n"), record("y".repeat(20_000) + "\n", LogStream.STDERR)];
  const stored = records.map((each) => toBinary(LogRecordSchema, each).length).map((size) => size + (size < 128 ? 1 : size < 16_384 ? 2 : 3));
  assert.deepEqual(records.map(stored_size), stored);
  log.add(reply(0, records));
  const end = stored.reduce((sum, size) => sum + size, 0);
  assert.deepEqual(log.cursors(), [{ task: 0, attempt: 1, offset: BigInt(end) }]);
  log.add(reply(stored[0]!, records.slice(1)));
  log.add(reply(0, records));
  assert.equal(log.lines.length, 3);
  log.add(reply(end, [record("more\n")]));
  assert.equal(log.lines.length, 4);
});

test("another attempt begins anew, an older one is ignored", () => {
  const log = new LogLines();
  log.add(reply(0, [record("first\n")], 3));
  log.add(reply(0, [record("second\n")], 3, 2));
  log.add(reply(0, [record("late\n")], 3, 1));
  assert.deepEqual(texts(log), ["first", "task 3 runs again (attempt 2)", "second"]);
  assert.equal(log.cursors()[0]!.attempt, 2);
});

test("only the newest lines are kept, the others counted", () => {
  const log = new LogLines(10);
  let at = 0;
  for (let i = 0; i < 25; i++) {
    const each = record(`${i}\n`);
    log.add(reply(at, [each]));
    at += stored_size(each);
  }
  assert.equal(log.lines.length, 10);
  assert.equal(log.lines[0]!.text, "15");
  assert.equal(log.dropped, 15);
});

test("what a terminal would leave to see", () => {
  assert.equal(visible("\u001b[1;31mred\u001b[0m"), "red");
  assert.equal(visible("10 %\r20 %\r30 %"), "30 %");
  assert.equal(visible("10 %\r20 %\r"), "20 %\r");
  assert.equal(visible("z".repeat(5000)).length, 4001);
});

test("what a program printed last is a line that says something", () => {
  const log = new LogLines();
  assert.equal(last_words(log.lines), "");
  log.add(reply(0, [record("loading\n  error: no display \n\n   \n")]));
  assert.equal(last_words(log.lines), "error: no display");
  log.add(reply(0, [record("x".repeat(400))], 1));
  assert.equal(last_words(log.lines).length, 301);
});
