// Small pictures of the drive's pictures and films, at /thumb/PATH?size=320 (or 1600): JPEGs, made by hearth-pictures
// when they are first asked for, one after the other, and kept (thumbnail_store.h).
//
//   Thumbnails thumbnails(loop, drive, helpers);
//   if (Thumbnails::is_for(head.path)) co_await thumbnails.serve(exchange, {});
//
// With "&v=ETAG" (percent-encoded, with its quotes, as the drive gives it) a browser keeps what it got. 404: there is
// none, and why; 503: too many are asked for, or this PC makes none at the moment.
#pragma once

#include <algorithm>
#include <cstdint>
#include <list>
#include <map>
#include <memory>
#include <string>

#include "core/drive/scope.h"
#include "core/drive/timeline.h"
#include "drive/drive.h"
#include "drive/picture_reader.h"
#include "drive/thumbnail_store.h"
#include "net/server.h"

namespace hearth::drive {

class Thumbnails {
 public:
  static constexpr std::string_view kPrefix = "/thumb/";
  static constexpr std::uint32_t kSmall = 320;  // pixels of the longer side
  static constexpr std::uint32_t kLarge = 1600;
  static constexpr std::size_t kMaxWaiting = 200;
  static constexpr std::uint64_t kMaxPictureBytes = 512ULL << 20;  // films are read in parts

  Thumbnails(net::Loop& loop, Drive& drive, PictureHelpers helpers);
  ~Thumbnails() { reader_.stop(); }
  Thumbnails(const Thumbnails&) = delete;
  Thumbnails& operator=(const Thumbnails&) = delete;

  static bool is_for(std::string_view path) { return path.starts_with(kPrefix); }

  // Who asks has been let in, to `scope`.
  net::Async<void> serve(net::Exchange& exchange, Scope scope);

  // What a picture or film says of itself; waits while small ones are to be made. Errors: as PictureReader::look().
  net::Async<Result<pictures::Picture>> look(const Fd& file, MediaKind kind);

  // Of all that is kept together, from the next one that is made; ThumbnailStore::kUsualLimit is the least.
  void set_limit(std::uint64_t bytes) { limit_ = std::max(bytes, ThumbnailStore::kUsualLimit); }

 private:
  // One that somebody waits for.
  struct Job {
    std::string name;
    Fd file;
    pictures::Order order;
    int waiting = 0;  // those who have not gone away
    std::optional<Result<std::string>> made;
    net::Event ended;
  };
  using Shared = std::shared_ptr<Job>;

  net::Async<Result<std::string>> get(const Entry& entry, Fd file, std::uint32_t size, net::Exchange& exchange);
  net::Async<Result<std::string>> wait_for(Shared job, net::Exchange& exchange);
  net::Async<void> work();
  net::Async<void> rest_later();
  Result<std::string> make(const Job& job);

  net::Loop& loop_;
  Drive& drive_;
  PictureReader reader_;
  ThumbnailStore store_;
  bool is_open_ = false;  // the store
  std::uint64_t limit_ = ThumbnailStore::kUsualLimit;
  std::map<std::string, Shared> jobs_;  // by name, those in the queue and the one that is made
  std::list<Shared> queue_;             // the newest first: what is looked at now
  bool is_working_ = false;
  bool is_resting_later_ = false;
  Time last_used_;
  net::Workers worker_{1};  // the last one: it ends before what it works on
};

}  // namespace hearth::drive
