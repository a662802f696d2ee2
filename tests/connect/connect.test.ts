// The server by the public Connect client for Node, in both encodings: whoever has the schema needs nothing of ours.
import assert from "node:assert/strict";
import { createHash, randomBytes } from "node:crypto";
import { after, before, test as test_of_node } from "node:test";
import { Code, ConnectError, createClient, type Interceptor, type Transport } from "@connectrpc/connect";
import { createConnectTransport } from "@connectrpc/connect-node";
import { BlobService } from "../../web/src/gen/hearth/v1/blobs_pb";
import { DeviceService } from "../../web/src/gen/hearth/v1/devices_pb";
import { JobService, LogStream, WhyReply_Cause } from "../../web/src/gen/hearth/v1/jobs_pb";
import { NodeService } from "../../web/src/gen/hearth/v1/nodes_pb";
import { PairingService, Role } from "../../web/src/gen/hearth/v1/pairing_pb";
import { FailureReason, JobState } from "../../web/src/gen/hearth/v1/types_pb";
import { Pool, until } from "../harness/pool";

const pool = new Pool();
// A stream that never ends must not hold the suite up.
const test = (name: string, body: () => Promise<void>) => test_of_node(name, { timeout: 60_000 }, body);
let token = "";

const with_session: Interceptor = (next) => (request) => {
  if (token !== "") request.header.set("Authorization", `Bearer ${token}`);
  return next(request);
};

function transport(binary: boolean, defaultTimeoutMs?: number): Transport {
  return createConnectTransport({
    httpVersion: "1.1",
    baseUrl: pool.origin,
    nodeOptions: { rejectUnauthorized: false },
    useBinaryFormat: binary,
    interceptors: [with_session],
    defaultTimeoutMs,
  });
}

async function prove(): Promise<void> {
  const pairing = createClient(PairingService, transport(true));
  const { challenge, identityKey } = await pairing.challenge({});
  const proved = await pairing.prove({ challenge, ...pool.proof(challenge, identityKey) });
  assert.equal(proved.role, Role.OWNER);
  token = proved.token;
}

async function refused(call: Promise<unknown>): Promise<ConnectError> {
  const error = await call.then(
    () => assert.fail("it was not refused"),
    (reason: unknown) => ConnectError.from(reason),
  );
  return error;
}

before(async () => {
  pool.up();
  await prove();
  await until(30_000, async () => ((await createClient(NodeService, transport(true)).status({})).nodesConnected > 0 ? true : undefined));
});
after(() => pool.close());

