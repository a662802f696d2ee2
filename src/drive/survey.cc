#include "drive/survey.h"

#include <chrono>

#include <fmt/format.h>

namespace hearth::drive {
namespace {

constexpr Duration kBit = milliseconds(20);

// One more of `count` for as long as this lives.
class Counted {
 public:
  explicit Counted(int& count) : count_(count) { ++count_; }
  Counted(const Counted&) = delete;
  Counted& operator=(const Counted&) = delete;
  ~Counted() { --count_; }

 private:
  int& count_;
};

// False: all is counted.
bool count_some(Walk& walk, Usage& usage) {
  const auto end = std::chrono::steady_clock::now() + std::chrono::microseconds(kBit.micros);
  do {
    const Walked* one = walk.next();
    if (one == nullptr) return false;
    const std::optional<Entry> entry = one->kind == Kind::kFile ? walk.entry() : std::nullopt;
    if (!entry || entry->kind != Kind::kFile) continue;
    ++usage.files;
    usage.bytes += entry->bytes;
  } while (std::chrono::steady_clock::now() < end);
  return true;
}

}  // namespace

net::Async<Result<SearchDone>> Survey::search(Path below, Sought sought, FolderNames without) {
  if (searches_ == kMaxSearches) {
    co_return fail(Code::kResourceExhausted, fmt::format("{} searches are under way: try again", kMaxSearches));
  }
  const Counted mine(searches_);
  const Time end = loop_.now() + kMaxSearch;
  const Result<Folder*> folder = co_await drive_.open();
  if (!folder) co_return std::unexpected(folder.error());
  Result<Walk> walk = co_await drive_.workers().run([&] { return Walk::below(**folder, below, without); });
  if (!walk) co_return std::unexpected(walk.error());
  Search search(*std::move(walk), sought);
  while (loop_.now() < end && co_await drive_.workers().run([&] { return search.step(kBit); })) continue;
  co_return SearchDone{.found = search.found(), .more = !search.is_complete()};
}

net::Async<Result<Usage>> Survey::usage() {
  const bool is_due = !counted_ || !*counted_ || loop_.now() - counted_at_ > kUsageKept;
  if (is_due && !is_counting_) {
    is_counting_ = true;
    loop_.spawn(count());
  }
  if (!is_counting_ || co_await count_ended_.wait(kUsageWait)) co_return *counted_;
  co_return counted_ ? *counted_ : Result<Usage>(so_far_);
}

net::Async<void> Survey::count() {
  so_far_ = {};
  counted_ = co_await count_all();
  counted_at_ = loop_.now();
  is_counting_ = false;
  count_ended_.notify();
}

net::Async<Result<Usage>> Survey::count_all() {
  const Result<Folder*> folder = co_await drive_.open();
  if (!folder) co_return std::unexpected(folder.error());
  Result<Walk> walk = co_await drive_.workers().run([&] { return Walk::below(**folder, Path()); });
  if (!walk) co_return std::unexpected(walk.error());
  Usage all;
  for (bool is_more = true; is_more; so_far_ = all) {
    is_more = co_await drive_.workers().run([&] { return count_some(*walk, all); });
  }
  if (Result<void> done = co_await count_own(**folder, "trash", so_far_.trash_bytes); !done) {
    co_return std::unexpected(done.error());
  }
  if (Result<void> done = co_await count_own(**folder, "versions", so_far_.versions_bytes); !done) {
    co_return std::unexpected(done.error());
  }
  co_return so_far_;
}

net::Async<Result<void>> Survey::count_own(const Folder& folder, std::string_view name, std::uint64_t& bytes) {
  Result<Walk> walk = co_await drive_.workers().run([&] { return Walk::below_own(folder, name); });
  if (!walk) co_return std::unexpected(walk.error());
  Usage usage;
  for (bool is_more = true; is_more; bytes = usage.bytes) {
    is_more = co_await drive_.workers().run([&] { return count_some(*walk, usage); });
  }
  co_return Result<void>();
}

}  // namespace hearth::drive
