// The write locks that WebDAV's clients hold on the drive's files and folders (RFC 4918, sections 6 and 7): who may
// change what while others have said that they work on it. Pure: what time it is, it is told.
//
//   LockTable locks;
//   Result<Lock> mine = locks.lock({.token = ..., .root = report, .holder = laptop, .expires = ...}, now);
//   locks.check({{.path = report}}, {.device = phone}, now);   // kAborted: "/report.odt is locked by Mia's laptop"
#pragma once

#include <cstdint>
#include <map>
#include <span>
#include <string>
#include <vector>

#include "base/ids.h"
#include "base/result.h"
#include "base/time.h"
#include "core/drive/path.h"

namespace hearth::drive {

struct Lock {
  std::string token;  // "urn:uuid:...", never that of another lock
  Path root;
  bool deep = false;  // with everything below the root (Depth: infinity)
  bool shared = false;
  DeviceId holder;          // nobody else can use the token
  std::string holder_name;  // for messages
  std::string owner;        // what the client says of itself, as XML
  WallTime expires;

  bool operator==(const Lock&) const = default;
};

// Who asks, and the tokens that the request names.
struct Holder {
  DeviceId device;
  std::string name;
  std::vector<std::string> tokens;
};

// What a change reaches.
struct Touched {
  enum class Reach : std::uint8_t {
    kItself,  // what it holds
    kName,    // and its name in the folder above: it comes to be there
    kTree,    // and all below: it goes from there, or something takes its place
  };
  Path path;
  Reach reach = Reach::kItself;
};

class LockTable {
 public:
  static constexpr std::size_t kMaxLocks = 2'000;
  static constexpr std::size_t kMaxLocksOfHolder = 500;
  static constexpr std::size_t kMaxOwnerBytes = 2'048;
  static constexpr Duration kMaxTime = minutes(60);  // from now; a lock may be refreshed for as long as one likes

  // Errors: kAborted (another lock is in the way), kResourceExhausted (too many), kInvalidArgument (owner too long).
  Result<Lock> lock(Lock wanted, WallTime now);

  // Lets the holder's lock that covers `path` and is among his tokens live until `expires`. Errors:
  // kFailedPrecondition (there is none).
  Result<Lock> refresh(const Path& path, const Holder& holder, WallTime expires, WallTime now);

  // Errors: kNotFound (no such lock covers `path`), kPermissionDenied (another's).
  Result<void> unlock(const Path& path, const std::string& token, DeviceId holder, WallTime now);

  // Whether the change may be made. Errors: kAborted, naming the lock in the way and its holder.
  Result<void> check(std::span<const Touched> touched, const Holder& holder, WallTime now) const;

  // Those on `path`, or deep on a folder above it.
  std::vector<Lock> covering(const Path& path, WallTime now) const;

  // Drops the locks on `path` and below: what was there has gone.
  void forget(const Path& path);
  void release(DeviceId holder);  // all of his

  bool empty() const { return locks_.empty(); }
  std::vector<Lock> all() const;  // for keeping; those that have run out, too, until something else is asked
  std::uint64_t changes() const { return changes_; }  // grows with every change of all()

 private:
  using Locks = std::multimap<Path, Lock>;  // by root: a folder's subtree is one range

  void drop_ended(WallTime now);
  std::vector<const Lock*> find_covering(const Path& path, WallTime now) const;
  Result<void> check_one(const Path& path, const Holder& holder, WallTime now) const;
  Result<void> check_below(const Path& path, const Holder& holder, WallTime now) const;

  Locks locks_;
  std::uint64_t changes_ = 0;
};

}  // namespace hearth::drive
