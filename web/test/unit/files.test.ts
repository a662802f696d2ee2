import assert from "node:assert/strict";
import { test } from "node:test";
import { hex } from "../../src/lib/bytes";
import { download_url, extension, file_kind, media_url, natural_order, split_name } from "../../src/lib/files";
import { decode_tree, encode_tree, path_problem, type TreeEntry } from "../../src/lib/tree";

const entry = (path: string, executable = false): TreeEntry => ({ path, sha256: new Uint8Array(32).fill(path.length), size: 3, executable });

test("a tree's files are sorted by the bytes of their paths", () => {
  const tree = decode_tree(encode_tree(["b", "a/z", "a.txt", "é", "a/b", "😀", "\uffee", "B"].map((path) => entry(path))));
  assert.deepEqual(
    tree.files.map((file) => file.path),
    ["B", "a.txt", "a/b", "a/z", "b", "é", "\uffee", "😀"], // UTF-16 would put 😀 before \uffee
  );
});

test("a tree is the same bytes whatever the order, and keeps what it was given", () => {
  const entries = [entry("main.py", true), entry("data/in.csv")];
  assert.equal(hex(encode_tree(entries)), hex(encode_tree(entries.slice().reverse())));
  const [first, second] = decode_tree(encode_tree(entries)).files;
  assert.deepEqual([first!.path, first!.executable, first!.blob!.size], ["data/in.csv", false, 3n]);
  assert.deepEqual([second!.path, second!.executable, hex(second!.blob!.sha256)], ["main.py", true, "07".repeat(32)]);
});

test("paths that cannot be in a tree are named", () => {
  for (const path of ["", "/etc/passwd", "a//b", "./a", "a/..", "../a", "a/", "x".repeat(4097)]) assert.ok(path_problem(path), path);
  assert.equal(path_problem("ok/näme with space.txt"), undefined);
  assert.throws(() => encode_tree([entry("a"), entry("a")]), /two input files are called a/);
  assert.throws(() => encode_tree([entry("a/b"), entry("a")]), /a file and a folder/);
  assert.doesNotThrow(() => encode_tree([entry("a-b"), entry("a/b")]));
});

test("names decide how a file is shown", () => {
  assert.equal(extension("out/Frame.PNG"), "png");
  assert.equal(extension("out.d/README"), "");
  assert.equal(extension(".bashrc"), "");
  assert.equal(file_kind("a.jpeg"), "picture");
  assert.equal(file_kind("a.svg"), "drawing");
  assert.equal(file_kind("film.mp4"), "video");
  assert.equal(file_kind("notes.md"), "text");
  assert.equal(file_kind("page.html"), "other");
});

test("addresses of blobs", () => {
  const sha256 = new Uint8Array(32).fill(0xab);
  assert.equal(media_url("a/b.png", sha256), `/blob/${"ab".repeat(32)}?as=image%2Fpng`);
  assert.equal(media_url("a.svg", sha256), `/blob/${"ab".repeat(32)}`);
  assert.equal(download_url("a/my file&.txt", sha256), `/blob/${"ab".repeat(32)}?name=my%20file%26.txt`);
});

test("numbers in names count as numbers", () => {
  assert.deepEqual(["f10", "f9", "f1"].sort(natural_order), ["f1", "f9", "f10"]);
});

test("a name that is cut keeps its ending", () => {
  assert.equal(split_name("short name.jpg"), undefined);
  assert.deepEqual(split_name("a holiday by the sea, the last day (2).jpeg"), ["a holiday by the sea, the last day", " (2).jpeg"]);
  assert.deepEqual(split_name("no ending, but a name that is long"), ["no ending, but a name that is ", "long"]);
  assert.deepEqual(split_name("a sentence. With a stop, and no ending"), ["a sentence. With a stop, and no en", "ding"]);
  assert.deepEqual(split_name("😀".repeat(30) + ".txt"), ["😀".repeat(26), "😀".repeat(4) + ".txt"]);
});
