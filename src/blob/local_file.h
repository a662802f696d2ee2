// Files of this machine on their way out and in. All functions block.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <string_view>
#include <utility>

#include "base/fd.h"
#include "base/result.h"

namespace hearth::blob {

struct HashedFile {
  std::string sha256;
  std::uint64_t size = 0;
  bool executable = false;
  std::int64_t modified_nanos = 0;
};

std::unexpected<Error> fail_changed(const std::filesystem::path& source);

// Errors: kNotFound, kPermissionDenied, kInvalidArgument (no regular file), kAborted (it changed meanwhile).
Result<HashedFile> hash_file(const std::filesystem::path& source);

// The file, if size and time of change are those that were hashed. Errors: as above.
Result<Fd> open_unchanged(const std::filesystem::path& source, const HashedFile& hashed);
Result<std::string> read_unchanged(const std::filesystem::path& source, const HashedFile& hashed);

// A file that appears at its destination with commit(), or not at all.
class NewFile {
 public:
  static Result<NewFile> create(std::filesystem::path destination, bool executable);
  NewFile(NewFile&&) noexcept = default;
  NewFile& operator=(NewFile&&) = delete;
  ~NewFile();

  Result<void> write(std::string_view bytes);
  Result<void> commit();

 private:
  NewFile(Fd file, std::filesystem::path temporary, std::filesystem::path destination)
      : file_(std::move(file)), temporary_(std::move(temporary)), destination_(std::move(destination)) {}

  Fd file_;
  std::filesystem::path temporary_;  // empty once it is gone
  std::filesystem::path destination_;
};

// Writes all. Errors: kResourceExhausted (disk full), with `what` before the reason.
Result<void> write_all(int file, std::string_view bytes, std::string_view what);

}  // namespace hearth::blob
