// Uploads what the form names and asks for the job.
import { Code } from "@connectrpc/connect";
import { random } from "../lib/bytes";
import { drive_pattern } from "../lib/drive_paths";
import type { run_form } from "../lib/run_form.svelte";
import { clients, is_code } from "./session";
import { store_inputs } from "./upload";

export type Stage = { at: "uploading"; sent: number; total: number } | { at: "asking" };

// The new job's number.
export async function submit(form: typeof run_form, on_stage: (stage: Stage) => void, signal: AbortSignal): Promise<bigint> {
  const argv = form.argv();
  const inputs = await store_inputs(form.files(), form.kept, (sent, total) => on_stage({ at: "uploading", sent, total }), signal);
  on_stage({ at: "asking" });
  const request = {
    requestId: random(16),
    spec: {
      name: form.name.trim(),
      argv,
      tasks: form.tasks,
      resources: { cores: form.cores, memoryBytes: BigInt(form.memory) },
      timeLimitSeconds: BigInt(form.time_limit),
      inputs: { sha256: inputs.sha256, size: BigInt(inputs.size) },
      outputs: form.patterns(),
      driveInputs: form.drive_inputs.map(drive_pattern),
      driveOutputs: form.drive_outputs,
      environment: form.shown === "window" ? "host" : form.environment,
      window: form.shown === "window",
      terminal: form.shown === "terminal",
      webPort: form.shown === "web" ? form.web_port : 0,
      retries: form.retries,
      after: form.after === "" ? [] : form.after.split(",").map(BigInt),
      variables: form.variables,
      ...(form.workspace && { workspace: form.workspace }),
    },
  };
  for (let attempt = 1; ; attempt++) {
    try {
      return (await clients.jobs.submit(request, { signal })).jobId;
    } catch (error) {
      // The same request again makes no second job.
      const broken = is_code(error, Code.Unavailable) || is_code(error, Code.Unknown);
      if (!broken || attempt === 4 || signal.aborted) throw error;
      await new Promise((resolve) => setTimeout(resolve, 1000 * attempt));
    }
  }
}
