// Small pictures on the disk, in the drive's own folder "thumbs": each in a file named by what its picture is, so that
// a changed picture gets another. Also that there is none is kept. Those used longest ago go where it becomes too much.
//
//   ThumbnailStore store;
//   store.open(folder);
//   store.keep(name, pictures::answer_of(seen));
//   std::optional<std::string> answer = store.find(name);
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>

#include "base/result.h"
#include "drive/folder.h"

namespace hearth::drive {

// Blocks. One thread at a time; once it is open, find() by any.
class ThumbnailStore {
 public:
  static constexpr std::uint64_t kUsualLimit = 256ULL << 20;

  // Errors: of the disk. Does nothing when it is open.
  Result<void> open(const Folder& folder);

  // Digits, letters and '-' of the etag, and the size.
  static std::string name_of(std::string_view etag, std::uint32_t size);

  // What was kept, of at most pictures::kMaxAnswerBytes; it may be damaged.
  std::optional<std::string> find(const std::string& name) const;
  Result<void> keep(const std::string& name, std::string_view answer);

  // Of all that is kept together, in bytes.
  void set_limit(std::uint64_t bytes) { limit_ = bytes; }
  std::uint64_t bytes() const { return bytes_; }

 private:
  void make_room();

  std::filesystem::path folder_;
  std::uint64_t bytes_ = 0;
  std::uint64_t limit_ = kUsualLimit;
};

}  // namespace hearth::drive
