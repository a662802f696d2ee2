// The pool as this page knows it, kept up to date over one stream. When the stream breaks the last data stays and
// `connected` turns false until it is back.
import { Code } from "@connectrpc/connect";
import type { SharedApp } from "../gen/hearth/v1/audiences_pb";
import type { Device, PendingPairing } from "../gen/hearth/v1/devices_pb";
import type { Job } from "../gen/hearth/v1/jobs_pb";
import type { Node, StatusReply, WatchReply } from "../gen/hearth/v1/nodes_pb";
import { Role } from "../gen/hearth/v1/pairing_pb";
import { Backoff, pause } from "../lib/backoff";
import { clients, is_code, NotPaired, prove, WrongServer } from "./session";

const kSamples = 60;

class Live {
  connected = $state(false);
  ready = $state(false); // the first snapshot is here
  jobs = $state.raw<ReadonlyMap<bigint, Job>>(new Map());
  removed = $state.raw<ReadonlySet<bigint>>(new Set()); // jobs; their numbers are never given again
  nodes = $state.raw<ReadonlyMap<bigint, Node>>(new Map());
  devices = $state.raw<ReadonlyMap<bigint, Device>>(new Map());
  pending = $state.raw<readonly PendingPairing[]>([]);
  shared_apps = $state.raw<ReadonlyMap<bigint, SharedApp>>(new Map()); // by their jobs; one's own, too
  cpu_history = $state.raw<ReadonlyMap<bigint, readonly number[]>>(new Map());
  status = $state.raw<StatusReply | undefined>(undefined);
  role = $state(Role.UNSPECIFIED);
  device_name = $state("");
  own_only = $state(false); // this device is not of ring home: it is shown its own jobs and itself
  now = $state(Date.now());
  private stop_: AbortController | undefined;

  get is_owner(): boolean {
    return this.role === Role.OWNER;
  }
  get runs_pool(): boolean {
    return this.role === Role.OWNER || this.role === Role.OPERATOR;
  }

  start(): void {
    if (this.stop_ !== undefined) return;
    const stop = new AbortController();
    this.stop_ = stop;
    const clock = setInterval(() => (this.now = Date.now()), 1000);
    stop.signal.addEventListener("abort", () => clearInterval(clock));
    void this.run_(stop.signal);
  }

  stop(): void {
    this.stop_?.abort();
    this.stop_ = undefined;
    this.connected = this.ready = false;
    this.jobs = this.nodes = this.devices = this.cpu_history = new Map();
    this.removed = new Set();
    this.pending = [];
    this.shared_apps = new Map();
    this.status = undefined;
  }

  // Whether a job's app is another's, and is not shared with this device.
  keeps_out(job: Job): boolean {
    return this.ready && !this.runs_pool && job.owner !== this.device_name && !this.shared_apps.has(job.id);
  }

  // A job that somebody fetched by itself; words of the stream are newer than it.
  remember(job: Job): void {
    if (!this.jobs.has(job.id) && !this.removed.has(job.id)) this.jobs = new Map(this.jobs).set(job.id, job);
  }

  private async run_(signal: AbortSignal): Promise<void> {
    const backoff = new Backoff();
    while (!signal.aborted) {
      let heard = false;
      try {
        const session = await prove();
        this.role = session.role;
        this.device_name = session.device_name;
        this.status = await clients.nodes.status({}, { signal });
        for await (const event of clients.nodes.watch({}, { signal })) {
          this.apply_(event);
          this.connected = this.ready = heard = true;
          backoff.reset();
        }
      } catch (error) {
        if (signal.aborted || error instanceof NotPaired || error instanceof WrongServer) return;
        // A session that ran out ends its streams: that is no lost connection.
        if (heard && is_code(error, Code.Unauthenticated)) continue;
      }
      if (signal.aborted) return;
      this.connected = false;
      await pause(backoff.next_millis(), signal);
    }
  }

  private apply_(event: WatchReply): void {
    if (event.snapshot) this.own_only = event.ownOnly;
    this.jobs = merged(this.jobs, event.jobs, event.snapshot);
    if (event.removedJobs.length > 0) {
      this.removed = new Set([...this.removed, ...event.removedJobs]);
      this.jobs = without(this.jobs, event.removedJobs);
    }
    this.nodes = merged(this.nodes, event.nodes, event.snapshot);
    this.devices = merged(this.devices, event.devices, event.snapshot);
    if (event.removedDevices.length > 0) {
      this.devices = without(this.devices, event.removedDevices);
      this.nodes = without(this.nodes, event.removedDevices);
    }
    if (event.snapshot || event.pendingChanged) this.pending = event.pending;
    if (event.snapshot || event.sharedAppsChanged) this.shared_apps = new Map(event.sharedApps.map((app) => [app.jobId, app]));
    if (event.nodes.length > 0) this.note_cpu_(event.nodes);
  }

  private note_cpu_(nodes: Node[]): void {
    const history = new Map(this.cpu_history);
    for (const node of nodes) {
      history.set(node.id, [...(history.get(node.id) ?? []), node.connected ? node.cpuLoad : 0].slice(-kSamples));
    }
    this.cpu_history = history;
  }
}

function merged<T extends { id: bigint }>(old: ReadonlyMap<bigint, T>, news: T[], afresh: boolean): ReadonlyMap<bigint, T> {
  if (!afresh && news.length === 0) return old;
  const map = new Map(afresh ? [] : old);
  for (const item of news) map.set(item.id, item);
  return map;
}

function without<T>(old: ReadonlyMap<bigint, T>, ids: bigint[]): ReadonlyMap<bigint, T> {
  const map = new Map(old);
  for (const id of ids) map.delete(id);
  return map;
}

export const live = new Live();
