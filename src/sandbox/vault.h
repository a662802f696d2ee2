// A directory on this PC's disk under a key that exists in memory only, for what does not fit into memory and may not
// lie on a disk in clear. It is gocryptfs's: contents and names are encrypted, sizes and times can be seen.
//
// The key is made here, given to gocryptfs through a descriptor, and never written anywhere: even the file in which
// gocryptfs keeps its own key, under that one, lies in memory until it has been read. What a crash leaves can be read
// by nobody.
#pragma once

#include <filesystem>
#include <memory>
#include <utility>

#include "base/result.h"
#include "sandbox/fd.h"

namespace hearth::sandbox {

class Vault {
 public:
  struct Places {
    std::filesystem::path cipher;  // on the disk; emptied, made anew
    std::filesystem::path where;   // where it is seen: a directory that does not exist yet
    std::filesystem::path memory;  // a directory in memory, for moments
  };

  // Errors: kFailedPrecondition (what is missing, and the remedy), of the disk. Blocks for about 0.3 s.
  static Result<std::unique_ptr<Vault>> open(const Places& places);
  Vault(Places places, Fd keeper, Fd said)
      : places_(std::move(places)), keeper_(std::move(keeper)), said_(std::move(said)) {}
  ~Vault();
  Vault(const Vault&) = delete;
  Vault& operator=(const Vault&) = delete;

  const std::filesystem::path& where() const { return places_.where; }

 private:
  Places places_;
  Fd keeper_;  // gocryptfs
  Fd said_;    // what it says; it would die of words that nobody can hear
};

}  // namespace hearth::sandbox
