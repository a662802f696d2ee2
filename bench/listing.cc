// What a page of a large folder of the drive costs: its first, its next, and the first by time.
#include <fcntl.h>
#include <unistd.h>

#include <chrono>
#include <cstdio>

#include <fmt/format.h>

#include "bench/benches.h"
#include "blob/temporary_directory.h"
#include "drive/listing.h"

namespace hearth::bench {
namespace {

double milliseconds_of(drive::Listings& listings, const drive::Folder& folder, const drive::PageAsked& asked) {
  const auto begin = std::chrono::steady_clock::now();
  const auto page = listings.page(folder, drive::Path(), asked);
  const std::chrono::duration<double, std::milli> took = std::chrono::steady_clock::now() - begin;
  return page && page->entries.size() == asked.count ? took.count() : -1;
}

}  // namespace

int listing(const Arguments& arguments) {
  const std::uint64_t files = arguments.get("--files", 100'000);
  const blob::TemporaryDirectory scratch;
  const auto folder = drive::Folder::open(scratch.path());
  if (!folder) return 1;
  for (std::uint64_t i = 0; i < files; ++i) {
    const std::string name = fmt::format("IMG_{:08x} ({}).jpg", i * 2'654'435'761 % 0x1'0000'0000, i);
    const int file = ::open((scratch.path() / name).c_str(), O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
    if (file < 0) return 1;
    ::close(file);
  }
  // A folder that has just changed is not kept.
  ::usleep(200'000);
  drive::Listings listings;
  const std::size_t count = std::min<std::uint64_t>(200, files / 2);
  const double first = milliseconds_of(listings, **folder, {.count = count});
  const double next = milliseconds_of(listings, **folder, {.offset = files - count, .count = count});
  const double newest = milliseconds_of(listings, **folder, {.order = drive::Order::kNewest, .count = count});
  std::printf("listing files=%zu first_page_ms=%.1f last_page_ms=%.2f newest_page_ms=%.1f\n",
              static_cast<std::size_t>(files), first, next, newest);
  return first < 0 || next < 0 || newest < 0 ? 1 : 0;
}

}  // namespace hearth::bench
