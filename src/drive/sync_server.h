// What the drive tells and takes from those that keep a folder the same as one of its own (`hearth drive sync`), below
// /sync/: whole trees, many small files with one request, and of large ones what has changed. The bodies are
// core/sync/wire.h's; each request names a folder of the drive, or a file, as ?path=.
//
//   GET /sync/tree       all below a folder, as it is found: no moment's picture
//   POST /sync/read      files of up to 1 MiB, 256 at most
//   POST /sync/hash      of such files the SHA-256
//   POST /sync/changes   256 at most; what is acknowledged is on the disk
//   GET /sync/chunks     what a file consists of (If-Match); its memory does not grow with the file
//   PUT /sync/delta      a file anew (If-Match), by parts of the one before; whole, or as it was. &modified=,
//   &executable=1: milliseconds
//                        since 1970
#pragma once

#include <string_view>

#include "core/drive/scope.h"
#include "core/sync/wire.h"
#include "drive/drive.h"
#include "net/async.h"
#include "net/server.h"

namespace hearth::drive {

class SyncServer {
 public:
  static constexpr std::string_view kPrefix = "/sync/";

  explicit SyncServer(Drive& drive) : drive_(drive) {}

  static bool is_for(std::string_view path) { return path.starts_with(kPrefix); }

  // `caller`: who asks; he has been let in, to `scope`, whose root is the drive's.
  net::Async<void> serve(net::Exchange& exchange, Holder caller, Scope scope = {});

 private:
  struct Request {
    net::Exchange& exchange;
    const Scope& scope;
    Path path;
    Holder holder;
    Folder& folder;
  };
  struct Sending;

  net::Async<void> tree(Request& request);
  net::Async<void> read(Request& request, bool as_hash);
  net::Async<void> chunks(Request& request);
  net::Async<void> change(Request& request);
  net::Async<std::vector<sync::Outcome>> carry_out(Request& request, const std::vector<sync::Change>& changes);
  net::Async<sync::Outcome> make_folder(Request& request, const sync::Change& change);
  net::Async<sync::Outcome> remove(Request& request, const sync::Change& change);
  net::Async<void> place(Request& request, std::vector<Arriving> files, std::vector<sync::Outcome*> outcomes);
  net::Async<void> delta(Request& request);
  net::Async<Result<Incoming>> rebuild(Request& request, const Fd& before);

  Drive& drive_;
};

}  // namespace hearth::drive
