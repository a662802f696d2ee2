// Files that are given their names together.
#include <utility>

#include "drive/drive.h"
#include "drive/files.h"

namespace hearth::drive {

net::Async<Result<Placed>> Drive::place(Arrival arrival) {
  const Result<Folder*> folder = co_await open();
  if (!folder) co_return std::unexpected(folder.error());
  if (Result<void> may = begin_change(); !may) co_return std::unexpected(may.error());
  Placing placing{.arrival = arrival, .outcome = {}};
  co_await placing_.join(placing);
  end_change();
  thin_versions_if_due();
  co_return std::move(placing.outcome);
}

void Drive::place_all(std::span<Placing* const> placings) {
  std::vector<Placing*> left;
  std::vector<Placing*> fresh;
  std::vector<Incoming*> unsynced;
  for (Placing* one : placings) {
    Arrival& arrival = one->arrival;
    if (!arrival.file) {
      Result<Incoming> made = folder_->receive_whole(arrival.bytes, arrival.modified);
      if (!made) {
        one->outcome = std::unexpected(made.error());
        continue;
      }
      fresh.push_back(one);
      unsynced.push_back(&arrival.file.emplace(*std::move(made)));
    }
    left.push_back(one);
  }
  const std::vector<Result<void>> synced = folder_->sync(unsynced);
  for (std::size_t i = 0; i < fresh.size(); ++i) {
    if (synced[i]) continue;
    fresh[i]->outcome = std::unexpected(synced[i].error());
    std::erase(left, fresh[i]);
  }
  Folder::NamedFolders named;
  for (Placing* one : left) one->outcome = place_one(one->arrival, named);
  const std::map<Path, Error> failed = folder_->sync_names(named);
  for (Placing* one : left) {
    const auto found = failed.find(one->arrival.path.parent());
    if (one->outcome && found != failed.end()) one->outcome = std::unexpected(found->second);
  }
}

Result<Placed> Drive::place_one(Arrival& arrival, Folder::NamedFolders& named) {
  if (Result<void> holds = arrival.first(*folder_); !holds) return std::unexpected(holds.error());
  if (has_locks()) {
    const bool is_there = folder_->look(arrival.path).has_value();
    const Touched touched{.path = arrival.path, .reach = is_there ? Touched::Reach::kItself : Touched::Reach::kName};
    if (Result<void> free = check(arrival.holder, {touched}); !free) return std::unexpected(free.error());
  }
  return arrival.place(*folder_, *std::move(arrival.file), named);
}

bool Drive::has_locks() const {
  const std::lock_guard guard(mutex_);
  return !locks_.empty();
}

}  // namespace hearth::drive
