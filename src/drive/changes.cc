#include "drive/changes.h"

#include <utility>

#include <fmt/format.h>

namespace hearth::drive {
namespace {

using Reach = Touched::Reach;

// How often a name that was free may be taken by another before it is reached.
constexpr int kTries = 5;

net::Async<Result<Path>> move_one(Drive& drive, const Holder& holder, const Path& from, const Path& to, bool copy) {
  const Result<Folder*> folder = co_await drive.open();
  if (!folder) co_return std::unexpected(folder.error());
  if (from == to && !copy) {
    const Result<Entry> stays = co_await drive.workers().run([&] { return (*folder)->look(from); });
    if (!stays) co_return std::unexpected(stays.error());
    co_return from;
  }
  std::optional<Copied> copied;
  for (int left = kTries;; --left) {
    const Result<Path> free = co_await drive.workers().run([&] { return (*folder)->free_name(to); });
    if (!free) co_return free;
    if (copy && !copied) {
      Result<Copied> aside = co_await drive.copy_aside(from, *free, false, true);
      if (!aside) co_return std::unexpected(aside.error());
      copied.emplace(*std::move(aside));
    }
    std::vector<Touched> touched{{.path = *free, .reach = Reach::kName}};
    if (!copy) touched.push_back({.path = from, .reach = Reach::kTree});
    const Result<bool> moved = co_await drive.change(holder, std::move(touched), [&](Folder& where) {
      return copied ? where.place_copy(*copied, from, *free, false) : where.move(from, *free, false);
    });
    if (moved) co_return free;
    if (left > 1 && moved.error().code == Code::kAlreadyExists) continue;
    if (copied) co_await drive.drop(*std::move(copied));
    co_return std::unexpected(moved.error());
  }
}

}  // namespace

net::Async<Result<Entry>> make_folder(Drive& drive, Holder holder, Path path) {
  co_return co_await drive.change(std::move(holder), {{.path = path, .reach = Reach::kName}},
                                  [&path](Folder& folder) { return folder.make_folder(path); });
}

net::Async<Result<std::vector<Path>>> move_paths(Drive& drive, Holder holder, Moving moving) {
  if (!moving.name.empty() && moving.paths.size() != 1) {
    co_return fail(Code::kInvalidArgument, "a new name is for one path");
  }
  std::vector<Path> moved;
  for (const Path& from : moving.paths) {
    if (from.is_root()) co_return fail(Code::kInvalidArgument, "the root of the drive stays where it is");
    const Result<Path> to = moving.folder.child(moving.name.empty() ? from.name() : moving.name);
    if (!to) co_return std::unexpected(to.error());
    Result<Path> now = co_await move_one(drive, holder, from, *to, moving.copy);
    if (!now) {
      const std::string done =
          moved.empty() ? "" : fmt::format("after {} of {} were moved: ", moved.size(), moving.paths.size());
      co_return fail(now.error().code, done + now.error().message);
    }
    moved.push_back(*std::move(now));
  }
  co_return moved;
}

net::Async<Result<void>> remove_paths(Drive& drive, Holder holder, std::vector<Path> paths) {
  for (const Path& path : paths) {
    const Result<void> removed = co_await drive.change(holder, {{.path = path, .reach = Reach::kTree}},
                                                       [&path](Folder& folder) { return folder.remove(path); });
    if (!removed) co_return removed;
  }
  co_return Result<void>();
}

net::Async<Result<Path>> restore_trashed(Drive& drive, Holder holder, std::string id) {
  const Result<Folder*> folder = co_await drive.open();
  if (!folder) co_return std::unexpected(folder.error());
  const Result<Path> was = co_await drive.workers().run([&] { return (*folder)->origin(id); });
  if (!was) co_return was;
  co_return co_await drive.change(std::move(holder), {{.path = *was, .reach = Reach::kName}},
                                  [&id](Folder& where) { return where.restore(id); });
}

net::Async<Result<Entry>> restore_version(Drive& drive, Holder holder, Path path, std::string id) {
  const Result<Placed> placed = co_await drive.change(std::move(holder), {{.path = path, .reach = Reach::kItself}},
                                                      [&](Folder& where) { return where.restore_version(path, id); });
  if (!placed) co_return std::unexpected(placed.error());
  co_return placed->entry;
}

net::Async<Result<void>> erase_trashed(Drive& drive, Holder holder, std::vector<std::string> ids) {
  const Result<Folder*> folder = co_await drive.open();
  if (!folder) co_return std::unexpected(folder.error());
  if (ids.empty()) {
    Result<std::vector<std::string>> all = co_await drive.workers().run([&] { return (*folder)->trash_ids(); });
    if (!all) co_return std::unexpected(all.error());
    ids = *std::move(all);
  }
  for (const std::string& id : ids) {
    const Result<std::filesystem::path> away =
        co_await drive.change(holder, {}, [&id](Folder& where) { return where.discard(id); });
    if (!away) co_return std::unexpected(away.error());
    drive.erase_later(*away);
  }
  co_return Result<void>();
}

}  // namespace hearth::drive
