// From a job's specification to the command of one of its tasks.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "base/ids.h"
#include "base/result.h"
#include "core/node/agent.h"
#include "hearth/v1/jobs.pb.h"
#include "hearth/v1/session.pb.h"
#include "sandbox/sandbox.h"

namespace hearth::node {

// Whether a path is among the inputs laid out for the task.
using IsInput = std::function<bool(const std::string& path)>;

// Argument vector and environment, "{i}" replaced; a .py program under python3, a C++ one compiled first. `own_input`:
// the first of the files that the task alone has, if there is one. Errors: kInvalidArgument, kNotFound (a script that
// is not among the inputs).
Result<sandbox::Command> make_command(const v1::JobSpec& spec, TaskId task, const IsInput& is_input,
                                      const std::string& own_input = {});

// The output patterns, "{i}" replaced.
std::vector<std::string> make_patterns(const v1::JobSpec& spec, TaskId task);

// Whether this node has the environment that the job asks for. Errors: kNotFound, with those that it has.
Result<void> check_environment(const v1::JobSpec& spec);

// What the task needs, with the schema's defaults for what is not set.
Resources needs_of(const v1::JobSpec& spec);
Duration time_limit_of(const v1::JobSpec& spec);
// It starts nothing, see owners_screen.h.
bool shows_owners_screen(const v1::JobSpec& spec);

AttemptId from_proto(const v1::AttemptId& attempt);
v1::AttemptId to_proto(AttemptId attempt);
v1::Resources to_proto(const Resources& resources);
// One for each ring that may run here.
google::protobuf::RepeatedPtrField<v1::Admission> to_proto(const Admission& admission);
// A stranger, if it is none that is known here.
Ring from_proto(v1::Ring ring);

}  // namespace hearth::node
