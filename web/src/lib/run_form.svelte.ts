// What the person has filled in to run something. Lives longer than the view, so that a look at another tab loses nothing.
import type { JobSpec } from "../gen/hearth/v1/jobs_pb";
import type { Tree } from "../gen/hearth/v1/types_pb";
import { kLanguages, language_of, type Language } from "./templates";
import { split_arguments } from "./arguments";
import { file_name } from "./files";
import type { TreeEntry } from "./tree";

export const kGiB = 1024 ** 3;
export const kMemoryChoices = [0.25, 0.5, 1, 2, 4, 8, 16, 32, 64, 128].map((gib) => gib * kGiB);
export const kTimeChoices: [number, string][] = [
  [60, "1 minute"],
  [600, "10 minutes"],
  [3600, "1 hour"],
  [6 * 3600, "6 hours"],
  [86_400, "24 hours"],
  [3 * 86_400, "3 days"],
  [30 * 86_400, "30 days"],
];

export const kMaxDriveInputs = 64;
const kMostNamed = 10; // files of the drive that become arguments of the program

// How a program is seen while it runs: by what it prints; or live, and used.
export type Shown = "log" | "window" | "terminal" | "web";

export interface PickedFile {
  path: string;
  content: Blob;
}

class RunForm {
  language = $state<Language>("python");
  sources = $state<Record<Language, string>>({
    python: kLanguages.python.template,
    cpp: kLanguages.cpp.template,
    shell: kLanguages.shell.template,
    file: "",
  });
  program = $state.raw<PickedFile | undefined>(); // for "file"
  program_word = $state(""); // for "file" too, where no file was picked: an earlier job's program
  inputs = $state.raw<PickedFile[]>([]);
  kept = $state.raw<TreeEntry[]>([]); // inputs of an earlier job that the server has
  drive_inputs = $state.raw<string[]>([]); // paths of the drive
  drive_outputs = $state(""); // the folder of the drive that the results go to; empty: they stay with the job
  arguments = $state("");
  name = $state("");
  tasks = $state(1);
  cores = $state(1);
  memory = $state(kGiB);
  time_limit = $state(3600);
  outputs = $state("*");
  environment = $state("host");
  shown = $state<Shown>("log");
  web_port = $state(8000); // where a web program listens
  retries = $state(0);
  after = $state(""); // numbers of jobs, with commas between them
  variables: Record<string, string> = {}; // an earlier job's
  workspace: JobSpec["workspace"]; // an earlier job's

  // argv, as the server takes it. Throws an Error with a sentence for a person.
  argv(): string[] {
    const rest = split_arguments(this.arguments);
    if (this.language === "file") {
      if (this.program === undefined && this.program_word === "") throw new Error("Pick the program's file first.");
      return [this.program === undefined ? this.program_word : `./${this.program.path}`, ...rest];
    }
    const path = `./${kLanguages[this.language].file}`;
    return this.language === "shell" && !this.sources.shell.startsWith("#!") ? ["sh", path, ...rest] : [path, ...rest];
  }

  // The files that this browser brings, the program first.
  files(): { path: string; content: Blob; executable: boolean }[] {
    const inputs = this.inputs.map((file) => ({ ...file, executable: false }));
    if (this.language === "file") {
      return this.program === undefined ? inputs : [{ ...this.program, executable: true }, ...inputs];
    }
    const source = this.sources[this.language].replaceAll("\r\n", "\n");
    return [{ path: kLanguages[this.language].file, content: new Blob([source]), executable: true }, ...inputs];
  }

  patterns(): string[] {
    return this.outputs.split(/[\s,]+/).filter((pattern) => pattern !== "");
  }

  // Takes a picked file as the program: text that can be edited goes to the editor.
  async pick_program(file: File): Promise<void> {
    const language = language_of(file.name);
    if (language !== "file" && file.size <= 512 * 1024) {
      this.language = language;
      this.sources[language] = await file.text();
    } else {
      this.language = "file";
      this.program = { path: file.name, content: file };
    }
    this.name = file.name.slice(0, 120);
  }

  // The next program is to read these, and to put its results beside them.
  run_on(paths: readonly string[], folder: string): void {
    this.drive_inputs = [...paths];
    this.drive_outputs = folder;
    const names = paths.map(file_name);
    this.arguments = names.length <= kMostNamed ? names.map(quoted).join(" ") : "";
  }

  // Fills the form from an earlier job. `source` is its program's text where the page could read it.
  repeat(spec: JobSpec, tree: Tree | undefined, source: string | undefined): void {
    const [first = "", ...rest] = spec.argv;
    const [program = "", words] = first === "sh" && rest[0] === "./main.sh" ? [rest[0], rest.slice(1)] : [first, rest];
    const language = language_of(program);
    const editable = language !== "file" && source !== undefined && program === `./${kLanguages[language].file}`;
    this.language = editable ? language : "file";
    this.program_word = editable ? "" : program;
    if (editable) this.sources[language] = source;
    this.kept = (tree?.files ?? [])
      .filter((file) => !editable || `./${file.path}` !== program)
      .map((file) => ({ path: file.path, sha256: file.blob!.sha256, size: Number(file.blob!.size), executable: file.executable }));
    this.inputs = [];
    this.drive_inputs = []; // what they were is among the inputs
    this.drive_outputs = spec.driveOutputs;
    this.program = undefined;
    this.arguments = words.map(quoted).join(" ");
    this.name = spec.name;
    this.tasks = spec.tasks;
    this.cores = spec.resources?.cores || 1;
    this.memory = Number(spec.resources?.memoryBytes ?? 0n) || kGiB;
    this.time_limit = Number(spec.timeLimitSeconds) || 86_400;
    this.outputs = spec.outputs.join(" ");
    this.environment = spec.environment || "host";
    this.shown = spec.window ? "window" : spec.terminal ? "terminal" : spec.webPort !== 0 ? "web" : "log";
    this.web_port = spec.webPort || 8000;
    this.retries = spec.retries;
    this.after = spec.after.join(",");
    this.variables = spec.variables;
    this.workspace = spec.workspace;
  }
}

function quoted(word: string): string {
  return /^[\w./:=@%+,{}*-]+$/.test(word) ? word : `'${word.replaceAll("'", `'"'"'`)}'`;
}

export const run_form = new RunForm();
