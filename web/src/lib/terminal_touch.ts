// What fingers on a terminal mean: a drag scrolls and goes on for a while when it is let go, a long press selects, two
// fingers change the size of the letters. A tap is left to the browser, which makes a click of it. Knows no element and
// no clock but what it is told, in CSS pixels and milliseconds.
export interface Deeds {
  scroll: (pixels: number, x: number, y: number) => void; // down in the text, at a point
  select: (from_x: number, from_y: number, to_x: number, to_y: number) => void; // a word at a point if both are the same
  grow: (factor: number) => void; // since the two fingers came
}

export const kLongPress = 450;
const kSlack = 8; // pixels that a finger may slip in a tap
const kRemembers = 80; // milliseconds of a drag that its speed is taken from
const kDecay = 0.0032; // of the speed, for each millisecond
const kSlowest = 0.02; // pixels in a millisecond

interface Point {
  x: number;
  y: number;
}

export class TerminalTouch {
  #deeds: Deeds;
  #mode: "none" | "pressed" | "scrolling" | "selecting" | "pinching" = "none";
  #start: Point = { x: 0, y: 0 };
  #since = 0;
  #last: Point = { x: 0, y: 0 };
  #apart = 1;
  #track: { y: number; at: number }[] = [];
  #speed = 0;
  #glided = 0;

  constructor(deeds: Deeds) {
    this.#deeds = deeds;
  }

  // Whether the browser is to leave the touch alone.
  get takes(): boolean {
    return this.#mode !== "none" && this.#mode !== "pressed";
  }

  // A long press may be about to come, or the text goes on moving: then tell the time again and again.
  get waits(): boolean {
    return this.#mode === "pressed" || this.#speed !== 0;
  }

  // All fingers that are down, after one has come or gone.
  fingers(points: Point[], now: number): void {
    const [first, second] = points;
    if (first === undefined) return this.#end(now);
    this.#speed = 0;
    if (second !== undefined) {
      this.#mode = "pinching";
      this.#apart = Math.max(1, Math.hypot(first.x - second.x, first.y - second.y));
    } else if (this.#mode === "none") {
      this.#mode = "pressed";
      this.#start = this.#last = first;
      this.#since = now;
      this.#track = [{ y: first.y, at: now }];
    } else if (this.#mode === "pinching") {
      this.#mode = "scrolling";
      this.#last = first;
      this.#track = [{ y: first.y, at: now }];
    }
  }

  move(points: Point[], now: number): void {
    const [first, second] = points;
    if (first === undefined) return;
    if (this.#mode === "pinching" && second !== undefined) return this.#deeds.grow(Math.hypot(first.x - second.x, first.y - second.y) / this.#apart);
    if (this.#mode === "selecting") return this.#deeds.select(this.#start.x, this.#start.y, first.x, first.y);
    if (this.#mode === "pressed" && Math.hypot(first.x - this.#start.x, first.y - this.#start.y) > kSlack) this.#mode = "scrolling";
    if (this.#mode !== "scrolling") return;
    this.#deeds.scroll(this.#last.y - first.y, first.x, first.y);
    this.#last = first;
    this.#track = [...this.#track.filter((point) => now - point.at <= kRemembers), { y: first.y, at: now }];
  }

  tick(now: number): void {
    if (this.#mode === "pressed" && now - this.#since >= kLongPress) {
      this.#mode = "selecting";
      this.#deeds.select(this.#start.x, this.#start.y, this.#start.x, this.#start.y);
    }
    if (this.#speed === 0) return;
    const span = Math.max(0, now - this.#glided);
    this.#glided = now;
    this.#deeds.scroll(this.#speed * span, this.#last.x, this.#last.y);
    this.#speed *= Math.exp(-kDecay * span);
    if (Math.abs(this.#speed) < kSlowest) this.#speed = 0;
  }

  // Something else moves the text now: it goes on no longer.
  stop(): void {
    this.#speed = 0;
  }

  cancel(): void {
    this.#mode = "none";
    this.stop();
  }

  #end(now: number): void {
    const first = this.#track.find((point) => now - point.at <= kRemembers);
    const span = first === undefined ? 0 : now - first.at;
    if (this.#mode === "scrolling" && first !== undefined && span > 0) this.#speed = (first.y - this.#last.y) / span;
    if (Math.abs(this.#speed) < kSlowest) this.#speed = 0;
    this.#glided = now;
    this.#mode = "none";
  }
}
