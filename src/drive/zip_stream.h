// A folder, or some of what it holds, as a zip archive that is made while it is sent: stored, not compressed, in flat
// memory whatever its size. Zip64 where sizes ask for it; names in UTF-8; times of change.
//
//   auto zip = ZipStream::begin(folder, path, {"a.jpg", "2026"});
//   for (Result<std::string> piece = (*zip)->next(); piece && !piece->empty(); piece = (*zip)->next()) ...
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "drive/walk.h"

struct archive;

namespace hearth::drive {

// Blocks; any thread, one at a time.
class ZipStream {
 public:
  // `names`: of what lies in the folder; none: all of it. Errors: kNotFound, kFailedPrecondition (`path` is a file),
  // kInvalidArgument (a name), kPermissionDenied (one of `without`, which are as Walk's).
  static Result<std::unique_ptr<ZipStream>> begin(const Folder& folder, const Path& path,
                                                  const std::vector<std::string>& names,
                                                  const FolderNames& without = {});
  ZipStream(const ZipStream&) = delete;
  ZipStream& operator=(const ZipStream&) = delete;
  ~ZipStream();

  // Some 256 KiB more; empty: it is whole. Errors: a file or folder below could not be read, or changed meanwhile; the
  // archive is then of no use.
  Result<std::string> next();

 private:
  ZipStream(const Folder& folder, Path path);

  Result<void> advance();
  Result<void> begin_entry(const Path& path, const Entry& entry, Result<Fd> file);
  Result<void> send_file();
  Result<void> enter_next_name();
  Result<void> check(int outcome) const;

  const Folder& folder_;
  Path path_;
  archive* archive_;
  std::string out_;
  std::string buffer_;
  std::vector<Path> names_;  // still to be sent, the last one next
  std::optional<Walk> walk_;
  std::optional<Fd> file_;  // that is being sent
  std::uint64_t left_ = 0;  // of it
  std::string file_name_;
  bool is_whole_ = false;
};

}  // namespace hearth::drive
