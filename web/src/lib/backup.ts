// How the drive's backups stand, in words.
import type { DriveBackup } from "../gen/hearth/v1/drive_pb";
import { ago_text, plural } from "./format";

const kDayMillis = 86_400_000;
const kOldMillis = 7 * kDayMillis;

export interface BackupWords {
  text: string;
  bad: boolean; // somebody should see to it
}

function age_text(then: number, now: number): string {
  const days = Math.floor((now - then) / kDayMillis);
  return days < 1 ? ago_text(then, now) : `${plural(days, "day")} ago`;
}

export function backup_words(backup: DriveBackup | undefined, now: number): BackupWords {
  if (backup === undefined) return { text: "No backup of it is made", bad: false };
  const last = backup.succeeded?.unixMillis;
  const parts = [last === undefined ? "No backup succeeded yet" : `Last backup: ${age_text(Number(last), now)}`];
  if (backup.damaged > 0) parts.push(`${plural(backup.damaged, "backup")} damaged`);
  if (backup.failed > 0) parts.push(`${plural(backup.failed, "target")} failed`);
  if (backup.away > 0) parts.push(`${plural(backup.away, "target")} not there`);
  const is_old = last === undefined || now - Number(last) > kOldMillis;
  return { text: parts.join("; "), bad: is_old || backup.damaged > 0 || backup.failed > 0 };
}
