// The timeline of the drive (core/drive/timeline.h): kept in the drive's own file "timeline", brought up to date when
// somebody asks and that was last done a while ago. Files are walked in bits between other work; a picture or film that
// is new or changed is asked when it was taken, by hearth-pictures. A file that is lost or damaged is made anew.
//
//   Photos photos(loop, drive, thumbnails);
//   Result<Shown> now = co_await photos.timeline();
#pragma once

#include <map>
#include <memory>
#include <optional>
#include <vector>

#include "core/drive/timeline.h"
#include "drive/drive.h"
#include "drive/thumbnails.h"

namespace hearth::drive {

class Photos {
 public:
  static constexpr Duration kFresh = seconds(10);      // so long it is told without another look
  static constexpr Duration kFirstWait = seconds(10);  // the first who asks waits so long for what there is

  struct Shown {
    std::shared_ptr<const Timeline> timeline;
    std::uint64_t version = 0;  // another one after every change
    bool is_looking = false;    // there may be more in a moment
    std::size_t unread = 0;     // pictures that may move, once it is known when they were taken
  };

  Photos(net::Loop& loop, Drive& drive, Thumbnails& thumbnails) : loop_(loop), drive_(drive), thumbnails_(thumbnails) {}

  // `without`: folders at the drive's top of which nothing is shown. Errors: of the disk.
  net::Async<Result<Shown>> timeline(FolderNames without = {});

 private:
  // Made once for all who are shown the same.
  net::Async<std::shared_ptr<const Timeline>> timeline_without(FolderNames without);
  net::Async<void> update();
  net::Async<Result<void>> update_all();
  net::Async<Result<void>> read_dates(Folder& folder, Merged merged);
  net::Async<void> show(std::vector<Shot> shots);
  net::Async<void> keep(Folder& folder);

  net::Loop& loop_;
  Drive& drive_;
  Thumbnails& thumbnails_;
  std::shared_ptr<const Timeline> shown_;
  std::map<FolderNames, std::shared_ptr<const Timeline>> parts_;  // of shown_
  std::uint64_t version_ = 0;
  std::size_t unread_ = 0;
  bool is_looking_ = false;
  std::optional<Time> looked_at_;
  Result<void> trouble_;
  net::Event changed_;
};

}  // namespace hearth::drive
