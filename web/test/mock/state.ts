// A pool that exists in this process only: what the page's tests talk to. It keeps the rules of proto/hearth/v1 that the
// page depends on (transcripts, macs, signatures, sessions, blobs by hash) and invents how jobs go.
import { create } from "@bufbuild/protobuf";
import { createHash, randomBytes } from "node:crypto";
import { DeviceSchema, PendingPairingSchema, type Device, type PendingPairing } from "../../src/gen/hearth/v1/devices_pb";
import { EnvironmentSchema, type Environment } from "../../src/gen/hearth/v1/environments_pb";
import { JobSchema, LogStream, type Job, type JobSpec, type Task } from "../../src/gen/hearth/v1/jobs_pb";
import { HubSchema, NodeSchema, WatchReplySchema, type Node, type WatchReply } from "../../src/gen/hearth/v1/nodes_pb";
import type { Booking } from "../../src/gen/hearth/v1/bookings_pb";
import type { QueueLine, ShareSample } from "../../src/gen/hearth/v1/operator_pb";
import { KeyKind, Role } from "../../src/gen/hearth/v1/pairing_pb";
import { JobState, MomentSchema } from "../../src/gen/hearth/v1/types_pb";
import type { Usage } from "../../src/gen/hearth/v1/usage_pb";
import type { Workspace } from "../../src/gen/hearth/v1/workspaces_pb";

export interface Session {
  device_id: bigint;
  proved: number;
}

export interface MockDevice {
  record: Device;
  kind: KeyKind;
  spki: Buffer;
}

export interface MockPairing {
  pending: PendingPairing;
  kind: KeyKind;
  spki: Buffer;
  answer: Promise<boolean>;
  settle: (allow: boolean) => void;
  device_id: bigint;
}

export interface MockLog {
  task: number;
  attempt: number;
  offset: bigint;
  stream: LogStream;
  text: string;
}

export interface MockJob {
  job: Job;
  spec: JobSpec;
  tasks: Task[];
  logs: MockLog[];
}

export function now() {
  return create(MomentSchema, { unixMillis: BigInt(Date.now()) });
}

export function sha256(bytes: Uint8Array): Buffer {
  return createHash("sha256").update(bytes).digest();
}

export class State {
  readonly blobs = new Map<string, Buffer>();
  readonly devices = new Map<bigint, MockDevice>();
  readonly pairings = new Map<string, MockPairing>();
  readonly sessions = new Map<string, Session>();
  readonly jobs = new Map<bigint, MockJob>();
  readonly requests = new Map<string, bigint>(); // request_id to job
  readonly nodes = new Map<bigint, Node>();
  readonly environments = new Map<string, Environment>();
  readonly workspaces = new Map<string, Workspace>();
  readonly hubs = [create(HubSchema, { name: "cellar-pc", endpoints: "10.0.0.6:7443", alive: true })];
  queue: QueueLine[] = [];
  samples: ShareSample[] = [];
  bookings: Booking[] = [];
  usage: Usage[] = [];
  readonly invitations: { secret: Buffer; code: string; role: Role; expires: number }[] = [];
  private listeners_ = new Set<(event: WatchReply) => void>();
  private next_id_ = 1n;

  next_id(): bigint {
    return this.next_id_++;
  }

  invite(role: Role): { secret: Buffer; code: string } {
    const made = { secret: randomBytes(16), code: String(randomBytes(4).readUInt32BE() % 100_000_000).padStart(8, "0"), role, expires: Date.now() + 120_000 };
    this.invitations.push(made);
    return made;
  }

  put_environment(name: string, size: number, description: string): Environment {
    const made = create(EnvironmentSchema, { name, image: { sha256: sha256(Buffer.from(name)), size: BigInt(size) }, description, made: now() });
    this.environments.set(name, made);
    return made;
  }

  put_blob(bytes: Buffer): Buffer {
    const hash = sha256(bytes);
    this.blobs.set(hash.toString("hex"), bytes);
    return hash;
  }

