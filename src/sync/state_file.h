// What a synchronized folder remembers, on the disk. It may lag behind what has been done: see core/sync/state.h. What
// it notes must be on the disk before.
//
//   Result<StateFile> file = StateFile::open(folder.own("state"));
//   if (!file->is_bound()) file->bind({.hub = identity, .folder = "/photos"});
//   file->note("a.jpg", known);
//   file->flush();
#pragma once

#include <filesystem>
#include <string>

#include "base/result.h"
#include "core/sync/state.h"

namespace hearth::sync {

class StateFile {
 public:
  // Of a folder that has none yet: not bound. Errors: kDataLoss (it is damaged, and what to do), of the disk.
  static Result<StateFile> open(std::filesystem::path file);

  bool is_bound() const { return !state_.binding.folder.empty(); }
  void bind(Binding binding);

  const State& state() const { return state_; }
  void note(const std::string& path, Known known);
  void forget(const std::string& path);

  Result<void> flush();   // what has been noted since is kept, unless this PC loses its power
  Result<void> finish();  // and though it does; written anew where that makes it much shorter

 private:
  explicit StateFile(std::filesystem::path file) : file_(std::move(file)) {}
  Result<void> write_anew();

  std::filesystem::path file_;
  State state_;
  std::string pending_;
  bool is_dirty_ = false;
  bool is_new_ = true;
};

}  // namespace hearth::sync
