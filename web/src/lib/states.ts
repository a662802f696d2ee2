// Words and tones for states, the same everywhere.
import type { Job, Task } from "../gen/hearth/v1/jobs_pb";
import { FailureReason, JobState, TaskState, type Outcome } from "../gen/hearth/v1/types_pb";

export type Tone = "good" | "bad" | "wait" | "live" | "off";

const kJobWords: Record<JobState, [string, Tone]> = {
  [JobState.UNSPECIFIED]: ["Unknown", "off"],
  [JobState.WAITING]: ["Waiting", "wait"],
  [JobState.QUEUED]: ["Queued", "wait"],
  [JobState.RUNNING]: ["Running", "live"],
  [JobState.SUCCEEDED]: ["Done", "good"],
  [JobState.FAILED]: ["Failed", "bad"],
  [JobState.CANCELLED]: ["Cancelled", "off"],
};

const kTaskWords: Record<TaskState, [string, Tone]> = {
  [TaskState.UNSPECIFIED]: ["Unknown", "off"],
  [TaskState.PENDING]: ["Waits", "wait"],
  [TaskState.RUNNING]: ["Running", "live"],
  [TaskState.SUCCEEDED]: ["Done", "good"],
  [TaskState.FAILED]: ["Failed", "bad"],
  [TaskState.CANCELLED]: ["Cancelled", "off"],
};

export function job_words(state: JobState): [string, Tone] {
  return kJobWords[state] ?? kJobWords[JobState.UNSPECIFIED];
}

export function task_words(state: TaskState): [string, Tone] {
  return kTaskWords[state] ?? kTaskWords[TaskState.UNSPECIFIED];
}

export function has_ended(job: Job): boolean {
  return job.state === JobState.SUCCEEDED || job.state === JobState.FAILED || job.state === JobState.CANCELLED;
}

export function tasks_of(job: Job): number {
  return Math.max(1, job.spec?.tasks ?? 1);
}

export function tasks_ended(job: Job): number {
  return job.succeeded + job.failed + job.cancelled;
}

export function job_name(job: Job): string {
  const argv = job.spec?.argv ?? [];
  return job.spec?.name || argv[0]?.replace(/^\.\//, "") || `Job ${job.id}`;
}

// Why an attempt did not succeed: the server's sentence, else one made of the reason. "" for success.
export function reason_text(outcome: Outcome | undefined): string {
  if (outcome === undefined || outcome.reason === FailureReason.UNSPECIFIED) return "";
  if (outcome.message !== "") return outcome.message;
  switch (outcome.reason) {
    case FailureReason.EXIT_CODE:
      return `The program ended with exit code ${outcome.exitCode}.`;
    case FailureReason.SIGNAL:
      return `The program was ended by signal ${outcome.exitCode - 128}.`;
    case FailureReason.OUT_OF_MEMORY:
      return "It needed more memory than the job asked for.";
    case FailureReason.TIME_LIMIT:
      return "It ran longer than its time limit.";
    case FailureReason.NODE_LOST:
      return "The PC that ran it went away.";
    case FailureReason.WORKSPACE:
      return "Its workspace holds more than it may.";
    case FailureReason.DISK:
      return "Its files took more of the disk than the job asked for.";
    case FailureReason.OWNER:
      return "The owner of the PC that ran it needed it.";
    case FailureReason.DRAINED:
      return "Its PC is drained by the pool's owner; it runs again elsewhere.";
    case FailureReason.BOOKED:
      return "Its PC is kept for others from now on; it runs again elsewhere or later.";
    case FailureReason.PREEMPTED:
      return "A task of a higher class needed its room; it runs again.";
    case FailureReason.GANG:
      return "Another task of its gang failed or was lost.";
    case FailureReason.START:
      return "The program could not be started.";
    case FailureReason.OUTPUT:
      return "Its results could not be collected.";
    case FailureReason.DEPENDENCY:
      return "A job that it runs after did not succeed.";
    case FailureReason.SKIPPED:
      return "It was not needed: no job that it runs after failed.";
    case FailureReason.CANCELLED:
      return "Cancelled.";
    default:
      return "It failed for an unknown reason.";
  }
}

// Failed tasks first, then those that run, then the others by number.
export function by_urgency(a: Task, b: Task): number {
  const rank = (task: Task) => (task.state === TaskState.FAILED ? 0 : task.state === TaskState.RUNNING ? 1 : 2);
  return rank(a) - rank(b) || a.index - b.index;
}
