// What reaches an app besides its picture: clipboard, files, keys, and the pointer by trackpad and game controls.
import assert from "node:assert/strict";
import { test } from "node:test";
import { kMaxClipboard, kPiece, LastCopied, pieces_of, preview, TextReader } from "../../src/lib/clipboard";
import { FileSender, kAhead, kFilePiece, kMaxFile, type OutPiece, type Progress, type Sending } from "../../src/lib/file_sender";
import { Hands, type Held } from "../../src/lib/hands";
import { Keyboard, type KeyLike } from "../../src/lib/keyboard";
import { kControl, pieces_to_type } from "../../src/lib/keysyms";
import { held_by, kAtRest, kUsual, load_mapping, merged, pad_of, read_gamepads, save_mapping } from "../../src/lib/pads";
import { Rumble } from "../../src/lib/rumble";
import { acceleration, kDragTime, kLeft, kRight, kTapTime, Trackpad } from "../../src/lib/trackpad";
import { following, kWhole, on_stage, zoomed } from "../../src/lib/zoom";

test("a text goes in pieces and comes out whole, also where a letter is cut", () => {
  for (const text of ["", "short", "ü🔥".repeat(20_000)]) {
    const pieces = pieces_of(text)!;
    assert.ok(pieces.every((piece) => piece.data.length <= kPiece));
    const reader = new TextReader();
    const said = pieces.map((piece) => reader.push(piece));
    assert.deepEqual(said.slice(0, -1).filter((one) => one !== undefined), []);
    assert.equal(said.at(-1), text);
  }
});

test("a text that is too long is not sent, and not believed", () => {
  assert.equal(pieces_of("x".repeat(kMaxClipboard))!.length, kMaxClipboard / kPiece);
  assert.equal(pieces_of("ü".repeat(kMaxClipboard / 2 + 1)), undefined);
  const reader = new TextReader();
  for (let offset = 0; offset < kMaxClipboard; offset += kPiece) assert.equal(reader.push({ offset, data: new Uint8Array(kPiece), last: false }), undefined);
  assert.equal(reader.push({ offset: kMaxClipboard, data: new Uint8Array(1), last: true }), undefined);
  assert.equal(reader.push({ offset: 3, data: new Uint8Array(1), last: true }), undefined);
  assert.equal(reader.push({ offset: 0, data: new Uint8Array([104, 105]), last: true }), "hi");
});

test("what was copied is shown as it begins, whatever is in it", () => {
  assert.equal(preview("  hello\tyou \u202e!\n"), "hello you !");
  assert.equal(preview("ls\nrm -rf ~\n"), "ls rm -rf ~ (2 lines)");
  assert.equal([...preview("🔥".repeat(1000))].length, 61);
});

test("Ctrl+V means what was copied last, here or in the app", () => {
  const last = new LastCopied();
  assert.equal(last.means_here("from before"), true);
  last.in_app();
  assert.equal(last.means_here("from before"), false); // copied in the app, pasted in the app
  last.away();
  assert.equal(last.means_here("from before"), false); // nothing was copied meanwhile
  last.away();
  assert.equal(last.means_here("copied elsewhere"), true);
  last.in_app();
  last.here("taken from the app");
  assert.equal(last.means_here("taken from the app"), false);
});

test("what is typed is cut between characters", () => {
  const text = "🔥".repeat(450);
  const pieces = pieces_to_type(text);
  assert.equal(pieces.join(""), text);
  assert.ok(pieces.every((piece) => new TextEncoder().encode(piece).length <= 1024 && !/[\ud800-\udbff]$/.test(piece)));
});

const key = (type: "keydown" | "keyup", code: string, name: string, more: Partial<KeyLike> = {}): KeyLike => ({ type, code, key: name, keyCode: 0, isComposing: false, ctrlKey: false, metaKey: false, altKey: false, ...more });

test("keys are held by where they are, and released whatever they have become", () => {
  const keyboard = new Keyboard(false);
  assert.equal(keyboard.on(key("keydown", "ShiftLeft", "Shift")), "held");
  assert.equal(keyboard.on(key("keydown", "KeyA", "A")), "held");
  assert.equal(keyboard.on(key("keydown", "KeyA", "A")), "none");
  keyboard.on(key("keyup", "ShiftLeft", "Shift"));
  assert.deepEqual(keyboard.held, [0x41]);
  assert.equal(keyboard.on(key("keyup", "KeyA", "a")), "held");
  assert.deepEqual(keyboard.held, []);
  assert.equal(keyboard.on(key("keyup", "KeyB", "b")), "pass");
});

