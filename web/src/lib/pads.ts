// Game controls, on the phone's glass or in the hand. An app that reads a gamepad gets them as one (screen.proto: Pad);
// of any other they hold keys and push the pointer. Each app has a mapping of its own, kept by this browser.
import { character_key, named_key } from "./keysyms";

// In the order of the Gamepad API's standard layout.
export const kPadButtons = ["a", "b", "x", "y", "l1", "r1", "l2", "r2", "select", "start", "l3", "r3", "up", "down", "left", "right", "home"] as const;
export type PadButton = (typeof kPadButtons)[number];

export interface Stick {
  x: number; // -1 to 1, to the right
  y: number; // down
}

export interface PadState {
  left: Stick;
  right: Stick;
  triggers: { left: number; right: number }; // how far they are pulled, 0 to 1; of buttons on the glass nothing is known
  pressed: PadButton[];
}

export interface Mapping {
  as: "gamepad" | "keys"; // what an app gets that reads gamepads
  stick: "wasd" | "arrows"; // what the left one is
  speed: number; // of the pointer by the right one, in pixels a second at its edge
  buttons: Partial<Record<PadButton, string>>; // an action's name
}

interface Action {
  key?: number;
  button?: number; // bit of Input.buttons
}

const kShift = 0xffe1;
const kControl = 0xffe3;
const kAlt = 0xffe9;
const letters = "abcdefghijklmnopqrstuvwxyz0123456789";
export const kActions: ReadonlyMap<string, Action> = new Map<string, Action>([
  ["Nothing", {}],
  ["Click", { button: 1 }],
  ["Right click", { button: 4 }],
  ["Middle click", { button: 2 }],
  ["Space", { key: 0x20 }],
  ["Enter", { key: named_key("Enter") }],
  ["Esc", { key: named_key("Escape") }],
  ["Tab", { key: named_key("Tab") }],
  ["Shift", { key: kShift }],
  ["Ctrl", { key: kControl }],
  ["Alt", { key: kAlt }],
  ["Up", { key: named_key("ArrowUp") }],
  ["Down", { key: named_key("ArrowDown") }],
  ["Left", { key: named_key("ArrowLeft") }],
  ["Right", { key: named_key("ArrowRight") }],
  ...[...letters].map((letter): [string, Action] => [letter.toUpperCase(), { key: character_key(letter) }]),
]);

export const kUsual: Mapping = {
  as: "gamepad",
  stick: "wasd",
  speed: 900,
  buttons: {
    a: "Space", b: "Shift", x: "E", y: "R", l1: "Q", r1: "F", l2: "Right click", r2: "Click", select: "Tab", start: "Esc", l3: "Ctrl", r3: "Middle click",
    up: "Up", down: "Down", left: "Left", right: "Right", home: "Nothing",
  },
};

export const kAtRest: PadState = { left: { x: 0, y: 0 }, right: { x: 0, y: 0 }, triggers: { left: 0, right: 0 }, pressed: [] };

const kDead = 0.15; // of a stick's way: nothing that is not held is so far out
const kPressed = 0.4; // from there on it holds a key

// What is held, and where to the right stick pushes the pointer, in pixels a second.
export function held_by(state: PadState, mapping: Mapping): { keys: number[]; buttons: number; push: Stick } {
  const keys = new Set<number>();
  let buttons = 0;
  const stick = mapping.stick === "wasd" ? "wasd" : undefined;
  const way = (at: number, name: string) => keys.add(stick !== undefined ? character_key(stick[at]!) : named_key(name));
  if (state.left.y < -kPressed) way(0, "ArrowUp");
  if (state.left.x < -kPressed) way(1, "ArrowLeft");
  if (state.left.y > kPressed) way(2, "ArrowDown");
  if (state.left.x > kPressed) way(3, "ArrowRight");
  for (const button of state.pressed) {
    const action = kActions.get(mapping.buttons[button] ?? "Nothing");
    if (action?.key !== undefined) keys.add(action.key);
    buttons |= action?.button ?? 0;
  }
  return { keys: [...keys], buttons, push: push_of(state.right, mapping.speed) };
}

// As screen.proto's.
export interface Pad {
  buttons: number;
  leftX: number;
  leftY: number;
  rightX: number;
  rightY: number;
  leftTrigger: number;
  rightTrigger: number;
}

