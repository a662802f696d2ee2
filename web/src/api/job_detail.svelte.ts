// One job with its tasks and the files they left, brought up to date whenever the stream says that the job changed.
import { Code } from "@connectrpc/connect";
import type { Job, Task } from "../gen/hearth/v1/jobs_pb";
import type { Blob as BlobName } from "../gen/hearth/v1/types_pb";
import { hex } from "../lib/bytes";
import { natural_order, shown_blob, type ShownFile } from "../lib/files";
import { has_ended } from "../lib/states";
import { decode_tree } from "../lib/tree";
import { live } from "./live.svelte";
import { clients, fetch_signed_in, is_code, sentence } from "./session";

export interface ResultFile {
  key: string;
  task: number;
  path: string;
  shown: ShownFile;
}

export const kTaskPage = 200;
const kRefreshMillis = 1000;
const kTreesAtOnce = 4;

export class JobDetail {
  tasks = $state.raw<Task[]>([]);
  files = $state.raw<ResultFile[]>([]);
  problem = $state("");
  private missing_ = $state(false);
  why = $state("");
  shown = $state(kTaskPage);
  private own_ = $state.raw<Job | undefined>();
  private trees_ = new Map<string, ResultFile[]>();
  private stop_ = new AbortController();
  private timer_: ReturnType<typeof setTimeout> | undefined;
  private running_ = false;
  private again_ = false;

  constructor(readonly id: bigint) {}

  get job(): Job | undefined {
    return this.missing ? undefined : (live.jobs.get(this.id) ?? this.own_);
  }

  // There is no such job, or no longer.
  get missing(): boolean {
    return this.missing_ || live.removed.has(this.id);
  }

  // Nothing of it runs although something of it waits.
  get waits(): boolean {
    const job = this.job;
    return job !== undefined && !has_ended(job) && job.pending > 0 && job.running === 0;
  }

  // Called when something may have changed; refreshes at most once a second.
  changed(): void {
    if (this.running_) this.again_ = true;
    else this.timer_ ??= setTimeout(() => void this.refresh_(), this.tasks.length === 0 ? 0 : kRefreshMillis);
  }

  close(): void {
    this.stop_.abort();
    clearTimeout(this.timer_);
  }

  show_more(): void {
    this.shown += kTaskPage;
    this.changed();
  }

  async ask_why(): Promise<void> {
    try {
      this.why = (await clients.jobs.why({ jobId: this.id }, { signal: this.stop_.signal })).sentence;
    } catch {
      this.why = ""; // it is asked again soon, and the state is shown anyway
    }
  }

  private async refresh_(): Promise<void> {
    this.timer_ = undefined;
    this.running_ = true;
    try {
      await this.fetch_tasks_();
      await this.fetch_trees_();
      this.problem = "";
      this.missing_ = false;
    } catch (error) {
      this.missing_ = is_code(error, Code.NotFound);
      if (!this.stop_.signal.aborted) this.problem = sentence(error);
    } finally {
      this.running_ = false;
    }
    if (this.again_ && !this.stop_.signal.aborted) {
      this.again_ = false;
      this.changed();
    }
  }

  private async fetch_tasks_(): Promise<void> {
    const signal = this.stop_.signal;
    const tasks = new Map<number, Task>();
    for (let first = 0; first < this.shown; first += kTaskPage) {
      const reply = await clients.jobs.get({ jobId: this.id, firstTask: first, taskLimit: kTaskPage }, { signal });
      if (reply.job !== undefined) {
        this.own_ = reply.job;
        live.remember(reply.job);
      }
      reply.tasks.forEach((task) => tasks.set(task.index, task));
      if (reply.tasks.length < kTaskPage) break;
    }
    if ((this.job?.failed ?? 0) > 0) {
      const reply = await clients.jobs.get({ jobId: this.id, taskLimit: kTaskPage, onlyFailed: true }, { signal });
      reply.tasks.forEach((task) => tasks.set(task.index, task));
    }
    this.tasks = Array.from(tasks.values());
  }

  // Adds the files of tasks that have ended since.
  private async fetch_trees_(): Promise<void> {
    const wanted = this.tasks.filter((task) => task.outcome?.outputs !== undefined && !this.trees_.has(tree_key(task)));
    const work = wanted.values();
    const worker = async () => {
      for (const task of work) {
        this.trees_.set(tree_key(task), await this.fetch_tree_(task.index, task.outcome!.outputs!));
        this.list_files_();
      }
    };
    await Promise.all(Array.from({ length: kTreesAtOnce }, worker));
  }

  private async fetch_tree_(task: number, tree: BlobName): Promise<ResultFile[]> {
    const response = await fetch_signed_in(`/blob/${hex(tree.sha256)}`, this.stop_.signal);
    if (!response.ok) throw new Error(`The results of task ${task} cannot be read (HTTP ${response.status}).`);
    const { files } = decode_tree(new Uint8Array(await response.arrayBuffer()));
    return files.map((file) => ({
      key: `${task}/${file.path}`,
      task,
      path: file.path,
      shown: shown_blob(file.path, file.blob!.sha256, Number(file.blob!.size)),
    }));
  }

  private list_files_(): void {
    const all = Array.from(this.trees_.values()).flat();
    const current = new Set(this.tasks.filter((task) => task.outcome?.outputs !== undefined).map((task) => task.index));
    this.files = all.filter((file) => current.has(file.task)).sort((a, b) => natural_order(a.path, b.path) || a.task - b.task);
  }
}

function tree_key(task: Task): string {
  return `${task.index}:${hex(task.outcome!.outputs!.sha256)}`;
}
