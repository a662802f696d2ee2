// The large blobs that each task of a job fetches: its image, and the files of its inputs. What placement prefers nodes
// by, and what swarms are for. Inputs of single tasks, and what comes from the jobs before it, are left out.
#pragma once

#include <functional>
#include <optional>
#include <vector>

#include "blob/blob_store.h"
#include "core/pool/pool.h"
#include "hearth/v1/types.pb.h"
#include "hub/engine.h"
#include "net/async.h"

namespace hearth::hub {

inline constexpr std::uint64_t kLargeBlobBytes = 4 << 20;
inline constexpr std::size_t kMaxLargeBlobs = pool::kMaxDataPerJob / 2;  // each may have two names

pool::DataId id_of(std::string_view name);  // of 8 bytes at least, or it is one of zeros
template <class Names>
std::vector<pool::DataId> ids_of(const Names& names) {
  std::vector<pool::DataId> ids;
  for (const std::string& name : names) ids.push_back(id_of(name));
  return ids;
}
std::vector<pool::DataId> ids_of(const google::protobuf::RepeatedPtrField<v1::Blob>& blobs);

// The tree's large files.
void add_large(const v1::Tree& tree, std::vector<v1::Blob>& large);

// Of these and the image the largest, each once; at most kMaxLargeBlobs.
std::vector<v1::Blob> largest(std::vector<v1::Blob> large, const std::optional<v1::Blob>& image);

// Finds out what the jobs fetch that were live when the hub began, one after the other until `is_over`.
net::Async<void> restore_job_data(net::Workers& workers, Engine& engine, blob::BlobStore& blobs,
                                  std::function<bool()> is_over);

}  // namespace hearth::hub
