// An app's picture: the stream, keys, and what fingers mean.
import assert from "node:assert/strict";
import { test } from "node:test";
import { codec_of, frame_of, FrameReader, kMaxMessage } from "../../src/lib/frames";
import { Gestures, kLeft, kLongPress, kRight } from "../../src/lib/gestures";
import { character_key, keysym_of } from "../../src/lib/keysyms";

test("messages come out whole however the stream is cut", () => {
  const messages = [new Uint8Array([1, 2, 3]), new Uint8Array(0), new Uint8Array(300).fill(7)];
  const stream = messages.flatMap((message) => [...frame_of(message)]);
  for (const piece of [1, 2, 5, 100, stream.length]) {
    const reader = new FrameReader();
    const heard: Uint8Array[] = [];
    for (let at = 0; at < stream.length; at += piece) heard.push(...reader.push(new Uint8Array(stream.slice(at, at + piece))));
    assert.deepEqual(heard.map((one) => [...one]), messages.map((one) => [...one]));
  }
});

test("a message that is too long is refused", () => {
  const length = new Uint8Array(4);
  new DataView(length.buffer).setUint32(0, kMaxMessage + 1);
  assert.throws(() => new FrameReader().push(length));
});

test("the codec's name is that of the key picture's parameters", () => {
  assert.equal(codec_of(new Uint8Array([0, 0, 0, 1, 0x67, 0x42, 0xc0, 0x1f, 9, 9, 9])), "avc1.42c01f");
  assert.equal(codec_of(new Uint8Array([0, 0, 0, 1, 0x41, 1, 2, 3, 4, 5])), undefined);
});

test("keys have X11's names", () => {
  assert.equal(keysym_of({ key: "a", code: "KeyA" }), 0x61);
  assert.equal(keysym_of({ key: "ü", code: "BracketLeft" }), 0xfc);
  assert.equal(keysym_of({ key: "€", code: "KeyE" }), 0x010020ac);
  assert.equal(keysym_of({ key: "Enter", code: "NumpadEnter" }), 0xff0d);
  assert.equal(keysym_of({ key: "F5", code: "F5" }), 0xffc2);
  assert.equal(keysym_of({ key: "Shift", code: "ShiftRight" }), 0xffe2);
  for (const key of ["AltGraph", "Dead", "Process", "Unidentified", "MediaPlay"]) assert.equal(keysym_of({ key, code: "" }), 0);
  assert.equal(character_key("🔥"), 0x0101f525);
});

function recorded() {
  const deeds: string[] = [];
  const gestures = new Gestures({
    point: (x, y, buttons) => deeds.push(`${x},${y}:${buttons}`),
    scroll: (_x, _y, wheel_x, wheel_y) => deeds.push(`scroll ${wheel_x},${wheel_y}`),
    zoom: (factor) => deeds.push(`zoom ${factor.toFixed(2)}`),
  });
  return { deeds, gestures };
}

test("a tap clicks, and a finger that slips a little is a tap", () => {
  const { deeds, gestures } = recorded();
  gestures.down(1, 10, 20, 0);
  gestures.move(1, 12, 21);
  gestures.up(1);
  assert.deepEqual(deeds, ["10,20:0", `10,20:${kLeft}`, "10,20:0"]);
});

test("a long press is the right button, once", () => {
  const { deeds, gestures } = recorded();
  gestures.down(1, 10, 20, 0);
  gestures.tick(kLongPress - 1);
  assert.deepEqual(deeds, []);
  gestures.tick(kLongPress);
  gestures.tick(2 * kLongPress);
  gestures.up(1);
  assert.deepEqual(deeds, ["10,20:0", `10,20:${kRight}`, "10,20:0"]);
});

test("a drag holds the button from where it began until it ends", () => {
  const { deeds, gestures } = recorded();
  gestures.down(1, 0, 0, 0);
  gestures.move(1, 30, 0);
  gestures.move(1, 40, 5);
  gestures.tick(10 * kLongPress);
  gestures.up(1);
  assert.deepEqual(deeds, ["0,0:0", `0,0:${kLeft}`, `30,0:${kLeft}`, `40,5:${kLeft}`, "40,5:0"]);
});

test("a drag that the browser takes away lets go", () => {
  const { deeds, gestures } = recorded();
  gestures.down(1, 0, 0, 0);
  gestures.move(1, 30, 0);
  gestures.cancel();
  assert.equal(deeds.at(-1), "30,0:0");
  gestures.up(1);
  assert.equal(deeds.length, 4);
});

test("two fingers scroll, the content with them, or zoom when they part", () => {
  const scroll = recorded();
  scroll.gestures.down(1, 0, 100, 0);
  scroll.gestures.down(2, 50, 100, 5);
  for (const y of [80, 60, 40]) {
    scroll.gestures.move(1, 0, y);
    scroll.gestures.move(2, 50, y);
  }
  scroll.gestures.up(1);
  scroll.gestures.up(2);
  assert.deepEqual(scroll.deeds, ["scroll 0,1", "scroll 0,1"]);

  const pinch = recorded();
  pinch.gestures.down(1, 100, 100, 0);
  pinch.gestures.down(2, 200, 100, 5);
  pinch.gestures.move(2, 300, 100);
  assert.deepEqual(pinch.deeds, ["zoom 2.00"]);
  pinch.gestures.up(2);
  pinch.gestures.move(1, 0, 0); // the finger that stays does nothing more
  pinch.gestures.up(1);
  assert.equal(pinch.deeds.length, 1);
});
