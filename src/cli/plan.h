// What `hearth submit` reads: jobs, what each needs, and matrices of values. From the text to the jobs to submit; pure.
//
//   name: digits
//   defaults: {memory: 2G}
//   jobs:
//     train:
//       run: ["./train", "--rate", "{rate}"]       a list, or one text for a shell
//       matrix: {rate: [0.1, 0.01]}                 one job for each value, or combination of values
//       outputs: "model-*"
//     report:
//       needs: train                                all of train's jobs; their results are in its directory
//       run: cat model-*
//     alarm:
//       needs: [train, report]
//       when: failure                               or always, or success
//       run: echo failed
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "cli/commands.h"

namespace hearth::cli {

struct PlannedJob {
  std::string name;                // with its values: "train (rate=0.1)"
  RunOptions options;              // as typed after `hearth run`, but `after`
  std::vector<std::size_t> needs;  // their places in the plan, before its own
  int line = 0;
};

struct Plan {
  std::string name;
  std::vector<PlannedJob> jobs;  // each after all that it needs; at most 1,000
};

// Errors: kInvalidArgument, with the line: those of read_plan(), names that are none, unknown jobs, circles, values
// that `hearth run` would refuse, more jobs than are allowed.
Result<Plan> parse_plan(std::string_view text, std::string_view file);

}  // namespace hearth::cli
