#include "node/task_inputs.h"

#include <algorithm>
#include <string>

namespace hearth::node {

std::shared_ptr<const v1::Tree> TaskInputs::find(const v1::Blob& blob) const {
  return blob_.sha256() == blob.sha256() ? tree_ : nullptr;
}

std::shared_ptr<const v1::Tree> TaskInputs::keep(const v1::Blob& blob, v1::Tree tree) {
  blob_ = blob;
  tree_ = std::make_shared<const v1::Tree>(std::move(tree));
  return tree_;
}

std::vector<v1::TreeFile> files_of_task(const v1::Tree& tree, std::uint32_t task) {
  const std::string folder = std::to_string(task) + "/";
  std::vector<v1::TreeFile> files;
  for (auto file = std::ranges::lower_bound(tree.files(), folder, {}, &v1::TreeFile::path);
       file != tree.files().end() && file->path().starts_with(folder); ++file) {
    files.push_back(*file);
    files.back().set_path(file->path().substr(folder.size()));
  }
  return files;
}

}  // namespace hearth::node
