// Who used how much, added up as it is asked for, and as CSV: the same columns as `hearth usage --csv`.
import type { Usage } from "../gen/hearth/v1/usage_pb";

export type Grouping = "owner" | "account" | "firm" | "day";

export interface UsageSum {
  name: string;
  tasks: number;
  core_seconds: number;
  gpu_seconds: number;
  joules: number;
  unmetered_core_seconds: number;
}

function name_of(row: Usage, by: Grouping): string {
  if (by === "day") return row.day;
  if (by === "firm") return row.firm || "no firm";
  // What counts for no account counts for the device itself.
  return by === "account" ? row.account || row.owner : row.owner;
}

// Days from the first to the last; the others by what they used, the most first.
export function grouped(rows: readonly Usage[], by: Grouping): UsageSum[] {
  const sums = new Map<string, UsageSum>();
  for (const row of rows) {
    const name = name_of(row, by);
    const sum = sums.get(name) ?? { name, tasks: 0, core_seconds: 0, gpu_seconds: 0, joules: 0, unmetered_core_seconds: 0 };
    sum.tasks += Number(row.tasks);
    sum.core_seconds += row.coreSeconds;
    sum.gpu_seconds += row.gpuSeconds;
    sum.joules += row.energyJoules;
    sum.unmetered_core_seconds += row.unmeteredCoreSeconds;
    sums.set(name, sum);
  }
  const order = (a: UsageSum, b: UsageSum) => (by === "day" ? 0 : b.core_seconds - a.core_seconds) || a.name.localeCompare(b.name);
  return Array.from(sums.values()).sort(order);
}

// Energy is known of what ran where somebody says what the PC draws.
export function energy_text(sum: Pick<UsageSum, "core_seconds" | "joules" | "unmetered_core_seconds">): string {
  if (sum.unmetered_core_seconds >= sum.core_seconds) return "?";
  const known = (sum.joules / 3_600_000).toFixed(2);
  return sum.unmetered_core_seconds > 0 ? `${known} + ?` : known;
}

// As in RFC 4180; nothing that a spreadsheet would take for a formula.
function cell(text: string): string {
  const plain = /^[=+\-@\t\r]/.test(text) ? `'${text}` : text;
  return /[",\r\n]/.test(plain) ? `"${plain.replaceAll('"', '""')}"` : plain;
}

export function usage_csv(rows: readonly Usage[]): string {
  const head = "owner_id,owner,account,firm,day,tasks,failed_tasks,attempts,core_seconds,gpu_seconds,memory_byte_seconds,net_bytes,result_bytes,energy_joules,unmetered_core_seconds";
  const lines = rows.map((row) =>
    [
      String(row.ownerId),
      cell(row.owner),
      cell(row.account),
      cell(row.firm),
      row.day,
      String(row.tasks),
      String(row.failedTasks),
      String(row.attempts),
      row.coreSeconds.toFixed(3),
      row.gpuSeconds.toFixed(3),
      row.memoryByteSeconds.toFixed(0),
      String(row.netBytes),
      String(row.resultBytes),
      row.unmeteredCoreSeconds < row.coreSeconds ? row.energyJoules.toFixed(3) : "unknown",
      row.unmeteredCoreSeconds.toFixed(3),
    ].join(","),
  );
  return [head, ...lines, ""].join("\r\n");
}
