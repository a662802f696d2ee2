// Pictures of every view against the mock, on a phone and a desktop, in light and dark: `node tools/shots.mjs FOLDER`.
import { mkdirSync, mkdtempSync, rmSync } from "node:fs";
import { dirname, join, resolve } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";
import { build } from "esbuild";

const web = dirname(dirname(fileURLToPath(import.meta.url)));
const folder = resolve(process.argv[2] ?? join(web, "test-results"));
mkdirSync(folder, { recursive: true });
const out = mkdtempSync(join(web, "node_modules", ".shots-"));
try {
  await build({
    entryPoints: [join(web, "test", "shots.ts")],
    outfile: join(out, "shots.mjs"),
    bundle: true,
    packages: "external",
    platform: "node",
    format: "esm",
    target: "node18",
    logLevel: "warning",
  });
  const { take } = await import(pathToFileURL(join(out, "shots.mjs")).href);
  await take(join(web, "dist"), folder);
} finally {
  rmSync(out, { recursive: true, force: true });
}
