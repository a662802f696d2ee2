// The drive's side of a synchronized folder: its calls below /sync/ and /dav/, by a session of this device. All
// functions block, and run the loop meanwhile. Errors of all: kUnavailable, kUnauthenticated; those of the drive, as
// its HTTP status says; kInternal (an answer that makes no sense).
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "account/account.h"
#include "base/result.h"
#include "core/sync/wire.h"
#include "net/async.h"
#include "sync/local_folder.h"

namespace hearth::sync {

class RemoteFolder {
 public:
  // `folder`: of the drive, "/photos".
  RemoteFolder(net::Loop& loop, account::Session& session, std::string folder)
      : loop_(loop), session_(session), folder_(std::move(folder)) {}

  const std::string& folder() const { return folder_; }

  // Makes the folder itself, and those above it, where they are not there.
  Result<void> make();

  // All below it, by path. Errors: kNotFound (the folder is not there), kDataLoss (not all could be read).
  Result<std::map<std::string, Listed>> tree();
  Result<std::vector<Outcome>> change(const std::vector<Change>& changes);
  Result<std::vector<Given>> read(const std::vector<Wanted>& wanted) { return give("read", wanted); }
  Result<std::vector<Given>> hash(const std::vector<Wanted>& wanted) { return give("hash", wanted); }

  Result<ChunkList> chunks(const Wanted& file);
  Result<std::string> range(const Wanted& file, std::uint64_t first, std::uint64_t count);
  // The etag that it has now. `etag`: of what it replaces; empty: of nothing.
  Result<std::string> put(const Wanted& file, int from, const Seen& seen);
  Result<std::string> put_delta(const Wanted& file, int delta, std::uint64_t bytes, const Seen& seen);

  std::uint64_t bytes_sent() const { return sent_; }  // of bodies
  std::uint64_t bytes_received() const { return received_; }

 private:
  Result<net::Response> ask(const std::string& method, const std::string& target, const std::string& body,
                            const std::string& match = {}, const std::string& range = {});
  Result<net::Response> send(const std::string& target, net::Headers headers, int file, std::uint64_t bytes);
  Result<net::Headers> headers(bool fresh);
  Result<std::vector<Given>> give(const std::string& what, const std::vector<Wanted>& wanted);
  std::string target(const std::string& call, const std::string& path) const;
  std::string dav_target(const std::string& path) const;
  std::string place(const std::string& path) const;

  net::Loop& loop_;
  account::Session& session_;
  std::string folder_;
  std::uint64_t sent_ = 0;
  std::uint64_t received_ = 0;
};

}  // namespace hearth::sync
