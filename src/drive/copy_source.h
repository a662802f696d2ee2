// What the hub that holds the pool tells of its drive to the one that stands by, below /hub/drive/, so that this one
// keeps a copy. Messages are hubs.proto's, answers are frames (core/sync/wire.h).
//
//   POST look      DriveLook -> DriveLooked...      every folder with a digest of its list; waits for a change
//   POST state     DriveCopyState                  how the copy stands meanwhile
//   POST lists     DriveWantedLists -> DriveList...
//   POST read      sync::Wanted... -> sync::Given...   files of up to 1 MiB, 256 at most
//   POST hash      sync::Wanted -> sync::Given         of a file of any length, its SHA-256
//   GET  file      ?path=&offset= (If-Match)           a file's bytes from there on; all of them are of one state
#pragma once

#include <atomic>
#include <optional>
#include <string>

#include "base/folder_watch.h"
#include "drive/copy_words.h"
#include "drive/drive.h"
#include "net/async.h"
#include "net/server.h"

namespace hearth::drive {

// On the loop's thread.
class CopySource {
 public:
  CopySource(net::Loop& loop, Drive& drive) : loop_(loop), drive_(drive) {}

  static bool is_for(std::string_view path) { return path.starts_with(kCopyPrefix); }
  // Whoever asks has shown copy_password().
  net::Async<void> serve(net::Exchange& exchange);

  // What the copy said last, if that was within seconds.
  std::optional<v1::DriveCopyState> state() const;
  // It has everything, now, as far as is noticed here.
  bool is_current();
  // Nothing may be changed any more; returns once the copy has everything, looked at anew. Errors: kFailedPrecondition:
  // it did not get it within `limit`, or there is none. Then changes are made again.
  net::Async<Result<void>> hand_over(Duration limit);
  bool is_handing_over() const { return handing_over_; }

  void stop();  // whoever waits waits no more

 private:
  std::uint64_t changes();  // another number after every change
  net::Async<void> look(net::Exchange& exchange);
  void hear(v1::DriveCopyState state);
  net::Async<void> hear_state(net::Exchange& exchange);
  net::Async<void> send_look(net::Exchange& exchange, v1::DriveLooked head);
  net::Async<void> lists(net::Exchange& exchange);
  net::Async<void> read(net::Exchange& exchange);
  net::Async<void> hash(net::Exchange& exchange);
  net::Async<void> file(net::Exchange& exchange);
  net::Async<Result<std::string>> drive_id();

  net::Loop& loop_;
  Drive& drive_;
  std::string id_;
  std::optional<v1::DriveCopyState> state_;
  Time heard_;
  net::Event told_;  // the copy has said how it stands
  FolderWatch watch_;
  std::uint64_t noticed_ = 0;  // changes of the folder by whomever, and looks that are due in any case
  bool is_told_ = false;       // that some folders are not watched
  bool handing_over_ = false;
  std::atomic<bool> stopping_ = false;
};

}  // namespace hearth::drive
