// Where the photos of a timeline lie in the page: squares in rows, month by month, each month under its heading. Only what
// is in sight is drawn, so that 100,000 are as good as 100.
export interface GridMonth {
  year: number;
  month: number; // 1 to 12
  count: number;
}

export interface GridShape {
  columns: number;
  cell: number; // pixels, with the gap
  heading: number; // pixels
}

export interface MonthBlock extends GridMonth {
  first: number; // the number of its first shot
  top: number; // pixels
  height: number;
}

// As many columns as fit that are not smaller than `least` pixels, but three at least.
export function grid_shape(width: number, gap: number, least: number, heading: number): GridShape {
  const columns = Math.max(3, Math.floor((width + gap) / (least + gap)));
  return { columns, cell: (width + gap) / columns, heading };
}

export function month_blocks(months: readonly GridMonth[], shape: GridShape): MonthBlock[] {
  let first = 0;
  let top = 0;
  return months.map(({ year, month, count }) => {
    const block = { year, month, count, first, top, height: shape.heading + Math.ceil(count / shape.columns) * shape.cell };
    first += count;
    top += block.height;
    return block;
  });
}

export interface SeenBlock {
  block: MonthBlock;
  from: number; // shots within it that are drawn
  end: number;
}

// `above`: pixels of the grid that are scrolled out at the top; `margin`: pixels that are drawn beyond each edge.
export function seen_blocks(blocks: readonly MonthBlock[], shape: GridShape, above: number, viewport: number, margin = 600): SeenBlock[] {
  const from = above - margin;
  const to = above + viewport + margin;
  const seen: SeenBlock[] = [];
  for (let at = first_reaching(blocks, from); at < blocks.length && blocks[at]!.top < to; at++) {
    const block = blocks[at]!;
    const row_at = (y: number) => Math.floor((y - block.top - shape.heading) / shape.cell);
    const first = Math.max(0, row_at(from)) * shape.columns;
    const end = Math.min(block.count, (row_at(to) + 1) * shape.columns);
    seen.push({ block, from: Math.min(first, block.count), end: Math.max(Math.min(first, block.count), end) });
  }
  return seen;
}

// The first block that ends below y.
function first_reaching(blocks: readonly MonthBlock[], y: number): number {
  let low = 0;
  let high = blocks.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (blocks[middle]!.top + blocks[middle]!.height > y) high = middle;
    else low = middle + 1;
  }
  return low;
}

// "May 2024".
export function month_text({ year, month }: { year: number; month: number }): string {
  return new Date(Date.UTC(year, month - 1, 1)).toLocaleDateString("en", { month: "long", year: "numeric", timeZone: "UTC" });
}

// "17 May 2024, 12:03", by the clock of where it was.
export function taken_text(seconds: bigint): string {
  const time = new Date(Number(seconds) * 1000);
  const month = time.toLocaleDateString("en", { month: "long", timeZone: "UTC" });
  const clock = [time.getUTCHours(), time.getUTCMinutes()].map((part) => String(part).padStart(2, "0")).join(":");
  return `${time.getUTCDate()} ${month} ${time.getUTCFullYear()}, ${clock}`;
}
