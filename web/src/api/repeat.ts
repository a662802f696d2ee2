// Fills the form of Run from an earlier job.
import { hex } from "../lib/bytes";
import { run_form } from "../lib/run_form.svelte";
import { decode_tree } from "../lib/tree";
import { clients, fetch_signed_in } from "./session";

const kMaxSource = 512 * 1024;

export async function repeat_job(id: bigint): Promise<void> {
  const { job } = await clients.jobs.get({ jobId: id });
  if (job?.spec === undefined) throw new Error("The job is gone.");
  const { spec } = job;
  if (spec.inputs === undefined) return run_form.repeat(spec, undefined, undefined);
  const tree = decode_tree(new Uint8Array(await (await read(spec.inputs.sha256)).arrayBuffer()));
  const program = tree.files.find((file) => spec.argv.slice(0, 2).includes(`./${file.path}`));
  const readable = program?.blob !== undefined && program.blob.size <= BigInt(kMaxSource);
  run_form.repeat(spec, tree, readable ? await (await read(program.blob!.sha256)).text() : undefined);
}

async function read(sha256: Uint8Array): Promise<Response> {
  const response = await fetch_signed_in(`/blob/${hex(sha256)}`);
  if (!response.ok) throw new Error("The job's input files are no longer on the server.");
  return response;
}
