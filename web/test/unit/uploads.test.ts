import assert from "node:assert/strict";
import { test } from "node:test";
import { kAtOnce, UploadQueue } from "../../src/lib/upload_queue";

function queue_of(...sizes: number[]) {
  const deeds: string[] = [];
  const queue = new UploadQueue({
    begin: ({ number }) => deeds.push(`begin ${number}`),
    end: ({ number }, forget) => deeds.push(`${forget ? "forget" : "end"} ${number}`),
    changed: () => undefined,
  });
  queue.add(sizes.map((size, i) => ({ target: `/file${i + 1}`, size })));
  queue.pump();
  const take = () => deeds.splice(0);
  const states = () => queue.uploads.map(({ state }) => state);
  return { queue, take, states };
}

test("some are sent at once, the next when one is there", () => {
  const { queue, take, states } = queue_of(10, 10, 10, 10, 10);
  assert.equal(kAtOnce, 3);
  assert.deepEqual(take(), ["begin 1", "begin 2", "begin 3"]);
  queue.on_done(2, "/file2");
  assert.deepEqual(take(), ["begin 4"]);
  queue.on_failed(1, "too large");
  assert.deepEqual(take(), ["begin 5"]);
  assert.deepEqual(states(), ["failed", "done", "sending", "sending", "sending"]);
  assert.equal(queue.uploads[0]!.words, "too large");
});

test("a cut link keeps its turn and goes on", () => {
  const { queue, take, states } = queue_of(10, 10, 10, 10);
  take();
  queue.on_sent(1, 4);
  queue.on_cut(1);
  assert.deepEqual([states()[0], queue.uploads[0]!.sent, take()], ["cut", 4, []]);
  queue.on_sent(1, 6);
  assert.deepEqual([states()[0], queue.uploads[0]!.sent], ["sending", 6]);
});

test("what is paused makes room, and goes on when there is some", () => {
  const { queue, take, states } = queue_of(10, 10, 10, 10);
  take();
  queue.pause(1);
  assert.deepEqual(take(), ["end 1", "begin 4"]);
  queue.resume(1);
  assert.deepEqual([states()[0], take()], ["waiting", []]);
  queue.on_done(2, "/file2");
  assert.deepEqual(take(), ["begin 1"]);
  queue.on_sent(3, 99); // never more than all
  assert.equal(queue.uploads[2]!.sent, 10);
});

test("news of what is paused or gone changes nothing", () => {
  const { queue, take, states } = queue_of(10);
  take();
  queue.pause(1);
  queue.on_sent(1, 5);
  queue.on_cut(1);
  queue.on_done(1, "/file1");
  assert.deepEqual([states(), queue.uploads[0]!.sent], [["paused"], 0]);
  queue.cancel(1);
  queue.on_failed(1, "late");
  queue.resume(1);
  assert.deepEqual([states(), take()], [[], ["end 1", "forget 1"]]);
});

test("pausing all begins none of those that wait", () => {
  const { queue, take, states } = queue_of(10, 10, 10, 10, 10);
  take();
  queue.pause_all();
  assert.deepEqual(take(), ["end 1", "end 2", "end 3"]);
  assert.deepEqual(new Set(states()), new Set(["paused"]));
  assert.deepEqual([queue.active, queue.unfinished], [false, true]);
  queue.resume_all();
  assert.deepEqual(take(), ["begin 1", "begin 2", "begin 3"]);
});

test("cancelling all begins none of those that wait, and keeps what is there", () => {
  const { queue, take, states } = queue_of(10, 10, 10, 10, 10);
  queue.on_done(1, "/file1");
  take();
  queue.cancel_all();
  assert.deepEqual([states(), take()], [["done"], ["forget 2", "forget 3", "forget 4", "forget 5"]]);
  assert.equal(queue.unfinished, false);
});

test("what failed is tried again when somebody asks, and cleared with what is there", () => {
  const { queue, take, states } = queue_of(10, 10);
  take();
  queue.on_failed(1, "the disk is full");
  assert.equal(queue.unfinished, true);
  queue.resume(1);
  assert.deepEqual([take(), queue.uploads[0]!.words], [["begin 1"], ""]);
  queue.on_failed(1, "still full");
  queue.on_done(2, "/file2 (2)");
  assert.equal(queue.unfinished, false);
  queue.clear();
  assert.deepEqual([states(), take()], [[], ["forget 1"]]);
});

test("the totals leave out what failed", () => {
  const { queue } = queue_of(10, 20, 30, 40);
  queue.on_done(1, "/file1");
  queue.on_sent(2, 5);
  queue.on_failed(3, "no");
  queue.pause(4);
  assert.deepEqual(queue.totals, { files: 4, done: 1, failed: 1, paused: 1, bytes: 70, sent: 15 });
});