for (const [encoding, binary] of [["protobuf", true], ["JSON", false]] as const) {
  test(`${encoding}: a job runs and its log streams`, async () => {
    const jobs = createClient(JobService, transport(binary));
    const { jobId } = await jobs.submit({
      spec: { argv: ["sh", "-c", "echo out; sleep 1; echo err >&2; exit 3"], tasks: 1, variables: { A: "b" } },
      requestId: new Uint8Array(randomBytes(16)),
    });
    const text = { [LogStream.STDOUT]: "", [LogStream.STDERR]: "" } as Record<number, string>;
    for await (const piece of jobs.logs({ jobId, follow: true })) {
      for (const record of piece.records) text[record.stream] += Buffer.from(record.data).toString();
    }
    assert.deepEqual([text[LogStream.STDOUT], text[LogStream.STDERR]], ["out\n", "err\n"]);
    const { job } = await jobs.get({ jobId, taskLimit: 1 });
    assert.equal(job?.state, JobState.FAILED);
    assert.equal(job?.firstFailure?.reason, FailureReason.EXIT_CODE);
    assert.equal(job?.firstFailure?.exitCode, 3);
    assert.equal((await jobs.why({ jobId })).cause, WhyReply_Cause.ENDED);
  });

  test(`${encoding}: errors keep their codes`, async () => {
    const jobs = createClient(JobService, transport(binary));
    assert.equal((await refused(jobs.get({ jobId: 4711n }))).code, Code.NotFound);
    const wrong = await refused(jobs.submit({ spec: { argv: [] }, requestId: new Uint8Array(16) }));
    assert.equal(wrong.code, Code.InvalidArgument);
    assert.match(wrong.rawMessage, /argv/);
    assert.equal((await refused(createClient(DeviceService, transport(binary)).revoke({ deviceId: 4711n }))).code, Code.NotFound);
    const following = (async () => {
      for await (const piece of jobs.logs({ jobId: 4711n, follow: true })) void piece;
    })();
    assert.equal((await refused(following)).code, Code.NotFound, "a stream's error comes in its last envelope");
    const mine = token;
    token = "nobody";
    assert.equal((await refused(jobs.list({}))).code, Code.Unauthenticated);
    token = mine;
  });

  test(`${encoding}: one stream keeps a page up to date`, async () => {
    const stop = new AbortController();
    const stream = createClient(NodeService, transport(binary)).watch({}, { signal: stop.signal });
    const jobs = createClient(JobService, transport(binary));
    const name = `watched ${encoding}`;
    let snapshots = 0;
    let asked = false;
    let last = JobState.UNSPECIFIED;
    for await (const event of stream) {
      if (event.snapshot) {
        snapshots += 1;
        assert.ok(event.nodes.length === 1 && event.devices.length >= 2, "the snapshot holds everything");
      }
      if (!asked) await jobs.submit({ spec: { argv: ["true"], name }, requestId: new Uint8Array(randomBytes(16)) });
      asked = true;
      for (const job of event.jobs) if (job.spec?.name === name) last = job.state;
      if (last >= JobState.SUCCEEDED) break;
    }
    stop.abort();
    assert.equal(snapshots, 1);
    assert.equal(last, JobState.SUCCEEDED);
  });

  test(`${encoding}: a client's deadline is kept`, async () => {
    const { jobId } = await createClient(JobService, transport(binary)).submit({
      spec: { argv: ["sleep", "300"] },
      requestId: new Uint8Array(randomBytes(16)),
    });
    const hurried = createClient(JobService, transport(binary, 500));
    const following = (async () => {
      for await (const piece of hurried.logs({ jobId, follow: true })) void piece;
    })();
    assert.equal((await refused(following)).code, Code.DeadlineExceeded);
    await createClient(JobService, transport(binary)).cancel({ jobId });
  });
}

test("a repeated request is one job", async () => {
  const jobs = createClient(JobService, transport(true));
  const request = { spec: { argv: ["true"] }, requestId: new Uint8Array(randomBytes(16)) };
  const ids = await Promise.all(Array.from({ length: 10 }, () => jobs.submit(request).then((reply) => reply.jobId).catch(() => undefined)));
  const given = new Set(ids.filter((id) => id !== undefined));
  given.add((await jobs.submit(request)).jobId);
  assert.equal(given.size, 1);
});

test("blobs travel as plain HTTPS", async () => {
  const bytes = randomBytes(100_000);
  const digest = createHash("sha256").update(bytes).digest();
  const blobs = createClient(BlobService, transport(true));
  const asked = { sha256: [new Uint8Array(digest)] };
  assert.equal((await blobs.missing(asked)).sha256.length, 1);
  const https = await import("node:https");
  const send = (method: string, headers: Record<string, string>, body?: Buffer) =>
    new Promise<{ status: number; body: Buffer }>((resolve, reject) => {
      const request = https.request(
        `${pool.origin}/blob/${digest.toString("hex")}`,
        { method, rejectUnauthorized: false, headers: { Authorization: `Bearer ${token}`, ...headers } },
        (response) => {
          const pieces: Buffer[] = [];
          response.on("data", (piece: Buffer) => pieces.push(piece));
          response.on("end", () => resolve({ status: response.statusCode ?? 0, body: Buffer.concat(pieces) }));
        },
      );
      request.on("error", reject);
      request.end(body);
    });
  assert.equal((await send("PUT", {}, bytes)).status, 201);
  assert.equal((await send("PUT", {}, bytes)).status, 200);
  assert.equal((await blobs.missing(asked)).sha256.length, 0);
  assert.deepEqual((await send("GET", {})).body, bytes);
  const part = await send("GET", { Range: "bytes=10-19" });
  assert.equal(part.status, 206);
  assert.deepEqual(part.body, bytes.subarray(10, 20));
});