const kStickMost = 32767;
const kSteps = 127; // of a stick to either side: what trembles by less is not told
const kTriggerMost = 255;

// As the gamepad that the app reads.
export function pad_of({ left, right, triggers, pressed }: PadState): Pad {
  const axis = (way: number) => Math.round((Math.round(way * kSteps) / kSteps) * kStickMost);
  const trigger = (pulled: number, button: PadButton) => Math.round((pulled > 0 ? pulled : Number(pressed.includes(button))) * kTriggerMost);
  return {
    buttons: pressed.reduce((bits, button) => bits | (1 << kPadButtons.indexOf(button)), 0),
    leftX: axis(left.x), leftY: axis(left.y), rightX: axis(right.x), rightY: axis(right.y),
    leftTrigger: trigger(triggers.left, "l2"), rightTrigger: trigger(triggers.right, "r2"),
  };
}

// Fine near the middle, fast at the edge.
function push_of({ x, y }: Stick, speed: number): Stick {
  const out = Math.min(1, Math.hypot(x, y));
  if (out <= kDead) return { x: 0, y: 0 };
  const gain = (speed * ((out - kDead) / (1 - kDead)) ** 2) / out;
  return { x: x * gain, y: y * gain };
}

// Both at once: what either holds is held, and sticks add up.
export function merged(one: PadState, other: PadState): PadState {
  const sum = (a: Stick, b: Stick) => ({ x: Math.max(-1, Math.min(1, a.x + b.x)), y: Math.max(-1, Math.min(1, a.y + b.y)) });
  const triggers = { left: Math.max(one.triggers.left, other.triggers.left), right: Math.max(one.triggers.right, other.triggers.right) };
  return { left: sum(one.left, other.left), right: sum(one.right, other.right), triggers, pressed: [...new Set([...one.pressed, ...other.pressed])] };
}

interface GamepadLike {
  connected: boolean;
  mapping: string;
  axes: readonly number[];
  buttons: readonly { pressed: boolean; value: number }[];
}

// Of all that are connected; undefined: none that is known.
export function read_gamepads(pads: readonly (GamepadLike | null)[]): PadState | undefined {
  let state: PadState | undefined;
  for (const pad of pads) {
    if (pad === null || !pad.connected || pad.mapping !== "standard") continue;
    const stick = (at: number): Stick => {
      const [x, y] = [pad.axes[at] ?? 0, pad.axes[at + 1] ?? 0];
      return Math.hypot(x, y) < kDead ? { x: 0, y: 0 } : { x, y };
    };
    const value = (button: PadButton) => pad.buttons[kPadButtons.indexOf(button)]?.value ?? 0;
    const pressed = kPadButtons.filter((button, at) => pad.buttons[at]?.pressed || value(button) > 0.5);
    state = merged(state ?? kAtRest, { left: stick(0), right: stick(2), triggers: { left: value("l2"), right: value("r2") }, pressed });
  }
  return state;
}

const kPrefix = "hearth.pad.";

// Where this browser keeps things; it may refuse even to name it.
type Shelf = () => Pick<Storage, "getItem" | "setItem">;

// Whatever lies there, a mapping that works comes back.
export function load_mapping(shelf: Shelf, app: string): Mapping {
  try {
    const said = JSON.parse(shelf().getItem(kPrefix + app) ?? "{}") as Partial<Mapping>;
    const buttons = { ...kUsual.buttons };
    for (const button of kPadButtons) {
      const action = said.buttons?.[button];
      if (typeof action === "string" && kActions.has(action)) buttons[button] = action;
    }
    const speed = typeof said.speed === "number" && said.speed >= 100 && said.speed <= 3000 ? said.speed : kUsual.speed;
    return { as: said.as === "keys" ? "keys" : "gamepad", stick: said.stick === "arrows" ? "arrows" : "wasd", speed, buttons };
  } catch {
    return { ...kUsual, buttons: { ...kUsual.buttons } };
  }
}

export function save_mapping(shelf: Shelf, app: string, mapping: Mapping): void {
  try {
    shelf().setItem(kPrefix + app, JSON.stringify(mapping));
  } catch {
    // A browser that keeps nothing: it holds until the page is left.
  }
}
