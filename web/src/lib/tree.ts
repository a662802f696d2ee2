// Trees: folders as blobs. See Tree in proto/hearth/v1/types.proto for the rules that are kept here.
import { create, fromBinary, toBinary } from "@bufbuild/protobuf";
import { TreeSchema, type Tree } from "../gen/hearth/v1/types_pb";
import { compare, utf8 } from "./bytes";

export interface TreeEntry {
  path: string;
  sha256: Uint8Array;
  size: number;
  executable: boolean;
}

// Why a path cannot be in a tree; undefined if it can.
export function path_problem(path: string): string | undefined {
  if (path === "") return "a file without a name";
  if (utf8(path).length > 4096) return `${path.slice(0, 40)}...: the name is longer than 4096 bytes`;
  if (path.split("/").some((part) => part === "" || part === "." || part === "..")) {
    return `${path}: names must be relative, without empty, "." or ".." parts`;
  }
  return undefined;
}

// The serialized tree. Throws an Error with a sentence for a person if two entries cannot be in one folder.
export function encode_tree(entries: TreeEntry[]): Uint8Array {
  const keyed = entries.map((entry) => ({ entry, key: utf8(entry.path) })).sort((a, b) => compare(a.key, b.key));
  const seen = new Set<string>();
  for (const { entry } of keyed) {
    const problem = path_problem(entry.path);
    if (problem !== undefined) throw new Error(problem);
    if (seen.has(entry.path)) throw new Error(`two input files are called ${entry.path}: rename one of them`);
    const parts = entry.path.split("/");
    for (let depth = 1; depth < parts.length; depth++) {
      const parent = parts.slice(0, depth).join("/");
      if (seen.has(parent)) throw new Error(`${parent} would be a file and a folder at once`);
    }
    seen.add(entry.path);
  }
  const tree = create(TreeSchema, {
    files: keyed.map(({ entry }) => ({
      path: entry.path,
      blob: { sha256: entry.sha256, size: BigInt(entry.size) },
      executable: entry.executable,
    })),
  });
  return toBinary(TreeSchema, tree);
}

export function decode_tree(bytes: Uint8Array): Tree {
  return fromBinary(TreeSchema, bytes);
}
