// Where photos lie in the grid, and what is said of them.
import assert from "node:assert/strict";
import { test } from "node:test";
import { grid_shape, month_blocks, month_text, seen_blocks, taken_text } from "../../src/lib/photo_grid";

const shape = { columns: 4, cell: 100, heading: 50 };
const months = [
  { year: 2026, month: 11, count: 5 },
  { year: 2026, month: 9, count: 400 },
  { year: 1999, month: 12, count: 1 },
];

test("as many columns as fit, three on the narrowest phone", () => {
  assert.deepEqual(grid_shape(343, 3, 104, 50), { columns: 3, cell: 346 / 3, heading: 50 });
  assert.equal(grid_shape(100, 3, 104, 50).columns, 3);
  assert.equal(grid_shape(1097, 3, 107, 50).columns, 10);
});

test("each month lies below the one before it, under its heading", () => {
  const blocks = month_blocks(months, shape);
  assert.deepEqual(blocks.map(({ first, top, height }) => [first, top, height]), [[0, 0, 250], [5, 250, 10_050], [405, 10_300, 150]]);
  assert.deepEqual(month_blocks([], shape), []);
});

test("what is in sight is drawn, however many photos there are", () => {
  const blocks = month_blocks(months, shape);
  const seen = (above: number) => seen_blocks(blocks, shape, above, 800, 0).map(({ block, from, end }) => [block.first, from, end]);
  assert.deepEqual(seen(0), [[0, 0, 5], [5, 0, 24]]);
  assert.deepEqual(seen(5300), [[5, 200, 236]]);
  assert.deepEqual(seen(10_310), [[405, 0, 1]]);
  assert.deepEqual(seen(-900), []);
  assert.deepEqual(seen(99_999), []);
  const many = month_blocks(Array.from({ length: 240 }, (_, i) => ({ year: 2020 - Math.floor(i / 12), month: 12 - (i % 12), count: 417 })), shape);
  const drawn = seen_blocks(many, shape, 1_000_000, 800).reduce((sum, { from, end }) => sum + end - from, 0);
  assert.ok(drawn > 0 && drawn < 120, String(drawn));
});

test("every shot that is in sight is drawn once", () => {
  const blocks = month_blocks(months, shape);
  const numbers: number[] = [];
  for (const { block, from, end } of seen_blocks(blocks, shape, 0, 20_000, 0)) for (let at = from; at < end; at++) numbers.push(block.first + at);
  assert.deepEqual(numbers, Array.from({ length: 406 }, (_, i) => i));
});

test("months and moments are those of the place, whatever this clock's zone", () => {
  assert.equal(month_text({ year: 2026, month: 1 }), "January 2026");
  assert.equal(taken_text(1_715_947_391n), "17 May 2024, 12:03");
});
