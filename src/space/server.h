// Space on this PC for others' backups, served below /space/ by restic's REST protocol: each to whom some has been
// granted reaches his own and no other's. What lies there is ciphertext to this PC. A hub serves its devices' (by their
// numbers), a node its pool's (node/tunnels.h).
//
//   DIRECTORY/NAME/grant        what this PC's owner wrote (core/drive/space.h); looked at with each request
//   DIRECTORY/NAME/repository/  config, data/, index/, keys/, locks/, snapshots/; and new/, what is being received
//
// A file is there whole or not at all, holds what its name says (SHA-256), and is on the disk when it is acknowledged.
// On the loop's thread; files are touched by the workers.
#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <memory>
#include <string>
#include <string_view>

#include "core/drive/space.h"
#include "net/async.h"
#include "net/server.h"

namespace hearth::space {

class Server {
 public:
  static constexpr std::string_view kPrefix = "/space/";

  Server(std::filesystem::path directory, net::Workers& workers)
      : directory_(std::move(directory)), workers_(workers) {}

  static bool is_for(std::string_view path) { return path.starts_with(kPrefix); }

  // `name`: of whoever asks, who is in.
  net::Async<void> serve(net::Exchange& exchange, std::string name);

 private:
  struct Request {
    net::Exchange& exchange;
    drive::SpacePath path;
    drive::SpaceGrant grant;
    std::filesystem::path repository;
    std::shared_ptr<drive::SpaceUse> use;
  };

  struct Counted {
    std::uint64_t repository = 0;  // its inode; 0: none is there yet
    std::shared_ptr<drive::SpaceUse> use;
  };

  net::Async<Result<std::shared_ptr<drive::SpaceUse>>> use_of(const std::string& name,
                                                              const std::filesystem::path& repository);
  net::Async<void> make(Request& request);
  net::Async<void> list(Request& request);
  net::Async<void> read(Request& request);
  net::Async<void> receive(Request& request);
  net::Async<Result<bool>> store(Request& request, std::uint64_t length);
  net::Async<void> remove(Request& request);

  std::filesystem::path directory_;
  net::Workers& workers_;
  std::map<std::string, Counted> uses_;  // of those that have asked
};

}  // namespace hearth::space
