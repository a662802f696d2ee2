// Which rows of a long list are drawn, and which pages of it must be there for that. Rows are of one height.
export const kPageRows = 200; // entries that are asked for at once

export interface RowWindow {
  first: number;
  end: number; // one past the last
}

// `above`: pixels of the list that are scrolled out at the top (negative: it begins further down); `margin`: rows that are
// drawn beyond each edge.
export function visible_rows(above: number, viewport: number, row: number, total: number, margin = 10): RowWindow {
  const first = Math.min(total, Math.max(0, Math.floor(above / row) - margin));
  const end = Math.max(first, Math.min(total, Math.ceil((above + viewport) / row) + margin));
  return { first, end };
}

// The numbers of the pages that hold those rows.
export function pages_of({ first, end }: RowWindow, page = kPageRows): number[] {
  if (end <= first) return [];
  const from = Math.floor(first / page);
  return Array.from({ length: Math.floor((end - 1) / page) - from + 1 }, (_, i) => from + i);
}
