// The drive over HTTP, below /dav/: WebDAV class 1 and 2 (RFC 4918) for file managers and programs, and what a page or
// curl needs of HTTP itself: byte ranges, ETags, If-Match, If-None-Match.
//
//   WebDav webdav(drive);
//   co_await webdav.serve(exchange, {.device = caller.device, .name = caller.device_name});   // he has been let in
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "core/drive/scope.h"
#include "core/drive/zip_turns.h"
#include "drive/drive.h"
#include "drive/if_header.h"
#include "net/async.h"
#include "net/server.h"

namespace hearth::drive {

class WebDav {
 public:
  static constexpr std::string_view kPrefix = "/dav";

  explicit WebDav(Drive& drive) : drive_(drive) {}

  static bool is_for(std::string_view path) { return path == kPrefix || path.starts_with("/dav/"); }

  // `caller`: who asks; his tokens are read from the request. `scope`: into what he has been let, and its URL.
  net::Async<void> serve(net::Exchange& exchange, Holder caller, Scope scope = {});

 private:
  struct Request {
    net::Exchange& exchange;
    const Scope& scope;
    Path path;
    Holder holder;
    IfHeader conditions;
    bool is_unmet = false;  // the conditions have been found not to hold

    const net::RequestHead& head() const { return exchange.head(); }
  };

  net::Async<void> answer(Request& request);
  // Whether the scope's rights go so far.
  static Result<void> check_rights(const Request& request);
  // Refuses by an error, with paths as the caller knows them.
  static net::Async<void> tell(Request& request, const Error& error);
  static net::Async<void> refuse_without_parent(Request& request);
  net::Async<void> get(Request& request);
  net::Async<Result<std::pair<Fd, Entry>>> read_by_worker(const Folder& folder, const Path& path,
                                                          const std::optional<std::string>& version);
  static bool asks_for_zip(const net::RequestHead& head);
  net::Async<void> send_zip(Request& request);
  net::Async<void> put(Request& request);
  net::Async<Result<Placed>> receive(Request& request);
  static net::Async<Result<std::size_t>> fill(net::Exchange& exchange, std::span<char> buffer);
  // Into arrival.file.
  net::Async<Result<void>> receive_large(Request& request, std::span<char> buffer, Arrival& arrival);
  // For whoever may add and not replace: "a (2).jpg" where the name is taken.
  static Result<Placed> place_beside(Folder& folder, Incoming file, const Request& request,
                                     Folder::NamedFolders& named);
  net::Async<void> remove(Request& request);
  net::Async<void> make_folder(Request& request);
  net::Async<void> copy_or_move(Request& request);
  net::Async<Result<bool>> copy(Request& request, const Path& to, bool replace, bool deep);
  net::Async<void> find_properties(Request& request);
  net::Async<void> patch_properties(Request& request);
  net::Async<void> lock(Request& request);
  net::Async<Result<bool>> make_if_missing(Request& request);
  net::Async<void> refresh_lock(Request& request, WallTime expires);
  net::Async<void> unlock(Request& request);

  // Drive::change(), if the request's If header is met (else kFailedPrecondition).
  template <class Change>
  auto change(Request& request, std::vector<Touched> touched, Change change)
      -> net::Async<std::invoke_result_t<Change, Folder&>> {
    co_return co_await drive_.change(request.holder, std::move(touched), std::move(change),
                                     [&](Folder& folder) { return check_conditions(request, folder); });
  }
  Result<void> check_conditions(Request& request, const Folder& folder) const;

  Drive& drive_;
  ZipTurns zip_turns_;
};

}  // namespace hearth::drive
