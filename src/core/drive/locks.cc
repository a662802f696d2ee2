#include "core/drive/locks.h"

#include <algorithm>

#include <fmt/format.h>

namespace hearth::drive {
namespace {

bool names(const Holder& holder, const Lock& lock) {
  return lock.holder == holder.device && std::ranges::find(holder.tokens, lock.token) != holder.tokens.end();
}

std::unexpected<Error> in_the_way(const Lock& lock) {
  return fail(Code::kAborted, fmt::format("{} is locked by {}{}", lock.root.text(), lock.holder_name,
                                          lock.deep ? " with all that is in it" : ""));
}

}  // namespace

void LockTable::drop_ended(WallTime now) {
  changes_ += std::erase_if(locks_, [&](const auto& entry) { return entry.second.expires <= now; });
}

std::vector<const Lock*> LockTable::find_covering(const Path& path, WallTime now) const {
  std::vector<const Lock*> found;
  for (Path at = path;; at = at.parent()) {
    const auto [first, last] = locks_.equal_range(at);
    for (const auto& [root, lock] : std::ranges::subrange(first, last)) {
      if (lock.expires > now && (lock.deep || root == path)) found.push_back(&lock);
    }
    if (at.is_root()) return found;
  }
}

Result<Lock> LockTable::lock(Lock wanted, WallTime now) {
  drop_ended(now);
  if (wanted.owner.size() > kMaxOwnerBytes) {
    return fail(Code::kInvalidArgument,
                fmt::format("a lock's owner of {} bytes; at most {}", wanted.owner.size(), kMaxOwnerBytes));
  }
  for (const Lock* there : find_covering(wanted.root, now)) {
    if (!there->shared || !wanted.shared) return in_the_way(*there);
  }
  for (auto at = locks_.upper_bound(wanted.root); wanted.deep && at != locks_.end(); ++at) {
    if (!at->first.is_within(wanted.root)) break;
    if (!at->second.shared || !wanted.shared) return in_the_way(at->second);
  }
  const auto of_holder =
      std::ranges::count_if(locks_, [&](const auto& entry) { return entry.second.holder == wanted.holder; });
  if (locks_.size() >= kMaxLocks || static_cast<std::size_t>(of_holder) >= kMaxLocksOfHolder) {
    return fail(Code::kResourceExhausted,
                fmt::format("{} holds {} locks of the drive's {}; a device at most {}, all devices {}",
                            wanted.holder_name, of_holder, locks_.size(), kMaxLocksOfHolder, kMaxLocks));
  }
  wanted.expires = std::min(wanted.expires, WallTime{now.unix_millis + kMaxTime.micros / 1'000});
  ++changes_;
  return locks_.emplace(wanted.root, wanted)->second;
}

Result<Lock> LockTable::refresh(const Path& path, const Holder& holder, WallTime expires, WallTime now) {
  drop_ended(now);
  for (const Lock* covering : find_covering(path, now)) {
    if (!names(holder, *covering)) continue;
    const auto [first, last] = locks_.equal_range(covering->root);
    const auto found = std::find_if(first, last, [&](const auto& entry) { return &entry.second == covering; });
    found->second.expires = std::min(expires, WallTime{now.unix_millis + kMaxTime.micros / 1'000});
    ++changes_;
    return found->second;
  }
  return fail(Code::kFailedPrecondition, path.text() + ": the request names no lock of this device that covers it");
}

Result<void> LockTable::unlock(const Path& path, const std::string& token, DeviceId holder, WallTime now) {
  drop_ended(now);
  for (const Lock* covering : find_covering(path, now)) {
    if (covering->token != token) continue;
    if (covering->holder != holder) return fail(Code::kPermissionDenied, "the lock is " + covering->holder_name + "'s");
    const auto [first, last] = locks_.equal_range(covering->root);
    locks_.erase(std::find_if(first, last, [&](const auto& entry) { return &entry.second == covering; }));
    ++changes_;
    return {};
  }
  return fail(Code::kNotFound, path.text() + ": no lock of that token covers it");
}

// What covers one path is one exclusive lock, or shared ones of which one is enough.
Result<void> LockTable::check_one(const Path& path, const Holder& holder, WallTime now) const {
  const std::vector<const Lock*> found = find_covering(path, now);
  if (found.empty() || std::ranges::any_of(found, [&](const Lock* lock) { return names(holder, *lock); })) return {};
  return in_the_way(*found.front());
}

Result<void> LockTable::check_below(const Path& path, const Holder& holder, WallTime now) const {
  for (auto at = locks_.upper_bound(path); at != locks_.end() && at->first.is_within(path);) {
    if (Result<void> held = check_one(at->first, holder, now); !held) return held;
    at = locks_.upper_bound(at->first);
  }
  return {};
}

Result<void> LockTable::check(std::span<const Touched> touched, const Holder& holder, WallTime now) const {
  for (const auto& [path, reach] : touched) {
    if (Result<void> held = check_one(path, holder, now); !held) return held;
    if (reach == Touched::Reach::kItself) continue;
    if (!path.is_root()) {
      if (Result<void> held = check_one(path.parent(), holder, now); !held) return held;
    }
    if (reach != Touched::Reach::kTree) continue;
    if (Result<void> held = check_below(path, holder, now); !held) return held;
  }
  return {};
}

std::vector<Lock> LockTable::covering(const Path& path, WallTime now) const {
  std::vector<Lock> found;
  for (const Lock* lock : find_covering(path, now)) found.push_back(*lock);
  return found;
}

void LockTable::forget(const Path& path) {
  const std::size_t before = locks_.size();
  auto at = locks_.lower_bound(path);
  while (at != locks_.end() && at->first.is_within(path)) at = locks_.erase(at);
  changes_ += before - locks_.size();
}

void LockTable::release(DeviceId holder) {
  changes_ += std::erase_if(locks_, [&](const auto& entry) { return entry.second.holder == holder; });
}

std::vector<Lock> LockTable::all() const {
  std::vector<Lock> all;
  for (const auto& [root, lock] : locks_) all.push_back(lock);
  return all;
}

}  // namespace hearth::drive
