// Resumable uploads into the drive by tus 1.0 (tus.io), at /upload/: core, creation (with upload, with a length that is
// said later), checksum, expiration, termination, concatenation.
//
// Upload-Metadata: `path` ("/photos/a.jpg"; its folders are made), and, if wanted, `modified` (milliseconds since 1970)
// and `ifexists`: rename (to "a (2).jpg", unless the same lies there already; this if nothing is said), replace, fail.
// The answer that ends an upload says in Hearth-Path, percent-encoded, where the file lies; so does HEAD afterwards,
// should that answer have been lost.
#pragma once

#include <deque>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "core/drive/scope.h"
#include "drive/drive.h"
#include "drive/uploads.h"
#include "net/async.h"
#include "net/server.h"

namespace hearth::drive {

class Tus {
 public:
  static constexpr std::string_view kPrefix = "/upload/";
  static constexpr Duration kKept = minutes(7 * 24 * 60);  // from the last byte
  static constexpr std::size_t kMaxOfDevice = 1'000;       // under way
  static constexpr std::size_t kMaxUnderWay = 10'000;      // of all devices
  static constexpr std::size_t kMaxRemembered = 5'000;     // that have their place, the newest
  static constexpr std::size_t kMaxParts = 1'000;

  explicit Tus(Drive& drive) : drive_(drive) {}

  static bool is_for(std::string_view path) { return path.starts_with(kPrefix); }

  // `caller` has been let into `scope`. What others upload is not there for him.
  net::Async<void> serve(net::Exchange& exchange, Holder caller, Scope scope = {});

 private:
  struct Upload {
    std::string id;
    UploadAbout about;
    WallTime changed;
    bool is_placed = false;
    net::Cuttable* receiver = nullptr;  // the connection that works on it
    net::Event released;
  };
  class Turn;
  using Known = std::shared_ptr<Upload>;
  struct Sender {
    Holder holder;
    Scope scope;
  };

  static net::Headers headers_of(const Upload& upload, const Scope& scope);
  net::Async<Result<Folder*>> open();
  net::Async<void> forget_old(Folder& folder);
  Known find(const std::string& id, DeviceId owner) const;
  Result<void> check_count(DeviceId owner) const;
  static Result<UploadAbout> about_of(const net::RequestHead& head, const Sender& sender);
  static Result<void> aim(UploadAbout& about, const Scope& scope);

  net::Async<void> create(net::Exchange& exchange, Folder& folder, const Sender& caller);
  net::Async<void> join(net::Exchange& exchange, Folder& folder, const Sender& caller, std::string_view parts);
  net::Async<void> tell(net::Exchange& exchange, Folder& folder, const Sender& caller, Known upload);
  net::Async<void> patch(net::Exchange& exchange, Folder& folder, const Sender& caller, Known upload);
  net::Async<void> terminate(net::Exchange& exchange, Folder& folder, Known upload);

  // What the body holds goes to the upload's end. Its bytes afterwards.
  net::Async<Result<std::uint64_t>> receive(net::Exchange& exchange, Folder& folder, Upload& upload, std::uint64_t at);
  net::Async<Result<Known>> begin(Folder& folder, UploadAbout about);
  net::Async<void> forget(Folder& folder, std::string id);
  // Gives it its place if all of it is there.
  net::Async<Result<void>> end_if_whole(Upload& upload, const Sender& caller, std::uint64_t bytes);

  Drive& drive_;
  std::optional<std::map<std::string, Known>> uploads_;  // none: not yet read
  std::deque<std::string> placed_;                       // those of them that have their place, the oldest first
  WallTime tidied_;
};

}  // namespace hearth::drive
