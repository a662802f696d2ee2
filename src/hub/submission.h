// From a JobSpec as somebody may send it to a Submission: everything that the hub checks before a job is taken.
#pragma once

#include "base/ids.h"
#include "hub/parts.h"
#include "net/async.h"

namespace hearth::hub {

// Without a request id. Errors: those of JobService.Submit, but those of pool::Pool::on_submit.
net::Async<Result<Submission>> prepare_submission(Parts& parts, v1::JobSpec spec, DeviceId device);

// Takes the job; its inputs are then its device's. Errors: those of Engine::submit.
net::Async<Result<JobId>> submit(Parts& parts, Submission submission);

// Who asked for the job. Errors: kNotFound, also if it may not be seen.
net::Async<Result<DeviceId>> owner_of(Parts& parts, JobId id, Visibility visible);

}  // namespace hearth::hub
