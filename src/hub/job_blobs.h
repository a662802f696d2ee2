// Which blobs belong to a job: the trees of its inputs and outputs, the files of those trees, and its tasks' logs. Read
// from its record and from the trees themselves, step by step beside the hub's other work.
#pragma once

#include <functional>
#include <string>
#include <unordered_set>

#include "blob/blob_store.h"
#include "hub/engine.h"
#include "net/async.h"

namespace hearth::hub {

// What is done with them.
struct BlobWalk {
  std::function<void(const blob::Digest&)> take;         // the same may come more than once
  std::function<bool()> is_over = [] { return false; };  // asked between steps
  std::unordered_set<blob::Digest> trees = {};           // read already: not read again
};

// The trees that are laid out for its tasks.
std::vector<v1::Blob> input_trees(const v1::JobSpec& spec);

class JobBlobs {
 public:
  JobBlobs(net::Workers& workers, Engine& engine, blob::BlobStore& blobs)
      : workers_(workers), engine_(engine), blobs_(blobs) {}

  // Errors: kDataLoss (a record cannot be read); of the disk.
  net::Async<Result<void>> walk(const store::JobRow& job, BlobWalk& walk) const;
  net::Async<Result<void>> walk_inputs(const v1::JobSpec& spec, BlobWalk& walk) const;

  // What a tree that is not here, damaged or none at all would list belongs to nobody.
  net::Async<Result<void>> walk_tree(const v1::Blob& tree, BlobWalk& walk) const;

 private:
  net::Async<Result<void>> walk_outcomes(const store::JobRow& job, BlobWalk& walk) const;

  net::Workers& workers_;
  Engine& engine_;
  blob::BlobStore& blobs_;
};

}  // namespace hearth::hub
