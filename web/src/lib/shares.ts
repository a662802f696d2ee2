// How the pool was shared, as lines for a chart.
import type { ShareSample } from "../gen/hearth/v1/operator_pb";

export interface Line {
  account: string;
  now: number; // 0 to 1
  shares: number[]; // at each sample
}

// A line for each of the accounts that had most on the whole, the most first; the others are left out.
export function lines_of(samples: readonly ShareSample[], most: number): { lines: Line[]; left_out: number } {
  const byAccount = new Map<string, number[]>();
  samples.forEach((sample, at) => {
    for (const { account, share } of sample.shares) {
      let shares = byAccount.get(account);
      if (shares === undefined) byAccount.set(account, (shares = new Array<number>(samples.length).fill(0)));
      shares[at] = share;
    }
  });
  const sum = (line: Line) => line.shares.reduce((total, share) => total + share, 0);
  const lines = Array.from(byAccount, ([account, shares]) => ({ account, now: shares.at(-1) ?? 0, shares }));
  lines.sort((a, b) => sum(b) - sum(a) || a.account.localeCompare(b.account));
  return { lines: lines.slice(0, most), left_out: Math.max(0, lines.length - most) };
}

// Points of an SVG polyline, time from left to right over `width`, a share of 1 at the top of `height`.
export function points_of(samples: readonly ShareSample[], shares: readonly number[], width: number, height: number): string {
  const times = samples.map((sample) => Number(sample.at?.unixMillis ?? 0n));
  const [first, last] = [times[0] ?? 0, times.at(-1) ?? 0];
  const x = (time: number) => (last === first ? 0 : (width * (time - first)) / (last - first));
  const points = shares.map((share, at) => `${round(x(times[at] ?? 0))},${round(height * (1 - Math.min(1, Math.max(0, share))))}`);
  return points.length === 1 ? `${points[0]} ${width},${points[0]!.split(",")[1]}` : points.join(" ");
}

function round(value: number): number {
  return Math.round(10 * value) / 10;
}
