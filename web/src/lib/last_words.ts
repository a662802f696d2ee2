// What a program printed last, which most often says why it ended.
import type { LogLine } from "./log_lines";

const kLongest = 300;

// Empty: nothing but blanks.
export function last_words(lines: readonly LogLine[]): string {
  let at = lines.length - 1;
  while (at > 0 && lines[at]!.text.trim() === "") at--;
  const text = lines[at]?.text.trim() ?? "";
  return text.length > kLongest ? `${text.slice(0, kLongest)}…` : text;
}