test("what is composed is left to the browser", () => {
  const keyboard = new Keyboard(false);
  assert.equal(keyboard.on(key("keydown", "Equal", "Dead")), "pass");
  assert.equal(keyboard.on(key("keydown", "ShiftLeft", "Shift")), "held");
  assert.equal(keyboard.on(key("keydown", "KeyE", "E")), "pass"); // becomes É in the text field
  assert.equal(keyboard.on(key("keydown", "KeyF", "F")), "held");
  keyboard.release_all();
  assert.equal(keyboard.on(key("keydown", "Equal", "Dead")), "pass");
  assert.equal(keyboard.on(key("keydown", "Escape", "Escape")), "held"); // ends it
  assert.equal(keyboard.on(key("keydown", "KeyE", "e")), "held");
  assert.equal(keyboard.on(key("keydown", "KeyN", "Process", { keyCode: 229 })), "pass");
  assert.equal(keyboard.on(key("keydown", "Enter", "Enter", { isComposing: true })), "pass");
  assert.equal(keyboard.on(key("keydown", "Enter", "Enter", { keyCode: 229 })), "pass"); // Safari's, that ends it
});

test("what makes a character is no shortcut: AltGr, and Option on a Mac", () => {
  const windows = new Keyboard(false);
  windows.on(key("keydown", "ControlLeft", "Control"));
  assert.equal(windows.on(key("keydown", "AltRight", "AltGraph")), "held");
  windows.on(key("keydown", "KeyQ", "@", { ctrlKey: true, altKey: true }));
  assert.deepEqual(windows.held, [0x40]);
  const mac = new Keyboard(true);
  mac.on(key("keydown", "AltLeft", "Alt"));
  mac.on(key("keydown", "KeyL", "@", { altKey: true }));
  assert.deepEqual(mac.held, [0x40]);
});

test("Command is Ctrl to the app, and lets go of what a Mac does not tell of", () => {
  const mac = new Keyboard(true);
  mac.on(key("keydown", "MetaLeft", "Meta"));
  mac.on(key("keydown", "KeyC", "c", { metaKey: true }));
  assert.deepEqual(mac.held, [kControl, 0x63]);
  mac.on(key("keyup", "MetaLeft", "Meta"));
  assert.deepEqual(mac.held, []);
});

test("Ctrl+V pastes, with Shift as well; Alt and Super do not make it so", () => {
  const keyboard = new Keyboard(false);
  keyboard.on(key("keydown", "ControlLeft", "Control"));
  assert.equal(keyboard.on(key("keydown", "KeyV", "v", { ctrlKey: true })), "paste");
  assert.equal(keyboard.on(key("keydown", "KeyV", "V", { ctrlKey: true })), "paste");
  assert.equal(keyboard.on(key("keydown", "KeyV", "v", { ctrlKey: true, altKey: true })), "held");
  assert.equal(new Keyboard(false).on(key("keydown", "KeyV", "v", { metaKey: true })), "held");
  assert.equal(new Keyboard(true).on(key("keydown", "KeyV", "v", { metaKey: true })), "paste");
});

function hands() {
  const sent: Held[] = [];
  return { sent, hands: new Hands((held) => sent.push(held)) };
}

test("all that is held is told, whoever holds it", () => {
  const { sent, hands: both } = hands();
  both.keys = () => [0x61];
  both.point(5000, -3, { width: 100, height: 80 });
  both.buttons = 1;
  both.hold_by_pad([0x20, 0x61], 4);
  both.hold_by_pad([0x20, 0x61], 4); // nothing new
  assert.deepEqual(sent, [{ x: 99, y: 0, buttons: 5, keys: [0x61, 0x20], wheel_x: 0, wheel_y: 0, dx: 0, dy: 0 }]);
  both.keys = () => [];
  both.release_all();
  assert.deepEqual([sent.at(-1)!.buttons, sent.at(-1)!.keys], [0, []]);
});

test("a pushed pointer stays where it is otherwise, until it is put somewhere", () => {
  const { sent, hands: one } = hands();
  one.push(0.4, 0);
  assert.equal(sent.length, 0);
  one.push(0.7, -2000);
  assert.deepEqual([sent[0]!.x, sent[0]!.y, sent[0]!.dx, sent[0]!.dy], [-1, -1, 1, -500]);
  one.buttons = 1;
  one.tell();
  assert.equal(sent[1]!.x, -1);
  one.point(7, 8, { width: 100, height: 80 });
  one.tell();
  assert.deepEqual([sent[2]!.x, sent[2]!.y, sent[2]!.dx], [7, 8, 0]);
});

