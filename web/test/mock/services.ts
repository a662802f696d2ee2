// The services of proto/hearth/v1 over a State.
import { create } from "@bufbuild/protobuf";
import { Code, ConnectError, createContextKey, type ConnectRouter, type HandlerContext, type Interceptor } from "@connectrpc/connect";
import { createHmac, createPublicKey, generateKeyPairSync, randomBytes, sign, verify } from "node:crypto";
import { AppService } from "../../src/gen/hearth/v1/apps_pb";
import { AccountService } from "../../src/gen/hearth/v1/accounts_pb";
import { BlobService } from "../../src/gen/hearth/v1/blobs_pb";
import { BookingSchema, BookingService } from "../../src/gen/hearth/v1/bookings_pb";
import { DeviceService, type Device } from "../../src/gen/hearth/v1/devices_pb";
import { EnvironmentService } from "../../src/gen/hearth/v1/environments_pb";
import { JobService, LogStream } from "../../src/gen/hearth/v1/jobs_pb";
import { Duty, NodeService } from "../../src/gen/hearth/v1/nodes_pb";
import { OperatorService } from "../../src/gen/hearth/v1/operator_pb";
import { KeyKind, PairingService, PairStatusReply_State, Role } from "../../src/gen/hearth/v1/pairing_pb";
import { JobState, MomentSchema, Ring } from "../../src/gen/hearth/v1/types_pb";
import { UsageService } from "../../src/gen/hearth/v1/usage_pb";
import { WorkspaceService } from "../../src/gen/hearth/v1/workspaces_pb";
import { nonce_message, session_message, transcript } from "../../src/lib/pairing";
import { has_ended } from "../../src/lib/states";
import { run_job } from "./engine";
import { now, sha256, type MockDevice, type State } from "./state";

const identity = generateKeyPairSync("ed25519");
export const identity_key = identity.publicKey.export({ format: "der", type: "spki" }).subarray(-32);
const kCaller = createContextKey<MockDevice | undefined>(undefined);

export function cookie_of(header: string | null | undefined): string {
  return /__Host-hearth=([^;]+)/.exec(header ?? "")?.[1] ?? "";
}

// Knows the caller by the cookie; everything but pairing needs one.
export function authenticate(state: State): Interceptor {
  return (next) => (request) => {
    const session = state.sessions.get(cookie_of(request.header.get("cookie")));
    const device = session === undefined ? undefined : state.devices.get(session.device_id);
    if (device === undefined && request.service.typeName !== PairingService.typeName) {
      throw new ConnectError("no session", Code.Unauthenticated);
    }
    request.contextValues.set(kCaller, device);
    return next(request);
  };
}

function caller(context: HandlerContext): MockDevice {
  return context.values.get(kCaller)!;
}

function check_signature(kind: KeyKind, spki: Buffer, message: Uint8Array, signature: Uint8Array): boolean {
  const key = createPublicKey({ key: spki, format: "der", type: "spki" });
  if (kind === KeyKind.ED25519) return verify(null, message, key, signature);
  return verify("sha256", message, { key, dsaEncoding: "ieee-p1363" }, signature);
}

export function routes(state: State, origin: () => string) {
  return (router: ConnectRouter) => {
    pairing_routes(router, state);
    device_routes(router, state, origin);
    job_routes(router, state);
    node_routes(router, state);
    environment_routes(router, state);
    workspace_routes(router, state);
    operator_routes(router, state);
    router.service(AppService, {
      list: () => ({ nodes: [] }),
      openWeb: () => {
        throw new ConnectError("no web programs here", Code.Unimplemented);
      },
    });
    router.service(BlobService, {
      missing: ({ sha256: hashes }) => ({ sha256: hashes.filter((hash) => !state.blobs.has(Buffer.from(hash).toString("hex"))) }),
    });
  };
}

