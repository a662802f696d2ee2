// How jobs go in the mock: each task takes a moment, prints, and leaves a picture and a note. A program that holds the
// word FAIL fails in its last task; one that holds HOLD waits until it is cancelled.
import { create } from "@bufbuild/protobuf";
import { deflateSync } from "node:zlib";
import { LogStream, TaskSchema } from "../../src/gen/hearth/v1/jobs_pb";
import { FailureReason, JobState, OutcomeSchema, TaskState, type Outcome } from "../../src/gen/hearth/v1/types_pb";
import { decode_tree, encode_tree } from "../../src/lib/tree";
import { has_ended } from "../../src/lib/states";
import { now, type MockJob, type State } from "./state";

const sleep = (millis: number) => new Promise((resolve) => setTimeout(resolve, millis));
export const pace = { step_millis: 60 };

function program_text(state: State, job: MockJob): string {
  const tree = state.blobs.get(Buffer.from(job.spec.inputs?.sha256 ?? []).toString("hex"));
  if (tree === undefined) return "";
  const files = decode_tree(tree).files.map((file) => state.blobs.get(Buffer.from(file.blob!.sha256).toString("hex")));
  return files.map((file) => file?.subarray(0, 65_536).toString() ?? "").join("\n");
}

export async function run_job(state: State, mock: MockJob): Promise<void> {
  const { job, spec } = mock;
  const source = program_text(state, mock);
  const node = Array.from(state.nodes.values())[0];
  if (source.includes("HOLD")) return;
  for (let task = 0; task < spec.tasks; task++) {
    await sleep(pace.step_millis);
    if (has_ended(job)) return;
    Object.assign(job, { state: JobState.RUNNING, pending: job.pending - 1, running: 1, secondsLeft: BigInt(spec.tasks - task) });
    job.started ??= now();
    const record = create(TaskSchema, { index: task, state: TaskState.RUNNING, attempts: 1, node: node?.name ?? "", started: now() });
    mock.tasks.push(record);
    state.tell({ jobs: [job] });
    for (let i = 1; i <= 4; i++) {
      await sleep(pace.step_millis);
      if (has_ended(job)) return;
      state.log(mock, task, LogStream.STDOUT, `${i * 25} %\n`);
    }
    const fails = source.includes("FAIL") && task === spec.tasks - 1;
    if (fails) state.log(mock, task, LogStream.STDERR, 'Traceback (most recent call last):\n  File "main.py", line 3, in <module>\nRuntimeError: FAIL\n');
    record.state = fails ? TaskState.FAILED : TaskState.SUCCEEDED;
    record.ended = now();
    record.outcome = fails ? failure() : success(state, task);
    Object.assign(job, { running: 0, succeeded: job.succeeded + (fails ? 0 : 1), failed: job.failed + (fails ? 1 : 0) });
    if (fails) job.firstFailure = record.outcome;
    state.tell({ jobs: [job] });
  }
  Object.assign(job, { state: job.failed > 0 ? JobState.FAILED : JobState.SUCCEEDED, ended: now(), secondsLeft: 0n });
  state.tell({ jobs: [job] });
}

function failure(): Outcome {
  return create(OutcomeSchema, { reason: FailureReason.EXIT_CODE, exitCode: 1, message: "The program ended with exit code 1.", wallMicros: 340_000n });
}

function success(state: State, task: number): Outcome {
  const picture = state.put_blob(mandelbrot(200, task));
  const note = state.put_blob(Buffer.from(`task ${task}\nwarm\n`));
  const size = (hash: Buffer) => state.blobs.get(hash.toString("hex"))!.length;
  const tree = Buffer.from(
    encode_tree([
      { path: `picture-${task}.png`, sha256: picture, size: size(picture), executable: false },
      { path: `note-${task}.txt`, sha256: note, size: size(note), executable: false },
    ]),
  );
  const sha256 = state.put_blob(tree);
  return create(OutcomeSchema, { outputs: { sha256, size: BigInt(tree.length) }, wallMicros: 2_400_000n, cpuMicros: 2_300_000n, peakMemoryBytes: 31_457_280n });
}

function mandelbrot(size: number, task: number): Buffer {
  const zoom = 1.6 ** task;
  const rows = Buffer.alloc(size * (1 + 3 * size));
  for (let y = 0; y < size; y++) {
    for (let x = 0; x < size; x++) {
      const [cr, ci] = [-0.7436 + ((x / size - 0.5) * 3) / zoom, 0.1318 + ((y / size - 0.5) * 3) / zoom];
      let [zr, zi, n] = [0, 0, 0];
      while (n < 120 && zr * zr + zi * zi < 4) [zr, zi, n] = [zr * zr - zi * zi + cr, 2 * zr * zi + ci, n + 1];
      const t = n / 120;
      const color = n === 120 ? [24, 14, 8] : [Math.min(255, 900 * t), Math.min(255, 380 * t), 120 * t];
      rows.set(color.map(Math.floor), y * (1 + 3 * size) + 1 + 3 * x);
    }
  }
  const header = Buffer.alloc(13);
  header.writeUInt32BE(size, 0);
  header.writeUInt32BE(size, 4);
  header.set([8, 2, 0, 0, 0], 8);
  const signature = Buffer.from([0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a]);
  return Buffer.concat([signature, chunk("IHDR", header), chunk("IDAT", deflateSync(rows)), chunk("IEND", Buffer.alloc(0))]);
}

function chunk(kind: string, data: Buffer): Buffer {
  const body = Buffer.concat([Buffer.from(kind), data]);
  const out = Buffer.alloc(8 + body.length);
  out.writeUInt32BE(data.length, 0);
  body.copy(out, 4);
  out.writeUInt32BE(crc32(body), 4 + body.length);
  return out;
}

function crc32(bytes: Buffer): number {
  let crc = ~0;
  for (const byte of bytes) {
    crc ^= byte;
    for (let k = 0; k < 8; k++) crc = (crc >>> 1) ^ (crc & 1 ? 0xedb88320 : 0);
  }
  return ~crc >>> 0;
}
