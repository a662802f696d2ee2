// What is chosen in a folder, by name. A value: each change gives another one.
export interface Selection {
  readonly names: ReadonlySet<string>;
  readonly anchor: number | undefined; // the row that was touched last, where a range begins
}

export const kNothing: Selection = { names: new Set(), anchor: undefined };

export function toggled(selection: Selection, name: string, row: number): Selection {
  const names = new Set(selection.names);
  if (!names.delete(name)) names.add(name);
  return { names, anchor: row };
}

// All from the anchor to `row`; `name_at` gives undefined for rows that are not here yet, which are left out.
export function with_range(selection: Selection, row: number, name_at: (row: number) => string | undefined): Selection {
  const anchor = selection.anchor ?? row;
  const names = new Set(selection.names);
  for (let at = Math.min(anchor, row); at <= Math.max(anchor, row); at++) {
    const name = name_at(at);
    if (name !== undefined) names.add(name);
  }
  return { names, anchor };
}