function trackpad() {
  const deeds: string[] = [];
  const pad = new Trackpad({
    push: (dx, dy) => deeds.push(`push ${Math.sign(dx)},${Math.sign(dy)}`),
    press: (buttons) => deeds.push(`press ${buttons}`),
    scroll: (wheel_x, wheel_y) => deeds.push(`scroll ${wheel_x},${wheel_y}`),
    zoom: (factor) => deeds.push(`zoom ${factor.toFixed(2)}`),
  });
  return { deeds, pad };
}

test("one finger moves the pointer and presses nothing", () => {
  const { deeds, pad } = trackpad();
  pad.down(1, 100, 100, 0);
  pad.move(1, 103, 100, 10); // may still be a tap
  pad.move(1, 130, 100, 40);
  pad.move(1, 130, 90, 60);
  pad.up(1, 70);
  assert.deepEqual(deeds, ["push 1,0", "push 0,-1"]);
});

test("a tap clicks where the pointer is, and two taps twice", () => {
  const { deeds, pad } = trackpad();
  pad.down(1, 100, 100, 0);
  pad.up(1, 80);
  assert.deepEqual(deeds, [`press ${kLeft}`]);
  assert.ok(pad.waits);
  pad.tick(80 + kDragTime - 1);
  pad.tick(80 + kDragTime);
  assert.deepEqual(deeds, [`press ${kLeft}`, "press 0"]);
  pad.down(1, 100, 100, 1000);
  pad.up(1, 1050);
  pad.down(2, 100, 100, 1100);
  pad.up(2, 1150);
  pad.tick(2000);
  assert.deepEqual(deeds.slice(2), [`press ${kLeft}`, "press 0", `press ${kLeft}`, "press 0"]);
});

test("a finger that stays long has not tapped", () => {
  const { deeds, pad } = trackpad();
  pad.down(1, 100, 100, 0);
  pad.up(1, kTapTime + 1);
  assert.deepEqual(deeds, []);
});

test("a tap and then a drag drags, and lets go in the end", () => {
  const { deeds, pad } = trackpad();
  pad.down(1, 100, 100, 0);
  pad.up(1, 50);
  pad.down(1, 100, 100, 120);
  pad.tick(1000); // the finger is back: the button stays held
  pad.move(1, 140, 100, 1100);
  pad.up(1, 1200);
  assert.deepEqual(deeds, [`press ${kLeft}`, "push 1,0", "press 0"]);
  pad.down(1, 0, 0, 2000);
  pad.up(1, 2050);
  pad.down(1, 0, 0, 2100);
  pad.cancel();
  assert.equal(deeds.at(-1), "press 0");
});

test("two fingers are the right button, scroll or zoom", () => {
  const tap = trackpad();
  tap.pad.down(1, 100, 100, 0);
  tap.pad.down(2, 150, 100, 20);
  tap.pad.up(1, 90);
  tap.pad.up(2, 95);
  assert.deepEqual(tap.deeds, [`press ${kRight}`, "press 0"]);
  const scroll = trackpad();
  scroll.pad.down(1, 0, 100, 0);
  scroll.pad.down(2, 50, 100, 5);
  for (const y of [80, 60, 40]) {
    scroll.pad.move(1, 0, y, 100);
    scroll.pad.move(2, 50, y, 100);
  }
  scroll.pad.up(1, 150);
  scroll.pad.up(2, 150);
  assert.deepEqual([...new Set(scroll.deeds)], ["scroll 0,1"]);
  const pinch = trackpad();
  pinch.pad.down(1, 100, 100, 0);
  pinch.pad.down(2, 200, 100, 5);
  pinch.pad.move(2, 300, 100, 50);
  pinch.pad.up(2, 90);
  pinch.pad.move(1, 0, 0, 100); // the finger that stays does nothing more
  assert.deepEqual(pinch.deeds, ["zoom 2.00"]);
});

test("a fast finger takes the pointer further", () => {
  assert.ok(acceleration(0) < 1);
  assert.ok(acceleration(2) > 2 * acceleration(0.1));
  assert.equal(acceleration(100), acceleration(50));
});

