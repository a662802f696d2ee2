import assert from "node:assert/strict";
import { test } from "node:test";
import { limit_of_text } from "../../src/lib/people";

test("a limit is a number of GiB, or none", () => {
  assert.equal(limit_of_text(""), 0n);
  assert.equal(limit_of_text(" 200 "), 200n * 1024n ** 3n);
  assert.equal(limit_of_text("0.5"), 512n * 1024n ** 2n);
  assert.equal(limit_of_text("0,5"), 512n * 1024n ** 2n);
  for (const wrong of ["0", "-1", "a lot", "1e3", "99999999999", "1 000", ".5"]) assert.equal(limit_of_text(wrong), undefined, wrong);
});
