// Space on this PC that its owner has granted to another device for its backups: what may be asked of it, and how full
// it may get. Pure. What lies there is a repository of restic's, ciphertext to this PC, and what is asked is restic's
// REST protocol (restic.readthedocs.io, "REST Backend").
//
//   const Result<SpacePath> path = parse_space_path("/space/data/5b0a...");
//   check_space_request(grant, "DELETE", *path)    // kPermissionDenied, where nothing may be removed
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "base/result.h"

namespace hearth::drive {

// Of the disk, for the hub's own records and whatever else the PC writes.
inline constexpr std::uint64_t kKeptFree = 256ULL << 20;

// As its owner's file says it: "214748364800", or "214748364800 append-only".
struct SpaceGrant {
  std::uint64_t bytes = 0;
  bool append_only = false;  // of what is there nothing is replaced or removed, but locks
  bool operator==(const SpaceGrant&) const = default;
};
Result<SpaceGrant> parse_space_grant(std::string_view text);

// What restic keeps there. Every file but the config is named by the SHA-256 of what it holds.
inline constexpr std::string_view kSpaceFolders[] = {"data", "index", "keys", "locks", "snapshots"};

// One request is for the whole, the config, a folder's list, or one file of it.
struct SpacePath {
  std::string folder;  // one of kSpaceFolders; empty: the whole, or the config
  std::string name;    // 64 lower-case hexadecimal digits, or "config"; empty: the whole, or the folder's list
  bool operator==(const SpacePath&) const = default;

  bool is_file() const { return !name.empty(); }
  bool is_config() const { return folder.empty() && !name.empty(); }
};
// Below "/space/". Errors: kNotFound (nothing else lies there).
Result<SpacePath> parse_space_path(std::string_view path);

// Whether the method is one of the protocol's for that path, and granted. Errors: kUnimplemented, kPermissionDenied.
Result<void> check_space_request(const SpaceGrant& grant, std::string_view method, const SpacePath& path);

// No file of restic's is larger, whatever it is told to make.
inline constexpr std::uint64_t kMaxSpaceFile = 256ULL << 20;

// How much lies there and is on its way; together never more than is granted.
class SpaceUse {
 public:
  explicit SpaceUse(std::uint64_t held = 0) : held_(held) {}

  // Sets room aside for a file. Errors: kResourceExhausted, with how much there is.
  Result<void> reserve(std::uint64_t bytes, const SpaceGrant& grant);
  // What was set aside for it is free again; the file is there or not.
  void settle(std::uint64_t bytes, bool is_there);
  void removed(std::uint64_t bytes);
  std::uint64_t held() const { return held_; }

 private:
  std::uint64_t held_ = 0;
  std::uint64_t coming_ = 0;
};

}  // namespace hearth::drive
