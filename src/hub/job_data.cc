#include "hub/job_data.h"

#include <algorithm>

#include "blob/transfer.h"

namespace hearth::hub {
namespace {}  // namespace

pool::DataId id_of(std::string_view name) {
  pool::DataId id;
  if (name.size() < sizeof id.value) return id;
  for (const char byte : name.substr(0, sizeof id.value)) id.value = id.value << 8 | static_cast<unsigned char>(byte);
  return id;
}

std::vector<pool::DataId> ids_of(const google::protobuf::RepeatedPtrField<v1::Blob>& blobs) {
  std::vector<pool::DataId> ids;
  for (const v1::Blob& blob : blobs) ids.push_back(id_of(blob.sha256()));
  return ids;
}

void add_large(const v1::Tree& tree, std::vector<v1::Blob>& large) {
  for (const v1::TreeFile& file : tree.files()) {
    if (file.blob().size() >= kLargeBlobBytes) large.push_back(file.blob());
  }
}

std::vector<v1::Blob> largest(std::vector<v1::Blob> large, const std::optional<v1::Blob>& image) {
  if (image && image->size() >= kLargeBlobBytes) large.push_back(*image);
  std::ranges::sort(large, {},
                    [](const v1::Blob& blob) { return std::pair(~blob.size(), std::string_view(blob.sha256())); });
  const auto same = [](const v1::Blob& a, const v1::Blob& b) { return a.sha256() == b.sha256(); };
  large.erase(std::ranges::unique(large, same).begin(), large.end());
  if (large.size() > kMaxLargeBlobs) large.resize(kMaxLargeBlobs);
  return large;
}

net::Async<void> restore_job_data(net::Workers& workers, Engine& engine, blob::BlobStore& blobs,
                                  std::function<bool()> is_over) {
  std::vector<JobId> jobs;
  for (const auto& [id, job] : engine.live_jobs()) {
    if (job.spec.has_inputs() || job.environment) jobs.push_back(id);
  }
  for (const JobId id : jobs) {
    const LiveJob* job = engine.live_job(id);
    if (is_over()) co_return;
    if (job == nullptr) continue;
    std::vector<v1::Blob> large;
    if (job->spec.has_inputs()) {
      const std::string tree = job->spec.inputs().sha256();
      const Result<std::string> bytes = co_await workers.run([&] { return blobs.load(tree, blob::kMaxTreeBytes); });
      v1::Tree files;
      if (bytes && files.ParseFromString(*bytes)) add_large(files, large);
    }
    job = engine.live_job(id);
    if (job != nullptr) engine.set_data(id, largest(std::move(large), job->environment));
  }
}

}  // namespace hearth::hub
