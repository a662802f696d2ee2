// How much of an app's picture is seen, and which part: the picture stands in the middle of its stage, made larger by a
// factor and moved from there, in CSS pixels.
export interface Zoom {
  factor: number;
  x: number;
  y: number;
}
interface Size {
  width: number;
  height: number;
}
interface Point {
  x: number;
  y: number;
}

export const kWhole: Zoom = { factor: 1, x: 0, y: 0 };
const kMost = 5;
const kMargin = 0.2; // of the stage: a pointer that comes nearer to its edge moves the picture

function bounded(value: number, side: number, factor: number): number {
  const most = (side * (factor - 1)) / 2;
  return Math.max(-most, Math.min(most, value));
}

// Larger by `factor` about a point (from the stage's middle), and moved. `fit`: the whole picture's size on the stage.
export function zoomed(zoom: Zoom, factor: number, at: Point, moved: Point, fit: Size): Zoom {
  const next = Math.max(1, Math.min(kMost, zoom.factor * factor));
  const ratio = next / zoom.factor;
  return {
    factor: next,
    x: bounded(at.x - (at.x - zoom.x) * ratio + moved.x, fit.width, next),
    y: bounded(at.y - (at.y - zoom.y) * ratio + moved.y, fit.height, next),
  };
}

// Where a point of the picture, in parts of its sides, is on the stage, from the stage's middle.
export function on_stage(zoom: Zoom, part: Point, fit: Size): Point {
  return { x: zoom.x + (part.x - 0.5) * fit.width * zoom.factor, y: zoom.y + (part.y - 0.5) * fit.height * zoom.factor };
}

// Moved so far that the point is not at the stage's edge, unless the picture's edge is there.
export function following(zoom: Zoom, part: Point, fit: Size, stage: Size): Zoom {
  if (zoom.factor === 1) return zoom;
  const at = on_stage(zoom, part, fit);
  const beyond = (value: number, side: number) => {
    const most = side * (0.5 - kMargin);
    return value - Math.max(-most, Math.min(most, value));
  };
  return {
    factor: zoom.factor,
    x: bounded(zoom.x - beyond(at.x, stage.width), fit.width, zoom.factor),
    y: bounded(zoom.y - beyond(at.y, stage.height), fit.height, zoom.factor),
  };
}
