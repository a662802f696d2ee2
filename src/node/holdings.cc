#include "node/holdings.h"

#include <algorithm>
#include <utility>

namespace hearth::node {
namespace {

v1::Blob make_blob(const std::string& sha256, std::uint64_t size) {
  v1::Blob blob;
  blob.set_sha256(sha256);
  blob.set_size(size);
  return blob;
}

}  // namespace

std::vector<std::uint64_t> Holdings::sizes() const {
  return {images_.bytes(), inputs_.bytes(), environments_.bytes(), swarms_.held().size(), swarms_.bytes()};
}

std::vector<v1::Blob> Holdings::look() const {
  std::map<std::string, std::uint64_t> here;
  for (const blob::BlobStore* store : {&images_, &inputs_}) {
    for (const auto& [digest, size] : store->largest(kMost, kLargeBytes)) here.emplace(digest, size);
  }
  for (const v1::Blob& image : environments_.images()) {
    if (image.size() >= kLargeBytes) here.emplace(image.sha256(), image.size());
  }
  for (const v1::Blob& swarm : swarms_.held()) here.emplace(swarm.sha256(), swarm.size());
  std::vector<v1::Blob> blobs;
  for (const auto& [digest, size] : here) blobs.push_back(make_blob(digest, size));
  std::ranges::sort(blobs, {}, [](const v1::Blob& blob) { return ~blob.size(); });
  if (blobs.size() > kMost) blobs.resize(kMost);
  return blobs;
}

std::vector<v1::Blob> Holdings::all() {
  seen_ = sizes();
  told_.clear();
  std::vector<v1::Blob> blobs = look();
  for (const v1::Blob& blob : blobs) told_.emplace(blob.sha256(), blob.size());
  return blobs;
}

std::optional<v1::DataChange> Holdings::changes() {
  if (sizes() == seen_) return std::nullopt;
  const std::map<std::string, std::uint64_t> before = std::exchange(told_, {});
  v1::DataChange change;
  for (const v1::Blob& blob : all()) {
    if (!before.contains(blob.sha256())) *change.add_added() = blob;
  }
  for (const auto& [digest, size] : before) {
    if (!told_.contains(digest)) change.add_removed(digest);
  }
  if (change.added_size() + change.removed_size() == 0) return std::nullopt;
  return change;
}

}  // namespace hearth::node
