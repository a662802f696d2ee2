// Serves dist/, blobs and the services over TLS on a port of the kernel's choice, with the headers of the real server.
import { connectNodeAdapter } from "@connectrpc/connect-node";
import { execFileSync } from "node:child_process";
import { existsSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import type { IncomingMessage, ServerResponse } from "node:http";
import { createServer } from "node:https";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { extname, join, normalize } from "node:path";
import { authenticate, cookie_of, routes } from "./services";
import { sha256, State } from "./state";

const kTypes: Record<string, string> = {
  ".html": "text/html; charset=utf-8",
  ".js": "text/javascript; charset=utf-8",
  ".css": "text/css; charset=utf-8",
  ".svg": "image/svg+xml",
  ".png": "image/png",
  ".webmanifest": "application/manifest+json",
};
const kPolicy = "default-src 'self'; img-src 'self' blob: data:; media-src 'self' blob:; style-src 'self' 'unsafe-inline'; connect-src 'self'";

export interface MockServer {
  state: State;
  origin: string;
  break_streams(): void; // closes every connection
  close(): Promise<void>;
}

function certificate(): { key: Buffer; cert: Buffer } {
  const folder = mkdtempSync(join(tmpdir(), "hearth-mock-"));
  try {
    const [key, cert] = [join(folder, "key.pem"), join(folder, "cert.pem")];
    execFileSync("openssl", ["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2", "-subj", "/CN=localhost", "-keyout", key, "-out", cert], { stdio: "ignore" });
    return { key: readFileSync(key), cert: readFileSync(cert) };
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

export async function start_mock(dist: string): Promise<MockServer> {
  if (!existsSync(join(dist, "index.html"))) throw new Error(`${dist} holds no page: run \`npm run build\` first`);
  const state = new State();
  let origin = "";
  const api = connectNodeAdapter({ routes: routes(state, () => origin), interceptors: [authenticate(state)], fallback: (request, response) => void serve(state, dist, request as IncomingMessage, response as ServerResponse) });
  const server = createServer(certificate(), api);
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  origin = `https://127.0.0.1:${(server.address() as AddressInfo).port}`;
  return {
    state,
    origin,
    break_streams: () => server.closeAllConnections(),
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}

async function serve(state: State, dist: string, request: IncomingMessage, response: ServerResponse): Promise<void> {
  const url = new URL(request.url ?? "/", "https://localhost");
  response.setHeader("Content-Security-Policy", kPolicy);
  response.setHeader("X-Content-Type-Options", "nosniff");
  if (url.pathname.startsWith("/blob/")) return serve_blob(state, url, request, response);
  const path = normalize(url.pathname === "/" ? "/index.html" : url.pathname);
  const file = join(dist, path);
  if (!existsSync(file)) return end(response, 404, "not found");
  response.setHeader("Content-Type", kTypes[extname(path)] ?? "application/octet-stream");
  end(response, 200, readFileSync(file));
}

async function serve_blob(state: State, url: URL, request: IncomingMessage, response: ServerResponse): Promise<void> {
  if (!state.sessions.has(cookie_of(request.headers.cookie))) return end(response, 401, "no session");
  const name = url.pathname.slice("/blob/".length);
  if (request.method === "PUT") {
    const pieces: Buffer[] = [];
    for await (const piece of request) pieces.push(piece as Buffer);
    const content = Buffer.concat(pieces);
    if (sha256(content).toString("hex") !== name) return end(response, 400, "another SHA-256");
    state.put_blob(content);
    return end(response, 201, "");
  }
  const content = state.blobs.get(name);
  if (content === undefined) return end(response, 404, "unknown blob");
  response.setHeader("Content-Type", url.searchParams.get("as") ?? "application/octet-stream");
  response.setHeader("Accept-Ranges", "bytes");
  if (url.searchParams.has("name")) response.setHeader("Content-Disposition", `attachment; filename*=UTF-8''${encodeURIComponent(url.searchParams.get("name")!)}`);
  const range = /^bytes=(\d+)-(\d*)$/.exec(request.headers.range ?? "");
  if (range === null) return end(response, 200, content);
  const first = Number(range[1]);
  if (first >= content.length) return end(response, 416, "");
  const last = Math.min(content.length - 1, range[2] === "" ? content.length - 1 : Number(range[2]));
  response.setHeader("Content-Range", `bytes ${first}-${last}/${content.length}`);
  end(response, 206, content.subarray(first, last + 1));
}

function end(response: ServerResponse, status: number, body: string | Buffer): void {
  response.writeHead(status);
  response.end(body);
}
