// A directory on this PC's disk under a key that exists in memory only, for what does not fit into memory and may not
// lie on a disk in clear. It is gocryptfs's: contents and names are encrypted, sizes and times can be seen.
//
// The key is made here, given to gocryptfs through a descriptor, and never written anywhere: even the file in which
// gocryptfs keeps its own key, under that one, lies in memory until it has been read. What a crash leaves can be read
// by nobody.
#pragma once

#include <filesystem>
#include <memory>
#include <mutex>
#include <utility>

#include "base/result.h"
#include "sandbox/fd.h"
#include "sandbox/mounts.h"

namespace hearth::sandbox {

class Vault {
 public:
  struct Places {
    std::filesystem::path cipher;  // on the disk; emptied, made anew
    std::filesystem::path where;   // where it is seen: a directory that does not exist yet
    std::filesystem::path memory;  // a directory in memory, for moments
    GuestUser user;                // whose all that lies there is, where guests are another user than this process's
  };

  // Errors: kFailedPrecondition (what is missing, and the remedy), of the disk. Blocks for about 0.3 s.
  static Result<std::unique_ptr<Vault>> open(const Places& places);
  Vault(Places places, Fd keeper, Fd said)
      : places_(std::move(places)), keeper_(std::move(keeper)), said_(std::move(said)) {}
  ~Vault();
  Vault(const Vault&) = delete;
  Vault& operator=(const Vault&) = delete;

  const std::filesystem::path& where() const { return places_.where; }
  bool has_died() const;  // what lies there cannot be reached any more

 private:
  Places places_;
  Fd keeper_;  // gocryptfs
  Fd said_;    // what it says; it would die of words that nobody can hear
};

// A Host's vault, opened when it is first asked for. Any thread; blocks as Vault::open().
class VaultOnDemand {
 public:
  explicit VaultOnDemand(Vault::Places places) : places_(std::move(places)) {}

  // Directories in it: of what sandboxes are shown, and of their own files. Errors: of Vault::open().
  Result<std::filesystem::path> shown() { return directory("shown"); }
  Result<std::filesystem::path> boxes() { return directory("boxes"); }

  bool is_open() const;
  bool has_died() const;

 private:
  Result<std::filesystem::path> directory(const char* name);

  const Vault::Places places_;
  mutable std::mutex mutex_;
  std::unique_ptr<Vault> vault_;  // guarded by mutex_
};

}  // namespace hearth::sandbox
