import assert from "node:assert/strict";
import { test } from "node:test";
import { drive_download_url, drive_pattern, drive_url, drive_zip_url, folder_address, folder_of_address, join_path, name_problem, parent_of, steps_of } from "../../src/lib/drive_paths";
import { drive_kind, has_small, shown_entry } from "../../src/lib/files";
import { pages_of, visible_rows } from "../../src/lib/row_window";
import { kNothing, toggled, with_range } from "../../src/lib/selection";

const kOdd = "/a & b/100%/#1 ?ü.jpg";

test("paths are joined and taken apart", () => {
  assert.equal(join_path("/", "a"), "/a");
  assert.equal(join_path("/a", "b"), "/a/b");
  assert.deepEqual(["/", "/a", "/a/b"].map(parent_of), ["/", "/", "/a"]);
  assert.deepEqual(steps_of("/"), []);
  assert.deepEqual(steps_of("/a/b c"), [
    { name: "a", path: "/a" },
    { name: "b c", path: "/a/b c" },
  ]);
});

test("addresses of bytes hold each name percent-encoded", () => {
  assert.equal(drive_url(kOdd), "/dav/a%20%26%20b/100%25/%231%20%3F%C3%BC.jpg");
  assert.equal(drive_download_url("/a.txt"), "/dav/a.txt?download");
  assert.equal(drive_zip_url("/"), "/dav/?zip");
  assert.equal(drive_zip_url("/a b"), "/dav/a%20b/?zip");
});

test("a path that is to be read by a program is meant as it is", () => {
  assert.equal(drive_pattern("/photos/a b.raw"), "/photos/a b.raw");
  assert.equal(drive_pattern("/a\\b/what?[1].raw"), "/a\\b/what\\?\\[1].raw");
  assert.equal(drive_pattern("/x\\*"), "/x\\\\\\*");
});

test("a folder's address leads back to it, and nonsense to the root", () => {
  for (const path of ["/", "/photos", "/a & b/100%/#1 ?ü", "/trash", "/a/trash"]) {
    assert.equal(folder_of_address(folder_address(path).split("/").slice(2)), path);
  }
  for (const rest of [["%"], ["a", ".."], ["a%2Fb"]]) assert.equal(folder_of_address(rest), "/");
  assert.equal(folder_of_address(["a", "", "b"]), "/a/b");
});

test("names that no file can have are refused with the reason", () => {
  for (const name of ["", "  ", ".", "..", "a/b", "ü".repeat(128)]) assert.ok(name_problem(name), name);
  for (const name of ["a", "ü".repeat(127), ".hidden", "two words.txt"]) assert.equal(name_problem(name), undefined);
});

test("the drive shows more kinds than what a job leaves", () => {
  assert.deepEqual(["a.MOV", "a.heic", "a.pdf", "page.html", "a.jpg", "a.svg", "a.bin", "README"].map(drive_kind), ["video", "picture", "pdf", "text", "picture", "drawing", "other", "other"]);
  assert.deepEqual(shown_entry("/p/a b.png", 7, '"1-2"'), { name: "a b.png", size: 7, kind: "picture", source: "/dav/p/a%20b.png", raw: "/dav/p/a%20b.png", download: "/dav/p/a%20b.png?download" });
});

test("a large picture, or one that few browsers show, is shown as the PC makes it smaller", () => {
  const thumb = "/thumb/a%20b.jpg?size=1600&v=%221-2%22";
  const large = shown_entry("/a b.jpg", 600 * 1024, '"1-2"');
  assert.deepEqual([large.source, large.instead, large.raw], [thumb, "/dav/a%20b.jpg", "/dav/a%20b.jpg"]);
  assert.equal(shown_entry("/a.HEIC", 7, "e").source, "/thumb/a.HEIC?size=1600&v=e");
  assert.equal(shown_entry("/a.bmp", 600 * 1024, "e").source, "/dav/a.bmp");
  assert.equal(shown_entry("/a.mp4", 600 * 1024, "e").instead, undefined);
  assert.equal(shown_entry("/a.mp4", 600 * 1024, "e").source, "/dav/a.mp4", "a film is played");
  assert.deepEqual(["a.MP4", "a.mov", "a.heic", "a.svg", "a.mp3"].map(has_small), [true, true, true, false, false]);
});

test("only rows in sight are drawn, with a margin", () => {
  assert.deepEqual(visible_rows(0, 600, 60, 100_000, 2), { first: 0, end: 12 });
  assert.deepEqual(visible_rows(-90, 600, 60, 100_000, 0), { first: 0, end: 9 }); // it begins below the top
  assert.deepEqual(visible_rows(3_000_030, 600, 60, 100_000, 1), { first: 49_999, end: 50_012 });
  assert.deepEqual(visible_rows(5_999_400, 600, 60, 100_000, 5), { first: 99_985, end: 100_000 });
  assert.deepEqual(visible_rows(9_000_000, 600, 60, 10, 5), { first: 10, end: 10 }); // scrolled past: a list that became short
  assert.deepEqual(visible_rows(-5000, 600, 60, 10, 0), { first: 0, end: 0 });
  assert.deepEqual(visible_rows(0, 600, 60, 0), { first: 0, end: 0 });
});

test("rows need the pages that hold them", () => {
  assert.deepEqual(pages_of({ first: 0, end: 12 }), [0]);
  assert.deepEqual(pages_of({ first: 199, end: 201 }), [0, 1]);
  assert.deepEqual(pages_of({ first: 200, end: 400 }), [1]);
  assert.deepEqual(pages_of({ first: 5, end: 26 }, 10), [0, 1, 2]);
  assert.deepEqual(pages_of({ first: 7, end: 7 }), []);
});

test("choosing toggles, and a range begins at what was touched last", () => {
  const names = ["a", "b", "c", undefined, "e"];
  const at = (row: number) => names[row];
  const one = toggled(kNothing, "b", 1);
  assert.deepEqual(Array.from(one.names), ["b"]);
  assert.deepEqual(Array.from(toggled(one, "b", 1).names), []);
  assert.deepEqual(Array.from(with_range(one, 4, at).names), ["b", "c", "e"]); // one that is not here yet is left out
  assert.deepEqual(Array.from(with_range(toggled(kNothing, "e", 4), 2, at).names).sort(), ["c", "e"]);
  assert.deepEqual(Array.from(with_range(kNothing, 2, at).names), ["c"]);
  assert.equal(kNothing.names.size, 0);
});
