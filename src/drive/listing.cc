#include "drive/listing.h"

#include <fcntl.h>

#include <algorithm>
#include <cerrno>
#include <iterator>
#include <span>
#include <tuple>

#include "core/drive/names.h"
#include "drive/files.h"

namespace hearth::drive {
namespace {

// Two changes that lie closer together may leave a folder with the same time.
constexpr std::int64_t kTimeStepMillis = 50;
// A file that is written to in its place changes nothing of its folder, but its place among the newest.
constexpr std::int64_t kKeptByContentMillis = 10'000;

std::int64_t millis(const timespec& at) { return at.tv_sec * 1'000 + at.tv_nsec / 1'000'000; }

struct Named {
  std::string key;
  std::string name;
  Kind kind = Kind::kFile;
  std::int64_t weight = 0;  // the largest goes first
};

std::int64_t weight_of(int folder, const Named& named, Order order) {
  struct stat status{};
  if (::fstatat(folder, named.name.c_str(), &status, AT_SYMLINK_NOFOLLOW) != 0) return -1;
  if (order == Order::kNewest) return millis(status.st_mtim);
  return named.kind == Kind::kFile ? status.st_size : -1;
}

Result<std::vector<std::string>> sorted_names(int file, bool is_root, Order order) {
  std::vector<Named> all;
  const Result<void> read = for_each_of(file, [&](std::string name, Kind kind) {
    if (is_root && name == Path::kOwnFolder) return;
    all.push_back({.key = order_key(name), .name = std::move(name), .kind = kind});
  });
  if (!read) return std::unexpected(read.error());
  for (Named& one : all) {
    one.weight = order == Order::kName ? static_cast<std::int64_t>(one.kind) : weight_of(file, one, order);
  }
  std::ranges::sort(all, [](const Named& a, const Named& b) {
    return std::tie(b.weight, a.key, a.name) < std::tie(a.weight, b.key, b.name);
  });
  std::vector<std::string> names;
  names.reserve(all.size());
  for (Named& one : all) names.push_back(std::move(one.name));
  return names;
}

}  // namespace

bool Listings::Listing::is_of(const struct stat& now) const {
  return now.st_ino == folder.st_ino && now.st_dev == folder.st_dev && now.st_mtim.tv_sec == folder.st_mtim.tv_sec &&
         now.st_mtim.tv_nsec == folder.st_mtim.tv_nsec &&
         (order == Order::kName || wall_now().unix_millis - read_at_millis < kKeptByContentMillis);
}

Listings::Shared Listings::find(const Path& path, Order order, const struct stat& now) {
  const std::lock_guard guard(mutex_);
  const auto found =
      std::ranges::find_if(kept_, [&](const Shared& one) { return one->path == path && one->order == order; });
  if (found == kept_.end()) return nullptr;
  if (!(*found)->is_of(now)) {
    kept_.erase(found);
    return nullptr;
  }
  kept_.splice(kept_.begin(), kept_, found);
  return kept_.front();
}

void Listings::keep(Shared listing) {
  const bool may_change_unseen = listing->read_at_millis - millis(listing->folder.st_mtim) < kTimeStepMillis;
  if (may_change_unseen || listing->bytes > max_kept_bytes_) return;
  const std::lock_guard guard(mutex_);
  kept_.push_front(std::move(listing));
  std::size_t bytes = 0;
  std::size_t count = 0;
  const auto past = std::ranges::find_if(
      kept_, [&](const Shared& one) { return (bytes += one->bytes) > max_kept_bytes_ || ++count > kMaxKept; });
  kept_.erase(past, kept_.end());
}

std::size_t Listings::kept() const {
  const std::lock_guard guard(mutex_);
  return kept_.size();
}

Result<ListedPage> Listings::page(const Folder& folder, const Path& path, const PageAsked& asked,
                                  const FolderNames& without) {
  const Result<Fd> file = folder.open_folder(path);
  if (!file) return std::unexpected(file.error());
  struct stat status{};
  if (::fstat(file->get(), &status) != 0) return fail_errno(errno, path.text());
  Shared listing = find(path, asked.order, status);
  if (!listing) {
    auto made = std::make_shared<Listing>();
    *made = {.path = path, .order = asked.order, .folder = status, .read_at_millis = wall_now().unix_millis};
    Result<std::vector<std::string>> names = sorted_names(file->get(), path.is_root(), asked.order);
    if (!names) return fail(names, path.text());
    made->names = std::move(*names);
    for (const std::string& name : made->names) made->bytes += sizeof(std::string) + name.size();
    listing = made;
    keep(made);
  }
  std::span<const std::string> names = listing->names;
  std::vector<std::string> fewer;
  if (path.is_root() && !without.empty()) {
    std::ranges::copy_if(names, std::back_inserter(fewer),
                         [&](const std::string& name) { return !without.contains(name); });
    names = fewer;
  }
  ListedPage page{.entries = {}, .total = names.size()};
  const std::size_t first = std::min(asked.offset, page.total);
  for (const std::string& name : names.subspan(first, std::min(asked.count, page.total - first))) {
    if (::fstatat(file->get(), name.c_str(), &status, AT_SYMLINK_NOFOLLOW) != 0) continue;
    if (std::optional<Entry> entry = entry_of(status, name)) page.entries.push_back(*std::move(entry));
  }
  return page;
}

}  // namespace hearth::drive
