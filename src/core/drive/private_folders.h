// Which of the folders at the drive's top are some people's own: a home folder is one person's, a shared one several
// people's; a person is an account of the pool. All other folders, and files at the top, are everybody's. A private
// folder may have a limit. Pure.
//
//   PrivateFolders folders;
//   folders.set({.name = "mia", .people = {"mia"}, .max_bytes = 200 * kGiB});
//   folders.closed_to("tom")               // {"mia"}
#pragma once

#include <cstdint>
#include <map>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "core/drive/path.h"

namespace hearth::drive {

using FolderNames = std::set<std::string, std::less<>>;

struct PrivateFolder {
  std::string name;                 // at the drive's top
  std::vector<std::string> people;  // one at least, each once; names of accounts, which may have ended
  std::uint64_t max_bytes = 0;      // of the files in it; 0: no limit but the disk's

  bool operator==(const PrivateFolder&) const = default;
};

class PrivateFolders {
 public:
  static constexpr std::size_t kMost = 500;
  static constexpr std::size_t kMostPeople = 100;

  // Makes it private, or changes whose it is. Errors: kInvalidArgument (its name, nobody, somebody twice or with a
  // control character in his name), kResourceExhausted.
  Result<void> set(PrivateFolder folder);
  // It is everybody's again. Errors: kNotFound.
  Result<void> open_to_all(std::string_view name);

  const PrivateFolder* find(std::string_view name) const;
  const PrivateFolder* around(const Path& path) const;  // the one that a path is, or lies in
  const std::map<std::string, PrivateFolder, std::less<>>& all() const { return folders_; }

  FolderNames names() const;
  FolderNames closed_to(std::string_view person) const;  // empty: somebody who is in no account

  // As it is kept on the disk: a line of each, its fields separated by tabs.
  std::string encode() const;
  // Errors: kDataLoss, naming the line.
  static Result<PrivateFolders> decode(std::string_view text);

  bool operator==(const PrivateFolders&) const = default;

 private:
  std::map<std::string, PrivateFolder, std::less<>> folders_;
};

}  // namespace hearth::drive
