// What fingers on an app's picture mean: a tap clicks, a drag drags, a long press is the right button, two fingers
// scroll or, when they part, zoom the picture. Knows no element and no clock but what it is told, in CSS pixels and
// milliseconds.
export interface Deeds {
  point: (x: number, y: number, buttons: number) => void;
  scroll: (x: number, y: number, wheel_x: number, wheel_y: number) => void; // notches
  zoom: (factor: number, x: number, y: number, dx: number, dy: number) => void; // about a point, and moved
}

export const kLeft = 1;
export const kRight = 4;
export const kLongPress = 500;
const kSlack = 10; // pixels that a finger may slip in a tap
const kNotch = 28; // pixels for one notch of the wheel
const kPinch = 14; // pixels that the fingers part before it is a pinch

interface Finger {
  x: number;
  y: number;
}

type Mode = "none" | "pressed" | "dragging" | "done" | "two" | "scrolling" | "pinching";

export class Gestures {
  #deeds: Deeds;
  #fingers = new Map<number, Finger>();
  #mode: Mode = "none";
  #start: Finger = { x: 0, y: 0 };
  #since = 0;
  #apart = 0;
  #middle: Finger = { x: 0, y: 0 };
  #left_over: Finger = { x: 0, y: 0 };

  constructor(deeds: Deeds) {
    this.#deeds = deeds;
  }

  // Whether a long press may be about to come: then tell after kLongPress.
  get waits(): boolean {
    return this.#mode === "pressed";
  }

  down(id: number, x: number, y: number, now: number): void {
    this.#fingers.set(id, { x, y });
    if (this.#fingers.size === 1) {
      this.#mode = "pressed";
      this.#start = { x, y };
      this.#since = now;
    } else if (this.#fingers.size === 2) {
      if (this.#mode === "dragging") this.#deeds.point(this.#start.x, this.#start.y, 0);
      this.#mode = "two";
      this.#apart = this.#distance();
      this.#middle = this.#centre();
      this.#left_over = { x: 0, y: 0 };
    } else {
      this.#mode = "done";
    }
  }

  move(id: number, x: number, y: number): void {
    const finger = this.#fingers.get(id);
    if (finger === undefined) return;
    finger.x = x;
    finger.y = y;
    if (this.#mode === "pressed" && Math.hypot(x - this.#start.x, y - this.#start.y) > kSlack) {
      this.#mode = "dragging";
      this.#deeds.point(this.#start.x, this.#start.y, 0);
      this.#deeds.point(this.#start.x, this.#start.y, kLeft);
    }
    if (this.#mode === "dragging") {
      this.#start = { x, y };
      this.#deeds.point(x, y, kLeft);
    }
    if (this.#fingers.size === 2) this.#move_two();
  }

  up(id: number): void {
    if (!this.#fingers.delete(id)) return;
    if (this.#mode === "pressed") this.#click(kLeft);
    if (this.#mode === "dragging") this.#deeds.point(this.#start.x, this.#start.y, 0);
    this.#mode = this.#fingers.size === 0 ? "none" : "done";
  }

  // Time has passed.
  tick(now: number): void {
    if (this.#mode !== "pressed" || now - this.#since < kLongPress) return;
    this.#click(kRight);
    this.#mode = "done";
  }

  cancel(): void {
    if (this.#mode === "dragging") this.#deeds.point(this.#start.x, this.#start.y, 0);
    this.#fingers.clear();
    this.#mode = "none";
  }

  #click(button: number): void {
    this.#deeds.point(this.#start.x, this.#start.y, 0);
    this.#deeds.point(this.#start.x, this.#start.y, button);
    this.#deeds.point(this.#start.x, this.#start.y, 0);
  }

  #pair(): [Finger, Finger] {
    const [one, other] = [...this.#fingers.values()];
    return [one!, other!];
  }

  #distance(): number {
    const [one, other] = this.#pair();
    return Math.max(1, Math.hypot(one.x - other.x, one.y - other.y));
  }

  #centre(): Finger {
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
    if (this.#mode === "scrolling") this.#scroll(middle, dx, dy);
    if (this.#mode !== "two") this.#middle = middle;
  }

  // The content follows the fingers.
  #scroll(middle: Finger, dx: number, dy: number): void {
    this.#left_over.x -= dx;
    this.#left_over.y -= dy;
    const x = Math.trunc(this.#left_over.x / kNotch);
    const y = Math.trunc(this.#left_over.y / kNotch);
    if (x === 0 && y === 0) return;
    this.#left_over.x -= x * kNotch;
    this.#left_over.y -= y * kNotch;
    this.#deeds.scroll(middle.x, middle.y, x, y);
  }
}
