// What one sandbox has of the disk: a directory in the vault for its working directory, one for its /tmp.
#pragma once

#include <filesystem>
#include <memory>

#include "base/result.h"

namespace hearth::sandbox {

class ScratchDisk {
 public:
  // Makes `path`, which must not exist yet. Errors: of the disk.
  static Result<std::unique_ptr<ScratchDisk>> make(const std::filesystem::path& path);
  explicit ScratchDisk(std::filesystem::path path) : path_(std::move(path)) {}
  ~ScratchDisk();  // removes all of it; nobody works in it any more
  ScratchDisk(const ScratchDisk&) = delete;
  ScratchDisk& operator=(const ScratchDisk&) = delete;

  std::filesystem::path job() const { return path_ / "job"; }
  std::filesystem::path tmp() const { return path_ / "tmp"; }
  const std::filesystem::path& path() const { return path_; }

 private:
  std::filesystem::path path_;
};

}  // namespace hearth::sandbox
