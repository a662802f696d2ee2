// What fingers on an app's picture mean while it is a trackpad: one moves the pointer from where it is, a tap clicks, a tap
// and then a drag drags, two fingers scroll, zoom the picture when they part, or are the right button when they tap. Knows
// no element and no clock but what it is told, in CSS pixels and milliseconds.
export interface TrackpadDeeds {
  push: (dx: number, dy: number) => void; // the pointer, in CSS pixels
  press: (buttons: number) => void; // held from then on
  scroll: (wheel_x: number, wheel_y: number) => void; // notches
  zoom: (factor: number, x: number, y: number, dx: number, dy: number) => void; // about a point, and moved
}

export const kLeft = 1;
export const kRight = 4;
export const kTapTime = 250; // a finger that stays longer has not tapped
export const kDragTime = 200; // after a tap: a finger that comes back by then may drag
const kSlack = 8; // pixels that a finger may slip in a tap
const kNotch = 24; // pixels for one notch of the wheel
const kPinch = 18; // pixels that the fingers part before it is a pinch

interface Finger {
  x: number;
  y: number;
  at: number;
}

type Mode = "none" | "touched" | "moving" | "tapped" | "again" | "dragging" | "two" | "scrolling" | "pinching" | "done";

export class Trackpad {
  #deeds: TrackpadDeeds;
  #fingers = new Map<number, Finger>();
  #mode: Mode = "none";
  #start = { x: 0, y: 0 };
  #since = 0;
  #apart = 0;
  #middle = { x: 0, y: 0 };
  #turned = { x: 0, y: 0 };

  constructor(deeds: TrackpadDeeds) {
    this.#deeds = deeds;
  }

  // Whether to tick() after kDragTime: a button is held that is to be released.
  get waits(): boolean {
    return this.#mode === "tapped";
  }

  down(id: number, x: number, y: number, now: number): void {
    this.#fingers.set(id, { x, y, at: now });
    if (this.#fingers.size === 1) {
      this.#mode = this.#mode === "tapped" ? "again" : "touched";
      this.#start = { x, y };
      this.#since = now;
    } else if (this.#fingers.size === 2) {
      this.#let_go();
      this.#mode = this.#mode === "touched" ? "two" : "done";
      this.#apart = this.#distance();
      this.#middle = this.#centre();
      this.#turned = { x: 0, y: 0 };
    } else {
      this.#mode = "done";
    }
  }

  move(id: number, x: number, y: number, now: number): void {
    const finger = this.#fingers.get(id);
    if (finger === undefined) return;
    const before = { ...finger };
    Object.assign(finger, { x, y, at: now });
    const slipped = Math.hypot(x - this.#start.x, y - this.#start.y) > kSlack;
    if (this.#mode === "touched" && slipped) this.#mode = "moving";
    if (this.#mode === "again" && slipped) this.#mode = "dragging";
    if (this.#mode === "moving" || this.#mode === "dragging") this.#push(x - before.x, y - before.y, now - before.at);
    if (this.#fingers.size === 2) this.#move_two();
  }

  up(id: number, now: number): void {
    if (!this.#fingers.delete(id)) return;
    const quick = now - this.#since <= kTapTime;
    if (this.#mode === "touched" && quick) return this.#begin_tap(now);
    if (this.#mode === "again") {
      this.#deeds.press(0);
      if (quick) return this.#begin_tap(now);
    }
    if (this.#mode === "dragging") this.#deeds.press(0);
    if (this.#mode === "two" && quick) this.#click(kRight);
    this.#mode = this.#fingers.size === 0 ? "none" : "done";
  }

  // Time has passed.
  tick(now: number): void {
    if (this.#mode !== "tapped" || now - this.#since < kDragTime) return;
    this.#deeds.press(0);
    this.#mode = "none";
  }

  cancel(): void {
    this.#let_go();
    this.#fingers.clear();
    this.#mode = "none";
  }

  // The button stays held for a moment: a finger that comes back in time goes on with it.
  #begin_tap(now: number): void {
    this.#deeds.press(kLeft);
    this.#mode = "tapped";
    this.#since = now;
  }

  #let_go(): void {
    if (this.#mode === "tapped" || this.#mode === "again" || this.#mode === "dragging") this.#deeds.press(0);
  }

  #click(button: number): void {
    this.#deeds.press(button);
    this.#deeds.press(0);
  }

  #push(dx: number, dy: number, passed: number): void {
    const gain = acceleration(Math.hypot(dx, dy) / Math.max(1, passed));
    this.#deeds.push(dx * gain, dy * gain);
  }

  #pair(): [Finger, Finger] {
    const [one, other] = [...this.#fingers.values()];
    return [one!, other!];
  }

  #distance(): number {
    const [one, other] = this.#pair();
    return Math.max(1, Math.hypot(one.x - other.x, one.y - other.y));
  }

  #centre(): { x: number; y: number } {
    const [one, other] = this.#pair();
    return { x: (one.x + other.x) / 2, y: (one.y + other.y) / 2 };
  }

  #move_two(): void {
    const apart = this.#distance();
    const middle = this.#centre();
    const dx = middle.x - this.#middle.x;
    const dy = middle.y - this.#middle.y;
    if (this.#mode === "two" && Math.abs(apart - this.#apart) > kPinch) this.#mode = "pinching";
    else if (this.#mode === "two" && Math.hypot(dx, dy) > kSlack) this.#mode = "scrolling";
    if (this.#mode === "pinching") this.#deeds.zoom(apart / this.#apart, middle.x, middle.y, dx, dy);
    if (this.#mode === "pinching") this.#apart = apart;
    if (this.#mode === "scrolling") this.#scroll(dx, dy);
    if (this.#mode === "scrolling" || this.#mode === "pinching") this.#middle = middle;
  }

  // The content follows the fingers.
  #scroll(dx: number, dy: number): void {
    this.#turned.x -= dx;
    this.#turned.y -= dy;
    const x = Math.trunc(this.#turned.x / kNotch);
    const y = Math.trunc(this.#turned.y / kNotch);
    if (x === 0 && y === 0) return;
    this.#turned.x -= x * kNotch;
    this.#turned.y -= y * kNotch;
    this.#deeds.scroll(x, y);
  }
}

// How far the pointer goes for a finger's pixel, by the finger's speed in pixels a millisecond: slow is exact, fast is far.
export function acceleration(speed: number): number {
  return Math.min(3.5, 0.9 + 1.6 * Math.max(0, speed - 0.15));
}
