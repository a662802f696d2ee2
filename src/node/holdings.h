// What large blobs lie on this node, and ciphertexts of swarms, as the hub is told: all of them when a session opens,
// then what changes.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "blob/blob_store.h"
#include "hearth/v1/session.pb.h"
#include "node/environments.h"
#include "node/swarms.h"

namespace hearth::node {

class Holdings {
 public:
  static constexpr std::uint64_t kLargeBytes = 4 << 20;
  static constexpr std::size_t kMost = 256;

  Holdings(const blob::BlobStore& images, const blob::BlobStore& inputs, const Environments& environments,
           const Swarms& swarms)
      : images_(images), inputs_(inputs), environments_(environments), swarms_(swarms) {}

  // All of it, the largest first. From here on changes() counts.
  std::vector<v1::Blob> all();
  // Nothing: it is as it was told last.
  std::optional<v1::DataChange> changes();

 private:
  std::vector<v1::Blob> look() const;
  std::vector<std::uint64_t> sizes() const;

  const blob::BlobStore& images_;
  const blob::BlobStore& inputs_;
  const Environments& environments_;
  const Swarms& swarms_;
  std::map<std::string, std::uint64_t> told_;
  std::vector<std::uint64_t> seen_;  // of the stores: while they stay, so does what lies there
};

}  // namespace hearth::node
