#include "drive/allowances.h"

#include <algorithm>
#include <chrono>

#include <fmt/format.h>

#include "base/bytes.h"
#include "drive/walk.h"

namespace hearth::drive {
namespace {

Time steady_now() {
  const auto since = std::chrono::steady_clock::now().time_since_epoch();
  return {std::chrono::duration_cast<std::chrono::microseconds>(since).count()};
}

// Of its files; none if it is not there.
std::uint64_t count(const Folder& folder, const Path& path) {
  std::uint64_t bytes = 0;
  Result<Walk> walk = Walk::below(folder, path);
  if (!walk) return 0;
  for (const Walked* one = walk->next(); one != nullptr; one = walk->next()) {
    const std::optional<Entry> entry = one->kind == Kind::kFile ? walk->entry() : std::nullopt;
    if (entry) bytes += entry->bytes;
  }
  return bytes;
}

}  // namespace

void Allowances::set(const PrivateFolders& folders) {
  const std::lock_guard guard(mutex_);
  std::map<std::string, Allowance, std::less<>> limited;
  for (const auto& [name, folder] : folders.all()) {
    if (folder.max_bytes == 0) continue;
    const auto before = folders_.find(name);
    limited[name] = before == folders_.end() ? Allowance() : before->second;
    limited[name].most = folder.max_bytes;
  }
  folders_ = std::move(limited);
}

Allowance* Allowances::find(const Path& path) {
  const auto found = path.is_root() ? folders_.end() : folders_.find(path.names().front());
  return found == folders_.end() ? nullptr : &found->second;
}

// Counting does not keep others waiting; what comes meanwhile is counted twice until the next time.
Allowance::Verdict Allowances::judge(const Folder& folder, const Path& path, std::uint64_t bytes, bool take) {
  std::unique_lock guard(mutex_);
  Allowance* one = find(path);
  if (one != nullptr && one->judge(bytes, steady_now()) == Allowance::Verdict::kCountFirst) {
    const std::uint64_t before = one->since;
    guard.unlock();
    const std::uint64_t counted = count(folder, *Path().child(path.names().front()));
    guard.lock();
    one = find(path);
    if (one != nullptr) {
      one->counted = counted;
      one->since -= std::min(before, one->since);
      one->counted_at = steady_now();
    }
  }
  const Allowance::Verdict verdict =
      one == nullptr || bytes <= one->left() ? Allowance::Verdict::kFits : Allowance::Verdict::kFull;
  if (one != nullptr && take && verdict == Allowance::Verdict::kFits) one->since += bytes;
  return verdict;
}

Result<void> Allowances::check(const Folder& folder, const Path& path, std::uint64_t bytes) {
  if (judge(folder, path, bytes, false) == Allowance::Verdict::kFits) return {};
  const std::optional<Allowance> one = allowance(folder, path);
  const Allowance now = one.value_or(Allowance());
  return fail(Code::kResourceExhausted,
              fmt::format("/{} may hold {} and holds {}: {} more do not fit", path.names().front(),
                          format_bytes(now.most), format_bytes(now.held()), format_bytes(bytes)));
}

Result<void> Allowances::take(const Folder& folder, const Path& path, std::uint64_t bytes) {
  if (judge(folder, path, bytes, true) == Allowance::Verdict::kFits) return {};
  return check(folder, path, bytes);
}

std::optional<Allowance> Allowances::allowance(const Folder& folder, const Path& path) {
  (void)judge(folder, path, 0, false);
  const std::lock_guard guard(mutex_);
  const Allowance* one = find(path);
  return one == nullptr ? std::nullopt : std::optional(*one);
}

}  // namespace hearth::drive
