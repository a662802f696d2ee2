#include "hub/job_blobs.h"

#include <fmt/format.h>

#include "blob/transfer.h"

namespace hearth::hub {
namespace {

constexpr std::uint32_t kTasksAtOnce = 1'000;
constexpr std::uint64_t kLoopBytes = 64 << 10;  // up to this size a tree in the page cache is read on the loop

}  // namespace

std::vector<v1::Blob> input_trees(const v1::JobSpec& spec) {
  std::vector<v1::Blob> trees;
  if (spec.has_inputs()) trees.push_back(spec.inputs());
  if (spec.has_inputs_by_task()) trees.push_back(spec.inputs_by_task());
  return trees;
}

net::Async<Result<void>> JobBlobs::walk(const store::JobRow& job, BlobWalk& walk) const {
  v1::JobSpec spec;
  if (!spec.ParseFromString(job.spec)) {
    co_return fail(Code::kDataLoss, fmt::format("the record of job {} cannot be read", job.request.id.value));
  }
  if (Result<void> walked = co_await walk_inputs(spec, walk); !walked) co_return walked;
  co_return co_await walk_outcomes(job, walk);
}

net::Async<Result<void>> JobBlobs::walk_inputs(const v1::JobSpec& spec, BlobWalk& walk) const {
  for (const v1::Blob& tree : input_trees(spec)) {
    if (Result<void> walked = co_await walk_tree(tree, walk); !walked) co_return walked;
  }
  co_return Result<void>();
}

net::Async<Result<void>> JobBlobs::walk_outcomes(const store::JobRow& job, BlobWalk& walk) const {
  for (std::uint32_t first = 0; first < job.request.tasks && !walk.is_over(); first += kTasksAtOnce) {
    Result<std::vector<store::TaskRow>> rows = co_await engine_.ask(
        [&](store::Store& store) { return store.load_tasks(job.request.id, first, kTasksAtOnce, false); });
    if (!rows) co_return std::unexpected(rows.error());
    for (const store::TaskRow& row : *rows) {
      v1::Outcome outcome;
      if (!outcome.ParseFromString(row.outcome)) {
        co_return fail(Code::kDataLoss, fmt::format("an outcome of job {} cannot be read", job.request.id.value));
      }
      if (outcome.has_log()) walk.take(outcome.log().sha256());
      if (!outcome.has_outputs()) continue;
      if (Result<void> walked = co_await walk_tree(outcome.outputs(), walk); !walked) co_return walked;
    }
  }
  co_return Result<void>();
}

net::Async<std::uint64_t> JobBlobs::bytes_of(const v1::Blob& tree) const {
  const std::string& digest = tree.sha256();
  std::optional<std::string> bytes = digest.size() == 32 ? blobs_.load_cached(digest, kLoopBytes) : std::nullopt;
  if (!bytes) {
    Result<std::string> read = co_await workers_.run([&] { return blobs_.load(digest, blob::kMaxTreeBytes); });
    if (read) bytes = std::move(*read);
  }
  v1::Tree files;
  std::uint64_t sum = 0;
  if (!bytes || !files.ParseFromString(*bytes)) co_return sum;
  for (const v1::TreeFile& file : files.files()) sum += file.blob().size();
  co_return sum;
}

net::Async<Result<void>> JobBlobs::walk_tree(const v1::Blob& tree, BlobWalk& walk) const {
  walk.take(tree.sha256());
  if (!walk.trees.insert(tree.sha256()).second) co_return Result<void>();
  Result<std::string> bytes = co_await workers_.run([&] { return blobs_.load(tree.sha256(), blob::kMaxTreeBytes); });
  if (!bytes) {
    const Code code = bytes.error().code;
    const bool out_of_reach = code == Code::kNotFound || code == Code::kDataLoss || code == Code::kResourceExhausted;
    co_return out_of_reach ? Result<void>() : fail(bytes, "a tree");
  }
  v1::Tree files;
  if (!files.ParseFromString(*bytes)) co_return Result<void>();
  for (const v1::TreeFile& file : files.files()) walk.take(file.blob().sha256());
  co_return Result<void>();
}

}  // namespace hearth::hub