function pairing_routes(router: ConnectRouter, state: State) {
  router.service(PairingService, {
    nonce: () => {
      const serverNonce = randomBytes(16);
      return { serverNonce, identityKey: identity_key, signature: sign(null, nonce_message(serverNonce), identity.privateKey), poolName: "kitchen-pc" };
    },
    pair: (request) => {
      const spoken = transcript(identity_key, request.deviceKey, request.serverNonce, request.deviceNonce);
      const fits = (secret: Buffer) => createHmac("sha256", secret).update(spoken).digest().equals(request.mac);
      const at = state.invitations.findIndex(({ secret, code }) => fits(secret) || fits(Buffer.from(code)));
      if (at < 0) throw new ConnectError("no living invitation fits", Code.PermissionDenied);
      const spki = Buffer.from(request.deviceKey);
      if (!check_signature(request.keyKind, spki, spoken, request.signature)) throw new ConnectError("bad signature", Code.InvalidArgument);
      const [invitation] = state.invitations.splice(at, 1);
      const digits = String(sha256(spoken).readUInt32BE() % 1_000_000).padStart(6, "0");
      const pairing = state.add_pairing(request.name, digits, invitation!.role, request.keyKind, spki);
      return { pairingId: pairing.pending.pairingId, digits };
    },
    pairStatus: async ({ pairingId }) => {
      const pairing = state.pairings.get(Buffer.from(pairingId).toString("hex"));
      if (pairing === undefined) throw new ConnectError("no such pairing", Code.NotFound);
      const allowed = await Promise.race([pairing.answer, new Promise<undefined>((resolve) => setTimeout(resolve, 5000))]);
      if (allowed === undefined) return { state: PairStatusReply_State.WAITING };
      return { state: allowed ? PairStatusReply_State.ALLOWED : PairStatusReply_State.DENIED, deviceId: pairing.device_id };
    },
    challenge: () => ({ challenge: randomBytes(32), identityKey: identity_key }),
    prove: ({ deviceId, challenge, signature }, context) => {
      const device = state.devices.get(deviceId);
      if (device === undefined || !check_signature(device.kind, device.spki, session_message(identity_key, challenge), signature)) {
        throw new ConnectError("unknown device", Code.Unauthenticated);
      }
      const token = randomBytes(16).toString("hex");
      state.sessions.set(token, { device_id: deviceId, proved: Date.now() });
      context.responseHeader.set("Set-Cookie", `__Host-hearth=${token}; Path=/; Secure; HttpOnly; SameSite=Lax; Max-Age=900`);
      return { token, expiresInSeconds: 900n, role: device.record.role, deviceName: device.record.name };
    },
  });
}

function device_routes(router: ConnectRouter, state: State, origin: () => string) {
  router.service(DeviceService, {
    invite: ({ role }) => {
      const { secret, code } = state.invite(role);
      return { links: [pairing_link(origin(), secret)], typedCode: code, expiresInSeconds: 120n };
    },
    allow: ({ pairingId, allow }) => {
      state.answer_pairing(Buffer.from(pairingId).toString("hex"), allow);
      return {};
    },
    list: () => ({ devices: Array.from(state.devices.values(), (device) => device.record), pending: state.waiting() }),
    revoke: ({ deviceId }) => {
      state.remove_device(deviceId);
      return {};
    },
    leave: (_, context) => {
      state.remove_device(caller(context).record.id);
      return {};
    },
  });
}

export function pairing_link(origin: string, secret: Buffer): string {
  return `${origin}/#pair=1.${secret.toString("base64url")}.${sha256(identity_key).subarray(0, 10).toString("base64url")}`;
}

function job_routes(router: ConnectRouter, state: State) {
  const find = (id: bigint) => {
    const job = state.jobs.get(id);
    if (job === undefined) throw new ConnectError(`there is no job ${id}`, Code.NotFound);
    return job;
  };
  router.service(JobService, {
    submit: ({ spec, requestId }, context) => {
      const request = Buffer.from(requestId).toString("hex");
      const known = state.requests.get(request);
      if (known !== undefined) return { jobId: known };
      if (spec?.inputs !== undefined && !state.blobs.has(Buffer.from(spec.inputs.sha256).toString("hex"))) {
        throw new ConnectError("the inputs are not all uploaded", Code.FailedPrecondition);
      }
      const job = state.add_job(spec!, caller(context).record.name);
      state.requests.set(request, job.job.id);
      void run_job(state, job);
      return { jobId: job.job.id };
    },
    get: ({ jobId, firstTask, taskLimit, onlyFailed }) => {
      const job = find(jobId);
      const tasks = onlyFailed ? job.tasks.filter((task) => (task.outcome?.reason ?? 0) !== 0) : job.tasks;
      return { job: job.job, tasks: tasks.slice(firstTask, firstTask + taskLimit) };
    },
    list: ({ limit, beforeId }) => ({
      jobs: Array.from(state.jobs.values(), (job) => job.job)
        .filter((job) => beforeId === 0n || job.id < beforeId)
        .reverse()
        .slice(0, limit || 100),
    }),
    cancel: ({ jobId }) => {
      const { job } = find(jobId);
      if (!has_ended(job)) {
        Object.assign(job, { state: JobState.CANCELLED, cancelled: job.cancelled + job.pending + job.running, pending: 0, running: 0, ended: now() });
        state.tell({ jobs: [job] });
      }
      return { state: job.state };
    },
    remove: ({ jobId }) => {
      if (!has_ended(find(jobId).job)) throw new ConnectError(`job ${jobId} has not ended: cancel it first`, Code.FailedPrecondition);
      state.remove_job(jobId);
      return {};
    },
    why: ({ jobId }) => ({ cause: 7, sentence: `Job ${find(jobId).job.id} waits because attic-pc and kitchen-pc are busy with other tasks.`, jobIds: [] }),
    logs: async function* ({ jobId, tasks, follow, cursors }, context) {
      const job = find(jobId);
      const from = (task: number) => cursors.find((cursor) => cursor.task === task)?.offset ?? 0n;
      for (let at = 0; !context.signal.aborted; ) {
        for (; at < job.logs.length; at++) {
          const { task, attempt, offset, stream, text } = job.logs[at]!;
          if ((tasks.length > 0 && !tasks.includes(task)) || offset < from(task)) continue;
          yield { task, attempt, offset, records: [{ stream: stream ?? LogStream.STDOUT, data: Buffer.from(text) }] };
        }
        if (!follow || has_ended(job.job)) return;
        await new Promise((resolve) => setTimeout(resolve, 50));
      }
    },
  });
}

