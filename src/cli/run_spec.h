// From what was typed after `hearth run` to a JobSpec and the files to send: every value is checked before anything is
// sent. Reads this machine's files, but talks to nobody.
#pragma once

#include <string>
#include <vector>

#include "base/result.h"
#include "blob/transfer.h"
#include "cli/commands.h"
#include "hearth/v1/jobs.pb.h"

namespace hearth::cli {

struct RunPlan {
  v1::JobSpec spec;  // all but `inputs`, which is the blob of the Tree of
  std::vector<blob::LocalFile> files;
  std::vector<std::string> notes;  // sentences: what looks like a mistake but need not be one
};

// What the options alone say, without a look at any file. Errors: kInvalidArgument, with the option first.
Result<v1::JobSpec> spec_of(const RunOptions& options);

// Errors: kInvalidArgument, kNotFound: which value, what is allowed.
Result<RunPlan> plan_run(const RunOptions& options);

// Submits it, follows it and brings its results back, as `hearth run` does (run.cc).
Result<int> run_plan(const Context& context, const RunOptions& options, RunPlan plan);

// Whether the first word of a shell's script is a program among this machine's files, and which.
bool names_local_program(const std::string& script, std::string& program);

// The number in "17". Errors: kInvalidArgument.
Result<std::uint64_t> parse_job(const std::string& text);

// The exit code that stands for a task's end: the program's own, 137 for memory, 124 for time, 130 if cancelled,
// else 1.
int exit_code_of(const v1::Outcome& outcome);

// The same of a whole job that has ended: of its first failure.
int exit_code_of(const v1::Job& job);

// "exit code 2", "it needed more memory than its limit of 1 GiB: ..."; empty for success.
std::string failure_text(const v1::Outcome& outcome);

// What there is to say of a job's tasks that failed, or of why it never ran, in a sentence; empty: none did for good.
std::string failure_text(const v1::Job& job);

// Why results of the job are not in the drive, and where they are; empty: nothing is known against it.
std::string drive_trouble_text(const v1::Job& job);

}  // namespace hearth::cli
