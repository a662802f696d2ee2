// The drive over HTTP, below /dav/: WebDAV class 1 (RFC 4918) for file managers and programs, and what a page or curl
// needs of HTTP itself: byte ranges, ETags, If-Match, If-None-Match.
//
//   WebDav drive(loop, workers, "/home/mia/Hearth");
//   co_await drive.serve(exchange);   // the caller has been let in
//
// There are no locks and no properties but those of the file system (PROPPATCH answers 403 for each): a client that
// insists on class 2 mounts the drive read-only.
#pragma once

#include <filesystem>
#include <memory>
#include <optional>

#include "drive/folder.h"
#include "net/async.h"
#include "net/server.h"

namespace hearth::drive {

class WebDav {
 public:
  static constexpr std::string_view kPrefix = "/dav";

  // The folder is made when somebody first asks for it. Reads and writes run on `workers`, changes of names on a worker
  // of its own, one at a time.
  WebDav(net::Loop& loop, net::Workers& workers, std::filesystem::path folder);

  static bool is_for(std::string_view path) { return path == kPrefix || path.starts_with("/dav/"); }

  net::Async<void> serve(net::Exchange& exchange);

  // What has lain in the trash for so long is erased, with the next request.
  static constexpr Duration kTrashKept = minutes(30 * 24 * 60);

 private:
  net::Async<Result<Folder*>> folder();
  net::Async<void> answer(net::Exchange& exchange, Folder& folder, const Path& path);
  net::Async<void> get(net::Exchange& exchange, Folder& folder, const Path& path);
  net::Async<void> put(net::Exchange& exchange, Folder& folder, const Path& path);
  net::Async<Result<Placed>> receive(net::Exchange& exchange, Folder& folder, const Path& path);
  net::Async<void> remove(net::Exchange& exchange, Folder& folder, const Path& path);
  net::Async<void> make_folder(net::Exchange& exchange, Folder& folder, const Path& path);
  net::Async<void> copy_or_move(net::Exchange& exchange, Folder& folder, const Path& path);
  net::Async<void> find_properties(net::Exchange& exchange, Folder& folder, const Path& path);
  net::Async<void> patch_properties(net::Exchange& exchange, Folder& folder, const Path& path);

  net::Loop& loop_;
  net::Workers& workers_;
  net::Workers names_{1};
  std::filesystem::path root_;
  std::unique_ptr<Folder> folder_;
  std::optional<Time> trash_looked_at_;
};

}  // namespace hearth::drive