function workspace_routes(router: ConnectRouter, state: State) {
  router.service(WorkspaceService, {
    list: () => ({ workspaces: Array.from(state.workspaces.values()) }),
    remove: ({ name }) => {
      const found = state.workspaces.get(name);
      if (found === undefined) throw new ConnectError(`there is no workspace ${name}`, Code.NotFound);
      if (found.inUseBy !== 0n) throw new ConnectError(`workspace ${name} is in use by job ${found.inUseBy}`, Code.FailedPrecondition);
      if (found.nodeConnected) state.workspaces.delete(name);
      else found.leaving = true;
      return { gone: found.nodeConnected };
    },
  });
}

function operator_routes(router: ConnectRouter, state: State) {
  const check = (context: HandlerContext) => {
    if (caller(context).record.role < Role.OWNER) throw new ConnectError("this is for an owner's or operator's device", Code.PermissionDenied);
  };
  router.service(OperatorService, {
    queue: (_, context) => (check(context), { lines: state.queue }),
    shares: (_, context) => (check(context), { samples: state.samples }),
  });
  router.service(UsageService, { list: () => ({ rows: state.usage }) });
  router.service(AccountService, { list: () => ({ accounts: [{ name: "design" }, { name: "physics" }, { name: "Mara's phone", isDevice: true }] }) });
  router.service(BookingService, {
    list: (_, context) => (check(context), { bookings: state.bookings }),
    book: (request, context) => {
      check(context);
      if (request.nodes > state.nodes.size) throw new ConnectError(`it asks for ${request.nodes} nodes, and the pool has ${state.nodes.size} nodes`, Code.FailedPrecondition);
      const { $typeName: _, ...terms } = request;
      const booking = create(BookingSchema, { ...terms, id: state.next_id() });
      state.bookings.push(booking);
      return { booking };
    },
    unbook: ({ id }, context) => (check(context), (state.bookings = state.bookings.filter((one) => one.id !== id)), {}),
  });
}

function environment_routes(router: ConnectRouter, state: State) {
  router.service(EnvironmentService, {
    put: ({ name, image, description }) => ({ environment: state.put_environment(name, Number(image?.size ?? 0n), description) }),
    list: () => ({ environments: Array.from(state.environments.values()).sort((a, b) => a.name.localeCompare(b.name)) }),
    remove: ({ name }) => {
      if (!state.environments.delete(name)) throw new ConnectError(`there is no environment '${name}'`, Code.NotFound);
      return {};
    },
  });
}

function node_routes(router: ConnectRouter, state: State) {
  router.service(NodeService, {
    list: () => ({ nodes: Array.from(state.nodes.values()) }),
    status: (_, context) => ({ poolName: "kitchen-pc", version: "0.1.0", nodes: state.nodes.size, nodesConnected: state.nodes.size, deviceName: caller(context).record.name, hubs: state.hubs }),
    setDuty: ({ nodeId, duty, graceSeconds }, context) => {
      if (caller(context).record.role < Role.OWNER) throw new ConnectError("SetDuty is for an owner's or operator's device", Code.PermissionDenied);
      const node = state.nodes.get(nodeId);
      if (node === undefined) throw new ConnectError("there is no such node", Code.NotFound);
      Object.assign(node, { duty, closed: duty !== Duty.SERVING, closedReason: duty === Duty.SERVING ? "" : "cordoned by the pool's owner" });
      node.graceEnds = create(MomentSchema, { unixMillis: BigInt(Date.now() + 1000 * graceSeconds) });
      state.tell({ nodes: [node] });
      return { node };
    },
    watch: async function* (_, context) {
      const { record } = caller(context);
      const seen = (device: Device) => ({ ...device, isThis: device.id === record.id, online: device.online || device.id === record.id });
      const owner = record.role === Role.OWNER;
      const queue: Parameters<Parameters<State["watch"]>[0]>[0][] = [];
      let wake = () => {};
      const stop = state.watch((event) => (queue.push(event), wake()));
      context.signal.addEventListener("abort", () => wake());
      try {
        const own = record.ring > Ring.HOME;
        yield {
          snapshot: true,
          ownOnly: own,
          jobs: Array.from(state.jobs.values(), (job) => job.job).filter((job) => !own || job.owner === record.name),
          nodes: Array.from(state.nodes.values()),
          devices: Array.from(state.devices.values(), (device) => seen(device.record)).filter((device) => !own || device.isThis),
          pending: owner ? state.waiting() : [],
          pendingChanged: true,
        };
        while (!context.signal.aborted) {
          if (!state.devices.has(record.id)) throw new ConnectError("revoked", Code.Unauthenticated);
          const event = queue.shift();
          if (event === undefined) await new Promise<void>((resolve) => (wake = resolve));
          else yield { ...event, devices: event.devices.map(seen), pending: owner ? event.pending : [] };
        }
      } finally {
        stop();
      }
    },
  });
}
