import assert from "node:assert/strict";
import { test } from "node:test";
import { create } from "@bufbuild/protobuf";
import { DriveBackupSchema } from "../../src/gen/hearth/v1/drive_pb";
import { backup_words } from "../../src/lib/backup";

const kNow = 1_800_000_000_000;
const of = (hours: number, rest: { failed?: number; away?: number; damaged?: number } = {}) =>
  create(DriveBackupSchema, { succeeded: { unixMillis: BigInt(kNow - hours * 3_600_000) }, targets: 2, ...rest });

test("a backup is told by its age and by what is wrong with it", () => {
  assert.deepEqual(backup_words(undefined, kNow), { text: "No backup of it is made", bad: false });
  assert.deepEqual(backup_words(of(3), kNow), { text: "Last backup: 3 h ago", bad: false });
  assert.deepEqual(backup_words(of(50, { away: 1 }), kNow), { text: "Last backup: 2 days ago; 1 target not there", bad: false });
  assert.deepEqual(backup_words(of(3, { failed: 1, damaged: 2 }), kNow), { text: "Last backup: 3 h ago; 2 backups damaged; 1 target failed", bad: true });
  assert.ok(backup_words(of(24 * 8), kNow).bad);
  assert.deepEqual(backup_words(create(DriveBackupSchema, { targets: 1, failed: 1 }), kNow), { text: "No backup succeeded yet; 1 target failed", bad: true });
});