  add_node(name: string, cores: number, memory: bigint, details: Partial<Node> = {}): Node {
    const node = create(NodeSchema, {
      id: this.next_id(),
      name,
      connected: true,
      total: { cores, memoryBytes: memory },
      offered: { cores, memoryBytes: (memory * 3n) / 4n },
      used: {},
      cpuModel: "AMD Ryzen 5 5600G",
      system: "Debian GNU/Linux 12, Linux 6.1",
      isolation: "fence (L1), cgroup v2",
    });
    Object.assign(node, details);
    this.nodes.set(node.id, node);
    this.add_device(name, Role.NODE, KeyKind.ED25519, Buffer.alloc(44), node.id);
    return node;
  }

  add_device(name: string, role: Role, kind: KeyKind, spki: Buffer, id = this.next_id()): MockDevice {
    const record = create(DeviceSchema, { id, name, role, paired: now(), lastSeen: now(), online: role === Role.NODE });
    const device = { record, kind, spki };
    this.devices.set(id, device);
    this.tell({ devices: [record] });
    return device;
  }

  remove_device(id: bigint): void {
    this.devices.delete(id);
    for (const [token, session] of this.sessions) if (session.device_id === id) this.sessions.delete(token);
    this.tell({ removedDevices: [id] });
  }

  add_pairing(name: string, digits: string, role: Role, kind: KeyKind, spki: Buffer): MockPairing {
    let settle: (allow: boolean) => void = () => undefined;
    const answer = new Promise<boolean>((resolve) => (settle = resolve));
    const pairingId = randomBytes(16);
    const expires = { unixMillis: BigInt(Date.now() + 120_000) };
    const pending = create(PendingPairingSchema, { pairingId, name, digits, address: "192.168.1.37", role, expires });
    const pairing: MockPairing = { pending, kind, spki, answer, settle, device_id: 0n };
    this.pairings.set(pairingId.toString("hex"), pairing);
    this.tell_pending();
    return pairing;
  }

  answer_pairing(id: string, allow: boolean): void {
    const pairing = this.pairings.get(id);
    if (pairing === undefined) return;
    if (allow) {
      pairing.device_id = this.add_device(pairing.pending.name, pairing.pending.role, pairing.kind, pairing.spki).record.id;
    }
    pairing.settle(allow);
    pairing.pending.digits = "";
    this.tell_pending();
  }

  waiting(): PendingPairing[] {
    return Array.from(this.pairings.values(), (pairing) => pairing.pending).filter((pending) => pending.digits !== "");
  }

  add_job(spec: JobSpec, owner: string): MockJob {
    const job = create(JobSchema, { id: this.next_id(), spec, state: JobState.QUEUED, owner, submitted: now(), pending: spec.tasks, secondsLeft: -1n });
    const made = { job, spec, tasks: [], logs: [] };
    this.jobs.set(job.id, made);
    this.tell({ jobs: [job] });
    return made;
  }

  remove_job(id: bigint): void {
    this.jobs.delete(id);
    this.tell({ removedJobs: [id] });
  }

  log(job: MockJob, task: number, stream: LogStream, text: string): void {
    const before = job.logs.filter((log) => log.task === task);
    const last = before.at(-1);
    const offset = last === undefined ? 0n : last.offset + BigInt(stored(last.text));
    job.logs.push({ task, attempt: 1, offset, stream, text });
  }

  watch(listener: (event: WatchReply) => void): () => void {
    this.listeners_.add(listener);
    return () => this.listeners_.delete(listener);
  }

  tell(event: Parameters<typeof create<typeof WatchReplySchema>>[1]): void {
    const made = create(WatchReplySchema, event);
    this.listeners_.forEach((listener) => listener(made));
  }

  tell_pending(): void {
    this.tell({ pending: this.waiting(), pendingChanged: true });
  }
}

// Bytes of a record of `text` in a task's log: two for the stream, the data with its prefix, and the record's prefix.
function stored(text: string): number {
  const size = Buffer.byteLength(text);
  const prefix = (length: number) => (length < 128 ? 1 : length < 16_384 ? 2 : 3);
  const record = 2 + 1 + prefix(size) + size;
  return prefix(record) + record;
}