test("the picture follows the pointer as far as there is picture", () => {
  const fit = { width: 300, height: 200 };
  const stage = { width: 300, height: 400 };
  assert.deepEqual(following(kWhole, { x: 1, y: 1 }, fit, stage), kWhole);
  const twice = zoomed(kWhole, 2, { x: 0, y: 0 }, { x: 0, y: 0 }, fit);
  assert.deepEqual(twice, { factor: 2, x: 0, y: 0 });
  const corner = following(twice, { x: 1, y: 0.5 }, fit, stage);
  assert.deepEqual(corner, { factor: 2, x: -150, y: 0 });
  assert.deepEqual(on_stage(corner, { x: 1, y: 0.5 }, fit), { x: 150, y: 0 });
  assert.equal(zoomed(twice, 100, { x: 0, y: 0 }, { x: 0, y: 0 }, fit).factor, 5);
  assert.deepEqual(zoomed(twice, 0.1, { x: 50, y: 50 }, { x: 9, y: 9 }, fit).factor, 1);
});

test("sticks and buttons hold keys and push the pointer", () => {
  const held = held_by({ ...kAtRest, left: { x: 0.9, y: -0.9 }, right: { x: 1, y: 0 }, pressed: ["a", "r2", "l2"] }, kUsual);
  assert.deepEqual(held.keys, [0x77, 0x64, 0x20]); // W, D, Space
  assert.equal(held.buttons, 5);
  assert.deepEqual([Math.round(held.push.x), held.push.y], [kUsual.speed, 0]);
  const arrows = held_by({ ...kAtRest, left: { x: -1, y: 1 } }, { ...kUsual, stick: "arrows" });
  assert.deepEqual(arrows.keys, [0xff51, 0xff54]);
  assert.deepEqual(held_by({ ...kAtRest, left: { x: 0.3, y: 0 }, right: { x: 0.1, y: 0.1 } }, kUsual), { keys: [], buttons: 0, push: { x: 0, y: 0 } });
});

test("a gamepad in the hand is read if its layout is known", () => {
  const buttons = Array.from({ length: 17 }, (_, at) => ({ pressed: at === 0, value: at === 7 ? 0.9 : 0 }));
  const pad = { connected: true, mapping: "standard", axes: [0.05, -1, 0, 0.5], buttons };
  assert.equal(read_gamepads([null, { ...pad, mapping: "" }, { ...pad, connected: false }]), undefined);
  const state = read_gamepads([null, pad])!;
  assert.deepEqual(state.pressed, ["a", "r2"]);
  assert.deepEqual([state.left, state.right], [{ x: 0.05, y: -1 }, { x: 0, y: 0.5 }]);
  const both = merged(state, { ...kAtRest, left: { x: 0, y: -1 }, pressed: ["a", "b"] });
  assert.deepEqual([both.pressed, both.left.y], [["a", "r2", "b"], -1]);
});

test("an app that reads a gamepad gets sticks, triggers and buttons as they are", () => {
  const pad = pad_of({ left: { x: 1, y: -0.5 }, right: { x: 0.001, y: 0 }, triggers: { left: 0.2, right: 0 }, pressed: ["b", "r2", "up", "home"] });
  assert.deepEqual(pad, { buttons: 2 | (1 << 7) | (1 << 12) | (1 << 16), leftX: 32767, leftY: -16254, rightX: 0, rightY: 0, leftTrigger: 51, rightTrigger: 255 });
  const { sent, hands: one } = hands();
  one.hold_by_pad([], 0, pad);
  one.hold_by_pad([], 0, { ...pad }); // nothing new
  one.hold_by_pad([0x20], 0); // it reads none any more
  assert.deepEqual(sent.map(({ pad: held, keys }) => [held, keys]), [[pad, []], [undefined, [0x20]]]);
  one.hold_by_pad([], 0, pad);
  one.release_all();
  assert.equal(sent.at(-1)!.pad, undefined);
});

test("an app shakes what is in the hand, and the phone whose glass has controls", async () => {
  const felt: unknown[] = [];
  const pad = { vibrationActuator: { playEffect: (_: string, { duration, strongMagnitude }: { duration: number; strongMagnitude: number }) => (felt.push([duration, strongMagnitude]), Promise.reject(new Error("hidden"))) } };
  const rumble = new Rumble(() => [null, {}, pad], (millis) => felt.push(millis));
  rumble.shake({ strong: 65535, weak: 0, millis: 300 }, true);
  rumble.shake({ strong: 0, weak: 65535, millis: 60_000 }, false);
  rumble.shake({ strong: 100, weak: 0, millis: 500 }, true); // so little is stillness
  assert.deepEqual(felt, [[300, 1], 300, [4000, 0], [0, 100 / 65535], 0]);
  felt.length = 0;
  rumble.stop();
  assert.deepEqual(felt, [[0, 0], 0]);
  await Promise.resolve();
});

