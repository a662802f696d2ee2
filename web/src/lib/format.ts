// Numbers as people say them.
const kUnits = ["bytes", "KiB", "MiB", "GiB", "TiB"];

export function bytes_text(count: number | bigint): string {
  let value = Number(count);
  let unit = 0;
  while (value >= 1024 && unit < kUnits.length - 1) {
    value /= 1024;
    unit++;
  }
  if (unit === 0) return value === 1 ? "1 byte" : `${value} bytes`;
  return `${value < 10 ? trim(value.toFixed(1)) : Math.round(value)} ${kUnits[unit]}`;
}

function trim(number: string): string {
  return number.endsWith(".0") ? number.slice(0, -2) : number;
}

export function plural(count: number, one: string, many = `${one}s`): string {
  return `${count.toLocaleString("en")} ${count === 1 ? one : many}`;
}

// A span of time in at most two units: "8 s", "3 min 20 s", "2 h 5 min", "4 d 3 h".
export function span_text(seconds: number): string {
  const whole = Math.max(0, Math.round(seconds));
  if (whole < 60) return `${whole} s`;
  if (whole < 3600) return two(Math.floor(whole / 60), "min", whole < 600 ? whole % 60 : 0, "s");
  if (whole < 86_400) return two(Math.floor(whole / 3600), "h", Math.floor((whole % 3600) / 60), "min");
  return two(Math.floor(whole / 86_400), "d", Math.floor((whole % 86_400) / 3600), "h");
}

function two(large: number, large_unit: string, small: number, small_unit: string): string {
  return small === 0 ? `${large} ${large_unit}` : `${large} ${large_unit} ${small} ${small_unit}`;
}

// What is left of a job, from Job.seconds_left; "" if nobody knows.
export function left_text(seconds_left: number | bigint): string {
  const seconds = Number(seconds_left);
  if (seconds < 0) return "";
  if (seconds < 2) return "almost done";
  // An estimate: it pretends to no more than two digits.
  const step = seconds < 60 ? 5 : seconds < 600 ? 30 : seconds < 7200 ? 60 : 600;
  return `about ${span_text(Math.max(step, Math.round(seconds / step) * step))} left`;
}

// A moment as distance from now: "just now", "5 min ago", "3 h ago", else the date.
export function ago_text(unix_millis: number | bigint, now: number): string {
  const then = Number(unix_millis);
  if (then === 0) return "never";
  const seconds = Math.round((now - then) / 1000);
  if (seconds < 10) return "just now";
  if (seconds < 60) return `${seconds} s ago`;
  if (seconds < 3600) return `${Math.floor(seconds / 60)} min ago`;
  if (seconds < 86_400) return `${Math.floor(seconds / 3600)} h ago`;
  return new Date(then).toLocaleDateString("en", { day: "numeric", month: "short", year: "numeric" });
}

// A moment as a calendar and a clock say it: "27 Nov 2026, 15:49".
export function moment_text(unix_millis: number): string {
  return new Date(unix_millis).toLocaleString("en-GB", { day: "numeric", month: "short", year: "numeric", hour: "2-digit", minute: "2-digit" });
}

export function clock_text(seconds: number): string {
  const whole = Math.max(0, Math.ceil(seconds));
  return `${Math.floor(whole / 60)}:${String(whole % 60).padStart(2, "0")}`;
}

export function percent(part: number, whole: number): number {
  return whole <= 0 ? 0 : Math.min(100, Math.max(0, (100 * part) / whole));
}
