// Bundles SUITE/*.test.ts with the page's esbuild and runs them with Node's own test runner:
//   HEARTH_PROGRAM=... node run_suite.mjs SUITE WEB [NAME]      NAME: only SUITE/NAME.test.ts
import { spawnSync } from "node:child_process";
import { mkdtempSync, readdirSync, rmSync } from "node:fs";
import { createRequire } from "node:module";
import { join, resolve } from "node:path";

const [suite, web] = process.argv.slice(2, 4).map((path) => resolve(path));
const name = process.argv[4] ?? "";
const { build } = createRequire(join(web, "package.json"))("esbuild");
const tests = readdirSync(suite).filter((file) => (name === "" ? file.endsWith(".test.ts") : file === `${name}.test.ts`)).sort();
if (tests.length === 0) {
  console.error(`error: no tests in ${suite}${name === "" ? "" : ` by the name ${name}`}`);
  process.exit(2);
}

// Inside node_modules, so that the bundles find the packages that they leave out.
const out = mkdtempSync(join(web, "node_modules", ".e2e-"));
try {
  await build({
    entryPoints: tests.map((file) => join(suite, file)),
    outdir: out,
    outExtension: { ".js": ".mjs" },
    bundle: true,
    loader: { ".py": "text" },
    external: ["@connectrpc/*", "@bufbuild/*", "playwright-core"],
    platform: "node",
    format: "esm",
    target: "node18",
    sourcemap: "inline",
    logLevel: "warning",
  });
  const files = tests.map((file) => join(out, file.replace(/\.ts$/, ".mjs")));
  const run = spawnSync(process.execPath, ["--enable-source-maps", "--test", "--test-reporter=spec", ...files], { stdio: "inherit" });
  process.exitCode = run.status ?? 1;
} finally {
  rmSync(out, { recursive: true, force: true });
}
