// What is held of pointer and keyboard on the way to an app, whoever holds it: mouse or finger, keys, game controls. Sends
// all of it each time (screen.proto: Input). Positions are in pixels of the picture.
import type { Pad } from "./pads";

export interface Held {
  x: number; // -1, and y as well: the pointer stays where it is
  y: number;
  buttons: number;
  keys: number[];
  wheel_x: number;
  wheel_y: number;
  dx: number;
  dy: number;
  pad?: Pad; // of an app that reads a gamepad
}

const kMaxStep = 500; // of one message
const kMaxKeys = 16;

export class Hands {
  x = 0;
  y = 0;
  buttons = 0;
  keys: () => number[] = () => [];
  // Where the app has taken the pointer (a game), only movement is told, and where it is nobody here knows.
  relative = false;

  #send: (held: Held) => void;
  #pad_keys: number[] = [];
  #pad_buttons = 0;
  #pad: Pad | undefined;
  #left_over = { x: 0, y: 0 };

  constructor(send: (held: Held) => void) {
    this.#send = send;
  }

  tell(wheel_x = 0, wheel_y = 0): void {
    this.#tell(this.keys(), wheel_x, wheel_y);
  }

  // Pressed and released.
  tap(keys: number[]): void {
    this.#tell([...this.keys(), ...keys]);
    this.#tell(this.keys());
  }

  // The pointer is put there.
  point(x: number, y: number, size: { width: number; height: number }): void {
    this.relative = false;
    this.x = Math.max(0, Math.min(size.width - 1, x));
    this.y = Math.max(0, Math.min(size.height - 1, y));
  }

  // The pointer is pushed on from wherever it is. Fractions of pixels add up.
  push(dx: number, dy: number): void {
    const x = this.#left_over.x + dx;
    const y = this.#left_over.y + dy;
    const whole = { x: Math.trunc(x), y: Math.trunc(y) };
    this.#left_over = { x: x - whole.x, y: y - whole.y };
    if (whole.x === 0 && whole.y === 0) return;
    this.relative = true;
    this.#tell(this.keys(), 0, 0, bounded(whole.x), bounded(whole.y));
  }

  // What game controls hold. Tells only what has changed.
  hold_by_pad(keys: number[], buttons: number, pad?: Pad): void {
    const same_keys = keys.length === this.#pad_keys.length && keys.every((key, at) => key === this.#pad_keys[at]);
    const same_pad = JSON.stringify(pad) === JSON.stringify(this.#pad);
    if (same_keys && same_pad && buttons === this.#pad_buttons) return;
    this.#pad_keys = keys;
    this.#pad_buttons = buttons;
    this.#pad = pad;
    this.tell();
  }

  release_all(): void {
    this.buttons = 0;
    this.#pad_keys = [];
    this.#pad_buttons = 0;
    this.#pad = undefined;
    this.#left_over = { x: 0, y: 0 };
    this.tell();
  }

  #tell(keys: number[], wheel_x = 0, wheel_y = 0, dx = 0, dy = 0): void {
    const [x, y] = this.relative ? [-1, -1] : [this.x, this.y];
    const all = [...new Set([...keys, ...this.#pad_keys])].slice(0, kMaxKeys);
    const pad = this.#pad === undefined ? {} : { pad: this.#pad };
    this.#send({ x, y, buttons: this.buttons | this.#pad_buttons, keys: all, wheel_x, wheel_y, dx, dy, ...pad });
  }
}

function bounded(step: number): number {
  return Math.max(-kMaxStep, Math.min(kMaxStep, step));
}
