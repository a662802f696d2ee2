// A text program's terminal: what keys send, and what fingers mean.
import assert from "node:assert/strict";
import { test } from "node:test";
import { key_sequence, modified } from "../../src/lib/terminal_keys";
import { kLongPress, TerminalTouch } from "../../src/lib/terminal_touch";

const none = { control: false, alt: false };
const control = { control: true, alt: false };
const alt = { control: false, alt: true };

test("keys send xterm's sequences", () => {
  assert.equal(key_sequence("Escape", none, false), "\x1b");
  assert.equal(key_sequence("Backspace", none, false), "\x7f");
  assert.equal(key_sequence("ArrowUp", none, false), "\x1b[A");
  assert.equal(key_sequence("ArrowUp", none, true), "\x1bOA");
  assert.equal(key_sequence("ArrowLeft", control, true), "\x1b[1;5D");
  assert.equal(key_sequence("Delete", none, false), "\x1b[3~");
  assert.equal(key_sequence("Delete", alt, false), "\x1b[3;3~");
  assert.equal(key_sequence("Tab", alt, false), "\x1b\t");
  assert.equal(key_sequence("F19", none, false), "");
});

test("Ctrl and Alt change one character and no more", () => {
  assert.equal(modified("c", control), "\x03");
  assert.equal(modified("C", control), "\x03");
  assert.equal(modified("[", control), "\x1b");
  assert.equal(modified(" ", control), "\0");
  assert.equal(modified("5", control), "5");
  assert.equal(modified("x", alt), "\x1bx");
  assert.equal(modified("c", { control: true, alt: true }), "\x1b\x03");
  assert.equal(modified("word ", control), "word ");
  assert.equal(modified("x", none), "x");
});

function touch() {
  const deeds: string[] = [];
  let scrolled = 0;
  const fingers = new TerminalTouch({
    scroll: (pixels) => (scrolled += pixels),
    select: (...places) => deeds.push(`select ${places.join(" ")}`),
    grow: (factor) => deeds.push(`grow ${factor.toFixed(2)}`),
  });
  return { fingers, deeds, scrolled: () => Math.round(scrolled) };
}

test("a tap is the browser's", () => {
  const { fingers, deeds, scrolled } = touch();
  fingers.fingers([{ x: 50, y: 50 }], 0);
  fingers.move([{ x: 53, y: 51 }], 20);
  assert.ok(!fingers.takes);
  fingers.fingers([], 60);
  fingers.tick(2000);
  assert.deepEqual(deeds, []);
  assert.equal(scrolled(), 0);
});

test("a drag scrolls, and goes on when it is let go", () => {
  const { fingers, scrolled } = touch();
  fingers.fingers([{ x: 50, y: 200 }], 0);
  for (let i = 1; i <= 5; i++) fingers.move([{ x: 50, y: 200 - 20 * i }], 16 * i);
  assert.ok(fingers.takes);
  assert.equal(scrolled(), 100);
  fingers.fingers([], 85);
  assert.ok(fingers.waits);
  for (let now = 100; fingers.waits && now < 10_000; now += 16) fingers.tick(now);
  assert.ok(!fingers.waits && scrolled() > 200, `${scrolled()}`);
});

test("what glides stops when it is told", () => {
  const { fingers, scrolled } = touch();
  fingers.fingers([{ x: 50, y: 200 }], 0);
  for (let i = 1; i <= 5; i++) fingers.move([{ x: 50, y: 200 - 20 * i }], 16 * i);
  fingers.fingers([], 85);
  fingers.tick(100);
  const before = scrolled();
  fingers.stop();
  assert.ok(!fingers.waits);
  fingers.tick(116);
  assert.equal(scrolled(), before);
});

test("a drag that stands still before it ends stops there", () => {
  const { fingers, scrolled } = touch();
  fingers.fingers([{ x: 50, y: 200 }], 0);
  fingers.move([{ x: 50, y: 100 }], 50);
  fingers.move([{ x: 50, y: 100 }], 400);
  fingers.fingers([], 410);
  assert.ok(!fingers.waits);
  assert.equal(scrolled(), 100);
});

test("a long press selects, and a drag after it more", () => {
  const { fingers, deeds, scrolled } = touch();
  fingers.fingers([{ x: 50, y: 50 }], 0);
  assert.ok(fingers.waits);
  fingers.tick(kLongPress);
  fingers.move([{ x: 90, y: 80 }], kLongPress + 50);
  assert.deepEqual(deeds, ["select 50 50 50 50", "select 50 50 90 80"]);
  assert.equal(scrolled(), 0);
});

test("two fingers change the letters' size, and one that stays scrolls", () => {
  const { fingers, deeds, scrolled } = touch();
  fingers.fingers([{ x: 50, y: 50 }], 0);
  fingers.fingers([{ x: 50, y: 50 }, { x: 50, y: 150 }], 10);
  fingers.move([{ x: 50, y: 25 }, { x: 50, y: 175 }], 20);
  assert.deepEqual(deeds, ["grow 1.50"]);
  fingers.fingers([{ x: 50, y: 25 }], 30);
  fingers.move([{ x: 50, y: 15 }], 40);
  assert.equal(scrolled(), 10);
});
