#include "hub/submission.h"

#include <fmt/format.h>

#include "base/bytes.h"
#include "blob/transfer.h"
#include "hub/drive_inputs.h"
#include "hub/drive_results.h"
#include "hub/job_blobs.h"
#include "hub/job_data.h"
#include "hub/lighthouse.h"
#include "hub/spec.h"

namespace hearth::hub {
namespace {

constexpr const char* kNoInputs = "inputs: the tree was not uploaded (PUT /blob/SHA256 first)";

std::unexpected<Error> no_content(const v1::TreeFile& file) {
  return fail(Code::kFailedPrecondition, fmt::format("inputs: the content of '{}' was not uploaded", file.path()));
}

// Blocks.
Result<v1::Tree> load_inputs(blob::BlobStore& blobs, const v1::Blob& inputs) {
  blobs.has(inputs.sha256());  // so that it stays until the job refers to it
  Result<std::string> bytes = blobs.load(inputs.sha256(), blob::kMaxTreeBytes);
  if (!bytes) {
    return fail(bytes.error().code == Code::kNotFound ? Code::kFailedPrecondition : bytes.error().code, kNoInputs);
  }
  v1::Tree tree;
  if (!tree.ParseFromString(*bytes)) return fail(Code::kInvalidArgument, "inputs: the blob is no Tree");
  if (Result<void> checked = blob::check_tree(tree); !checked) return fail(checked, "inputs");
  return tree;
}

// Every input is here, so that a task never starts only to find that something is missing. Blocks.
Result<void> check_inputs(blob::BlobStore& blobs, const v1::JobSpec& spec, std::vector<v1::Blob>& large) {
  for (const v1::Blob& inputs : input_trees(spec)) {
    Result<v1::Tree> tree = load_inputs(blobs, inputs);
    if (!tree) return std::unexpected(tree.error());
    for (const v1::TreeFile& file : tree->files()) {
      if (!blobs.has(file.blob().sha256())) return no_content(file);
    }
    if (spec.has_inputs_by_task() && inputs.sha256() == spec.inputs_by_task().sha256()) {
      if (Result<void> checked = check_inputs_by_task(*tree, spec.tasks()); !checked) return checked;
    } else {
      add_large(*tree, large);
    }
  }
  return {};
}

// What a device may not fetch it does not come to by naming it in a job either: it is as if that had not been uploaded.
net::Async<Result<void>> check_own_inputs(Parts& parts, v1::Blob inputs, DeviceId device) {
  if (parts.devices.visible_to(device).is_whole()) co_return Result<void>();
  Result<bool> may = co_await parts.access.may_fetch(device, inputs.sha256());
  if (may && !*may) co_return fail(Code::kFailedPrecondition, kNoInputs);
  if (!may) co_return std::unexpected(may.error());
  Result<v1::Tree> tree = co_await parts.workers.run([&] { return load_inputs(parts.blobs, inputs); });
  if (!tree) co_return std::unexpected(tree.error());
  for (const v1::TreeFile& file : tree->files()) {
    may = co_await parts.access.may_fetch(device, file.blob().sha256());
    if (may && !*may) co_return no_content(file);
    if (!may) co_return std::unexpected(may.error());
  }
  co_return Result<void>();
}

// A job sees the outputs of those that it runs after.
net::Async<Result<void>> check_after(Parts& parts, const v1::JobSpec& spec, Visibility visible) {
  if (visible.is_whole()) co_return Result<void>();
  for (const std::uint64_t id : spec.after()) {
    Result<DeviceId> owner = co_await owner_of(parts, {id}, visible);
    if (!owner && owner.error().code == Code::kNotFound)
      co_return fail(Code::kNotFound,
                     fmt::format("there is no job {} to run after; those that there are: hearth jobs", id));
    if (!owner) co_return std::unexpected(owner.error());
  }
  co_return Result<void>();
}

// Asked for, so that it is wanted: from here on the job keeps it, whatever becomes of the name.
Result<std::optional<v1::Blob>> find_environment(Parts& parts, const v1::JobSpec& spec) {
  Result<std::optional<v1::Blob>> environment = parts.environments.resolve(spec);
  if (!environment || !*environment || parts.blobs.has((*environment)->sha256())) return environment;
  return fail(Code::kFailedPrecondition,
              fmt::format("environment: the image of '{}' is gone; make it again: hearth env build {}",
                          spec.environment(), spec.environment()));
}

net::Async<Result<void>> check_all_inputs(Parts& parts, const v1::JobSpec& spec, DeviceId device,
                                          std::vector<v1::Blob>& large) {
  const std::vector<v1::Blob> trees = input_trees(spec);
  for (const v1::Blob& tree : trees) {
    if (Result<void> own = co_await check_own_inputs(parts, tree, device); !own) co_return own;
  }
  if (trees.empty()) co_return Result<void>();
  co_return co_await parts.workers.run([&] { return check_inputs(parts.blobs, spec, large); });
}

}  // namespace

// Who asked for the job. Errors: kNotFound, also if it may not be seen.
net::Async<Result<DeviceId>> owner_of(Parts& parts, JobId id, Visibility visible) {
  DeviceId owner;
  if (const LiveJob* live = parts.engine.live_job(id)) {
    owner = live->row.request.owner;
  } else {
    Result<std::optional<store::JobRow>> row =
        co_await parts.engine.ask([&](store::Store& store) { return store.load_job(id); });
    if (!row) co_return std::unexpected(row.error());
    if (!*row) co_return no_job(id);
    owner = (*row)->request.owner;
  }
  if (!visible.covers(owner)) co_return no_job(id);
  co_return owner;
}

net::Async<Result<Submission>> prepare_submission(Parts& parts, v1::JobSpec spec, DeviceId device) {
  if (Result<void> completed = complete_spec(spec); !completed) co_return std::unexpected(completed.error());
  if (const std::string lack = spec.net_gang() ? lighthouse_lack() : std::string(); !lack.empty()) {
    co_return fail(Code::kFailedPrecondition, "net_gang: " + lack);
  }
  Result<void> after = co_await check_after(parts, spec, parts.devices.visible_to(device));
  if (!after) co_return std::unexpected(after.error());
  if (Result<void> taken = co_await take_drive_inputs(parts, spec, device); !taken)
    co_return std::unexpected(taken.error());
  std::vector<v1::Blob> large;
  Result<void> inputs = co_await check_all_inputs(parts, spec, device, large);
  if (!inputs) co_return std::unexpected(inputs.error());
  Result<std::optional<v1::Blob>> environment = find_environment(parts, spec);
  if (!environment) co_return std::unexpected(environment.error());
  const store::DeviceRow* row = parts.devices.find_active(device);
  if (row == nullptr) co_return fail(Code::kUnauthenticated, "this device was taken out of the pool");
  if (Result<void> allowed = check_standing(spec, row->ring); !allowed) co_return std::unexpected(allowed.error());
  if (spec.has_workspace() && row->ring != Ring::kHome) {
    co_return fail(
        Code::kPermissionDenied,
        fmt::format("workspace: this device is of ring {}, and workspaces lie on the disk of somebody's PC, for "
                    "home alone; an owner may say: hearth devices ring NAME home",
                    name_of(row->ring)));
  }
  std::vector<v1::Blob> data = largest(std::move(large), *environment);
  co_return Submission{.owner = device,
                       .ring = row->ring,
                       .account = row->account,
                       .spec = std::move(spec),
                       .request_id = {},
                       .environment = std::move(*environment),
                       .data = std::move(data)};
}

net::Async<Result<JobId>> submit(Parts& parts, Submission submission) {
  const DeviceId owner = submission.owner;
  const std::vector<v1::Blob> trees = input_trees(submission.spec);
  const bool is_for_drive = !submission.spec.drive_outputs().empty();
  Result<JobId> id = co_await parts.engine.submit(std::move(submission));
  if (!id) co_return id;
  // Where this fails nobody hears of the job: who asks again, with the same request id, hears of that one.
  if (Result<void> marked = is_for_drive ? co_await parts.results->expect(*id) : Result<void>(); !marked) {
    co_return fail(marked, "drive_outputs");
  }
  for (const v1::Blob& tree : trees) parts.access.taken(owner, tree);
  co_return id;
}

}  // namespace hearth::hub
