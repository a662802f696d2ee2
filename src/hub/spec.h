// The rules of hearth.v1.JobSpec: every limit that its comments state is checked here and nowhere else.
#pragma once

#include "base/result.h"
#include "core/admission.h"
#include "core/pool/pool.h"
#include "hearth/v1/jobs.pb.h"

namespace hearth::hub {

// Fills in what is unset and checks the rest. Errors: kInvalidArgument: "FIELD: what is wrong: what is allowed".
Result<void> complete_spec(v1::JobSpec& spec);

// What not every device may ask for. Errors: kPermissionDenied.
Result<void> check_standing(const v1::JobSpec& spec, Ring ring);

// What decisions need of a complete specification, so that no store keeps it twice.
void fill_request(const v1::JobSpec& spec, Ring ring, pool::JobRequest& request);

// The rule of JobSpec.inputs_by_task, of a tree that blob::check_tree() takes. Errors: kInvalidArgument.
Result<void> check_inputs_by_task(const v1::Tree& tree, std::uint32_t tasks);

// What the job's tasks do only where they are admitted to it.
Admission admission_of(const v1::JobSpec& spec, Ring ring);

// For which ends of the jobs that it runs after it is.
pool::When when_of(const v1::JobSpec& spec);

}  // namespace hearth::hub
