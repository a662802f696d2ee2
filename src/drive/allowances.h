// What the private folders with a limit hold (core/drive/allowance.h), so that nobody fills the disk for all. By any
// thread; may walk through a folder, which blocks.
#pragma once

#include <cstdint>
#include <map>
#include <mutex>
#include <optional>
#include <string>

#include "base/result.h"
#include "core/drive/allowance.h"
#include "core/drive/private_folders.h"

namespace hearth::drive {

class Folder;

class Allowances {
 public:
  void set(const PrivateFolders& folders);

  // Whether so many bytes more fit to where `path` is. Errors: kResourceExhausted, saying how much there is.
  Result<void> check(const Folder& folder, const Path& path, std::uint64_t bytes);
  // The same, and they are there from now on.
  Result<void> take(const Folder& folder, const Path& path, std::uint64_t bytes);

  // What there is room for where `path` is; nothing: it has no limit but the disk's.
  std::optional<Allowance> allowance(const Folder& folder, const Path& path);

 private:
  Allowance* find(const Path& path);
  Allowance::Verdict judge(const Folder& folder, const Path& path, std::uint64_t bytes, bool take);

  std::mutex mutex_;
  std::map<std::string, Allowance, std::less<>> folders_;
};

}  // namespace hearth::drive
