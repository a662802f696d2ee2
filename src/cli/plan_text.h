// A plan as it is written (YAML): which keys there are and of what kind their values are. What the values mean is
// plan.h's. Pure, and the one place that knows the YAML library.
#pragma once

#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace hearth::cli {

struct PlanField {
  std::vector<std::string> values;  // of a map: "NAME=VALUE"
  int line = 0;
};

struct PlanEntry {
  std::string name;
  int line = 0;
  std::map<std::string, PlanField> fields;  // by key, `matrix` excepted
  std::map<std::string, PlanField> matrix;  // by variable
};

struct PlanText {
  std::string name;
  std::map<std::string, PlanField> defaults;
  std::vector<PlanEntry> jobs;  // as written
};

// "plan.yaml:7: what is wrong"
std::unexpected<Error> wrong_in_plan(std::string_view file, int line, std::string_view what);

// `file` is what errors call it. At most 1 MiB. Errors: kInvalidArgument, with the line: no YAML, unknown keys (and the
// nearest known one), a key twice, a value of the wrong kind, too many or too long.
Result<PlanText> read_plan(std::string_view text, std::string_view file);

}  // namespace hearth::cli
