// Bundles test/<suite>/*.test.ts with esbuild and runs them with Node's own test runner: `node tools/test.mjs unit`.
import { spawnSync } from "node:child_process";
import { existsSync, mkdtempSync, readdirSync, rmSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { build } from "esbuild";

const web = dirname(dirname(fileURLToPath(import.meta.url)));
const suite = process.argv[2] ?? "unit";
const folder = join(web, "test", suite);
const tests = existsSync(folder) ? readdirSync(folder).filter((name) => name.endsWith(".test.ts")).sort() : [];
if (tests.length === 0) {
  console.error(`error: no tests in ${folder}: the suites are the folders of web/test`);
  process.exit(2);
}

// Inside node_modules, so that the bundles find the packages that they leave out.
const out = mkdtempSync(join(web, "node_modules", ".tests-"));
try {
  await build({
    entryPoints: tests.map((name) => join(folder, name)),
    outdir: out,
    outExtension: { ".js": ".mjs" },
    bundle: true,
    packages: "external",
    platform: "node",
    format: "esm",
    target: "node18",
    sourcemap: "inline",
    logLevel: "warning",
    define: { "process.env.HEARTH_WEB": JSON.stringify(web) },
  });
  const files = readdirSync(out).filter((name) => name.endsWith(".mjs")).sort();
  const run = spawnSync(process.execPath, ["--enable-source-maps", "--test", ...files.map((name) => join(out, name))], { stdio: "inherit" });
  process.exitCode = run.status ?? 1;
} finally {
  rmSync(out, { recursive: true, force: true });
}
