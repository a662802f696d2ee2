// The pointer of an app by mouse, wheel and fingers: fingers point at things, or the picture is a trackpad; a game may hold
// the mouse. Also what part of the picture is seen, since fingers change that.
import { Gestures, kLongPress } from "./gestures";
import type { Hands } from "./hands";
import { kDragTime, Trackpad } from "./trackpad";
import { following, kWhole, on_stage, zoomed, type Zoom } from "./zoom";

interface Size {
  width: number;
  height: number;
}

export class AppPointer {
  box = $state<Size>({ width: 0, height: 0 }); // the stage's, in CSS pixels
  zoom = $state.raw<Zoom>(kWhole);
  is_trackpad = $state(false);
  locked = $state(false); // the mouse is the app's
  canvas: HTMLCanvasElement | undefined;
  stage: HTMLElement | undefined;

  #hands: Hands;
  #size: () => Size;
  #spot = $state.raw({ x: 0, y: 0 }); // where it is, while it has to be drawn
  #turned = { x: 0, y: 0 };

  // `size`: the picture's, in its own pixels.
  constructor(hands: Hands, size: () => Size) {
    this.#hands = hands;
    this.#size = size;
  }

  // The whole picture's size on the stage.
  fit: Size = $derived.by(() => {
    const { width, height } = this.#size();
    const scale = width === 0 ? 0 : Math.min(this.box.width / width, this.box.height / height);
    return { width: width * scale, height: height * scale };
  });
  // CSS pixels for one of the picture.
  scale = $derived.by(() => (this.#size().width === 0 ? 1 : (this.fit.width * this.zoom.factor) / this.#size().width));
  // Where on the stage it is to be drawn.
  mark = $derived.by(() => {
    const at = on_stage(this.zoom, this.#part(), this.fit);
    return { x: this.box.width / 2 + at.x, y: this.box.height / 2 + at.y };
  });

  on_pointer(event: PointerEvent): void {
    if (event.type === "pointerdown" && !this.locked) this.canvas!.setPointerCapture(event.pointerId);
    if (event.pointerType === "touch") return this.is_trackpad ? this.#on_trackpad(event) : this.#on_touch(event);
    this.#hands.buttons = (event.buttons & 1) | ((event.buttons & 4) >> 1) | ((event.buttons & 2) << 1);
    if (this.locked && event.type === "pointermove") return this.#hands.push(event.movementX, event.movementY);
    this.place(event);
    this.#hands.tell();
  }

  on_wheel(event: WheelEvent): void {
    const notch = event.deltaMode === WheelEvent.DOM_DELTA_PIXEL ? 100 : 3;
    const [x, y] = [this.#turned.x + event.deltaX / notch, this.#turned.y + event.deltaY / notch];
    const [wheel_x, wheel_y] = [Math.trunc(x), Math.trunc(y)];
    this.#turned = { x: x - wheel_x, y: y - wheel_y };
    this.place(event);
    if (wheel_x !== 0 || wheel_y !== 0) this.#hands.tell(wheel_x, wheel_y);
  }

  // Where the mouse is; told with what is told next.
  place(event: { clientX: number; clientY: number }): void {
    if (!this.locked) this.#place(event.clientX, event.clientY);
  }

  use_trackpad(on: boolean): void {
    this.release();
    this.is_trackpad = on;
    const { width, height } = this.#size();
    if (this.#hands.x === 0 && this.#hands.y === 0) this.#hands.point(width / 2, height / 2, { width, height });
    this.#spot = { x: this.#hands.x, y: this.#hands.y };
    this.#hands.tell();
  }

  // Throws if the browser does not let the app have the mouse.
  async lock(): Promise<void> {
    try {
      await this.canvas!.requestPointerLock({ unadjustedMovement: true });
    } catch {
      await this.canvas!.requestPointerLock(); // movement as the system has it, accelerated
    }
  }

  // The browser has given the mouse to the app, or back to the person: Esc, or another window.
  on_lock(): void {
    this.locked = document.pointerLockElement === this.canvas;
    this.#hands.relative = this.locked;
  }

  release(): void {
    this.#gestures.cancel();
    this.#trackpad.cancel();
  }

  #part(): { x: number; y: number } {
    const { width, height } = this.#size();
    return { x: this.#spot.x / Math.max(1, width), y: this.#spot.y / Math.max(1, height) };
  }

  #place(client_x: number, client_y: number): void {
    const rect = this.canvas!.getBoundingClientRect();
    const size = this.#size();
    this.#hands.point(((client_x - rect.left) / rect.width) * size.width, ((client_y - rect.top) / rect.height) * size.height, size);
  }

  #pinch = (factor: number, client_x: number, client_y: number, dx: number, dy: number): void => {
    const rect = this.stage!.getBoundingClientRect();
    const at = { x: client_x - rect.left - rect.width / 2, y: client_y - rect.top - rect.height / 2 };
    this.zoom = zoomed(this.zoom, factor, at, { x: dx, y: dy }, this.fit);
  };

  #gestures = new Gestures({
    point: (client_x, client_y, held) => {
      this.#place(client_x, client_y);
      this.#press(held);
    },
    scroll: (client_x, client_y, wheel_x, wheel_y) => {
      this.#place(client_x, client_y);
      this.#hands.tell(wheel_x, wheel_y);
    },
    zoom: this.#pinch,
  });

  #trackpad = new Trackpad({
    push: (dx, dy) => {
      this.#hands.point(this.#hands.x + dx / this.scale, this.#hands.y + dy / this.scale, this.#size());
      this.#hands.tell();
      this.#spot = { x: this.#hands.x, y: this.#hands.y };
      this.zoom = following(this.zoom, this.#part(), this.fit, this.box);
    },
    press: (held) => this.#press(held),
    scroll: (wheel_x, wheel_y) => this.#hands.tell(wheel_x, wheel_y),
    zoom: this.#pinch,
  });

  #press(held: number): void {
    this.#hands.buttons = held;
    this.#hands.tell();
  }

  #on_touch({ type, pointerId, clientX, clientY, timeStamp }: PointerEvent): void {
    if (type === "pointerdown") {
      this.#gestures.down(pointerId, clientX, clientY, timeStamp);
      if (this.#gestures.waits) setTimeout(() => this.#gestures.tick(performance.now()), kLongPress + 10);
    } else if (type === "pointermove") this.#gestures.move(pointerId, clientX, clientY);
    else if (type === "pointerup") this.#gestures.up(pointerId);
    else this.#gestures.cancel();
  }

  #on_trackpad({ type, pointerId, clientX, clientY, timeStamp }: PointerEvent): void {
    if (type === "pointerdown") this.#trackpad.down(pointerId, clientX, clientY, timeStamp);
    else if (type === "pointermove") this.#trackpad.move(pointerId, clientX, clientY, timeStamp);
    else if (type === "pointerup") this.#trackpad.up(pointerId, timeStamp);
    else this.#trackpad.cancel();
    if (type === "pointerup" && this.#trackpad.waits) setTimeout(() => this.#trackpad.tick(performance.now()), kDragTime + 10);
  }
}