test("an app's mapping is kept, and what is no mapping is not believed", () => {
  const kept = new Map<string, string>();
  const shelf = () => ({ getItem: (name: string) => kept.get(name) ?? null, setItem: (name: string, value: string) => void kept.set(name, value) });
  assert.deepEqual(load_mapping(shelf, "game"), kUsual);
  save_mapping(shelf, "game", { as: "keys", stick: "arrows", speed: 500, buttons: { ...kUsual.buttons, a: "Z" } });
  assert.equal(load_mapping(shelf, "game").buttons.a, "Z");
  assert.deepEqual([load_mapping(shelf, "game").stick, load_mapping(shelf, "game").as], ["arrows", "keys"]);
  assert.deepEqual(load_mapping(shelf, "another"), kUsual);
  for (const wrong of ["{", "null", '{"stick":7,"speed":-1,"buttons":{"a":"rm -rf","b":3}}']) {
    kept.set("hearth.pad.game", wrong);
    assert.deepEqual(load_mapping(shelf, "game"), kUsual);
  }
  const none = () => {
    throw new Error("refused");
  };
  save_mapping(none, "game", kUsual);
  assert.deepEqual(load_mapping(none, "game"), kUsual);
});

function sender() {
  const sent: OutPiece[] = [];
  let files: Sending[] = [];
  const one = new FileSender((piece) => sent.push(piece), (all) => (files = all));
  return { sent, files: () => files, sender: one };
}
const settled = () => new Promise((resolve) => setTimeout(resolve, 0));
const source = (name: string, size: number) => ({ name, size, read: (from: number, to: number) => Promise.resolve(new Uint8Array(to - from)) });
const progress = (number: number, what: Partial<Progress>): Progress => ({ number, received: 0, savedAs: "", offered: false, taken: false, problem: "", ...what });

test("a file goes in pieces, and no more of it than the other side can take", async () => {
  const { sent, files, sender: one } = sender();
  const size = 2 * kAhead + 5;
  one.add([source("a.txt", size)], 7.4, 9);
  await settled();
  assert.equal(sent.length, kAhead / kFilePiece);
  assert.deepEqual([sent[0]!.name, sent[0]!.size, sent[1]!.name], ["a.txt", size, ""]);
  one.on_progress(progress(1, { received: kFilePiece }));
  await settled();
  assert.equal(sent.length, kAhead / kFilePiece + 1);
  one.on_progress(progress(1, { received: kAhead + kFilePiece }));
  await settled();
  one.on_progress(progress(1, { received: 2 * kAhead }));
  await settled();
  const last = sent.at(-1)!;
  assert.deepEqual([last.last, last.more, last.offset + last.data.length, last.x], [true, false, size, 7]);
  assert.equal(files()[0]!.state, "sending");
  one.on_progress(progress(1, { received: size, savedAs: "a (2).txt" }));
  assert.deepEqual([files()[0]!.state, files()[0]!.words], ["saved", "a (2).txt"]);
});

test("files of one drop follow each other and are taken together", async () => {
  const { sent, files, sender: one } = sender();
  one.add([source("a", 3), source("empty", 0), source("huge", kMaxFile + 1)], 0, 0);
  await settled();
  assert.deepEqual(sent.map((piece) => [piece.number, piece.last, piece.more]), [[1, true, true]]);
  one.on_progress(progress(1, { received: 3, savedAs: "a" }));
  await settled();
  assert.deepEqual([sent[1]!.number, sent[1]!.last, sent[1]!.more, sent[1]!.data.length], [2, true, false, 0]);
  one.on_progress(progress(2, { savedAs: "empty" }));
  one.on_progress(progress(2, { offered: true, taken: true }));
  assert.deepEqual(files().map((file) => file.state), ["taken", "taken", "failed"]);
  one.clear();
  assert.deepEqual(files(), []);
});

test("a file that cannot be read, is refused, cancelled or cut off says so, and the next one goes on", async () => {
  const { sent, files, sender: one } = sender();
  one.add([{ name: "folder", size: 10, read: () => Promise.reject(new Error("no")) }, source("full", 10), source("unwanted", 10), source("good", 10)], 0, 0);
  await settled();
  assert.equal(sent[0]!.cancelled, true);
  one.on_progress(progress(2, { problem: "there is no room" }));
  await settled();
  one.cancel(3);
  await settled();
  assert.deepEqual(sent.map((piece) => [piece.number, piece.cancelled]), [[1, true], [2, false], [3, false], [3, true], [4, false]]);
  one.lost();
  assert.deepEqual(files().map((file) => file.state), ["failed", "failed", "failed"]);
  assert.match(files()[2]!.words, /link broke/);
});
