// Bookings in words, and the times that a form has for them.
import type { Booking } from "../gen/hearth/v1/bookings_pb";
import { moment_text, plural } from "./format";

// Which PCs they are, or when that is decided.
export function booked_text(booking: Booking, now: number): string {
  const decided = Number(booking.from?.unixMillis ?? 0n) - Number(booking.noticeSeconds) * 1000;
  if (now < decided) return `Its PCs are chosen at ${moment_text(decided)}.`;
  const missing = booking.nodes - booking.nodeNames.length;
  if (missing === 0) return booking.nodeNames.join(", ");
  return `${booking.nodeNames.join(", ")}${booking.nodeNames.length > 0 ? "; " : ""}${plural(missing, "PC")} missing`;
}

// "2026-11-27T15:00" of the browser's calendar, as milliseconds; undefined: none is given.
export function moment_of(text: string): number | undefined {
  const moment = new Date(text).getTime();
  return Number.isNaN(moment) ? undefined : moment;
}

function local(moment: Date): string {
  const two = (value: number) => String(value).padStart(2, "0");
  return `${moment.getFullYear()}-${two(moment.getMonth() + 1)}-${two(moment.getDate())}T${two(moment.getHours())}:${two(moment.getMinutes())}`;
}

// The next full hour, and two hours later.
export function first_times(now: Date): [string, string] {
  const next = new Date(now);
  next.setHours(now.getHours() + 1, 0, 0, 0);
  const then = new Date(next);
  then.setHours(next.getHours() + 2);
  return [local(next), local(then)];
}
