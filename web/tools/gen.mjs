// Generates src/gen, the typed client, from the schema in ../proto by Debian's protoc.
import { execFileSync } from "node:child_process";
import { mkdirSync, readdirSync, rmSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

const web = dirname(dirname(fileURLToPath(import.meta.url)));
const proto = join(web, "..", "proto");
const out = join(web, "src", "gen");
const files = readdirSync(join(proto, "hearth", "v1")).filter((name) => name.endsWith(".proto")).sort();

rmSync(out, { recursive: true, force: true });
mkdirSync(out, { recursive: true });
execFileSync(
  process.env.PROTOC ?? "protoc",
  [
    `-I${proto}`,
    `--plugin=protoc-gen-es=${join(web, "node_modules", ".bin", "protoc-gen-es")}`,
    `--es_out=${out}`,
    "--es_opt=target=ts",
    ...files.map((name) => `hearth/v1/${name}`),
  ],
  { stdio: "inherit" },
);
