// The files that a job gives to each of its tasks alone: JobSpec.inputs_by_task, one tree for all of them, which may be
// large. It is fetched once, not by every task; the one that was asked for last stays,
// until no attempt is here.
#pragma once

#include <memory>
#include <vector>

#include "hearth/v1/types.pb.h"

namespace hearth::node {

class TaskInputs {
 public:
  // nullptr: it is to be fetched, and keep()t.
  std::shared_ptr<const v1::Tree> find(const v1::Blob& blob) const;
  std::shared_ptr<const v1::Tree> keep(const v1::Blob& blob, v1::Tree tree);

 private:
  v1::Blob blob_;
  std::shared_ptr<const v1::Tree> tree_;
};

// Those of one task, with their paths in its working directory. The tree's files are sorted by path. Takes time
// logarithmic in their number.
std::vector<v1::TreeFile> files_of_task(const v1::Tree& tree, std::uint32_t task);

}  // namespace hearth::node
