// What a folder holds, in order and page by page, for folders of any size: by name, only the names are read, and the
// entries of the page alone are looked at.
//
//   Listings listings;
//   Result<ListedPage> page = listings.page(folder, path, {.order = Order::kName, .offset = 200, .count = 200});
#pragma once

#include <sys/stat.h>

#include <cstdint>
#include <list>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "core/drive/private_folders.h"
#include "drive/folder.h"

namespace hearth::drive {

enum class Order : std::uint8_t {
  kName,  // folders first, then as order_key() says
  kNewest,
  kLargest,  // folders last
};

struct PageAsked {
  Order order = Order::kName;
  std::size_t offset = 0;
  std::size_t count = 0;
};

struct ListedPage {
  std::vector<Entry> entries;  // fewer than were asked for also if some went away meanwhile
  std::size_t total = 0;
};

// The orders of the folders that were asked for last are kept, for as long as the folder's own time of change stays the
// same: so further pages cost no sorting. Blocks; any thread.
class Listings {
 public:
  // `max_kept_bytes`: of names, in all; a longer listing is made anew for each page.
  explicit Listings(std::size_t max_kept_bytes = 32U << 20U) : max_kept_bytes_(max_kept_bytes) {}

  // `without`: folders at the drive's top that are left out. Errors: kNotFound, kFailedPrecondition (a file), of the
  // disk.
  Result<ListedPage> page(const Folder& folder, const Path& path, const PageAsked& asked,
                          const FolderNames& without = {});

  std::size_t kept() const;  // how many

 private:
  static constexpr std::size_t kMaxKept = 16;

  struct Listing {
    Path path;
    Order order = Order::kName;
    struct stat folder{};  // as it was before its names were read
    std::int64_t read_at_millis = 0;
    std::vector<std::string> names;
    std::size_t bytes = 0;

    bool is_of(const struct stat& now) const;
  };
  using Shared = std::shared_ptr<const Listing>;

  Shared find(const Path& path, Order order, const struct stat& now);
  void keep(Shared listing);

  std::size_t max_kept_bytes_;
  mutable std::mutex mutex_;
  std::list<Shared> kept_;  // the last used one first
};

}  // namespace hearth::drive
