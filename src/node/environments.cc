#include "node/environments.h"

#include <algorithm>
#include <fstream>
#include <vector>

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/bytes.h"
#include "base/entries.h"
#include "base/log.h"

namespace hearth::node {
namespace {

namespace fs = std::filesystem;

constexpr std::uint64_t kUsualGrowth = 3;  // of an image when it is unpacked
constexpr int kTries = 3;
constexpr std::uint64_t kMostFiles = 2'000'000;

bool is_digest(std::string_view name) {
  return name.size() == 64 && name.find_first_not_of("0123456789abcdef") == std::string_view::npos;
}

// Every byte below is on the disk before its name says so.
Result<void> sync_all(const fs::path& directory) {
  const int file = ::open(directory.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  const int error = file < 0 || ::syncfs(file) != 0 ? errno : 0;
  if (file >= 0) ::close(file);
  if (error != 0) return fail_errno(error, "writing " + directory.string());
  return {};
}

}  // namespace

Result<void> Environments::open() {
  std::error_code error;
  fs::create_directories(world_.directory, error);
  if (error || ::chmod(world_.directory.c_str(), 0700) != 0) {
    return fail_errno(error ? error.value() : errno, "making " + world_.directory.string());
  }
  std::vector<std::pair<fs::file_time_type, fs::path>> found;
  for (const auto& entry : Entries(world_.directory, error)) {
    found.emplace_back(entry.last_write_time(error), entry.path());
  }
  std::ranges::sort(found);
  for (const auto& [used, path] : found) {
    if (Result<void> taken = take_up(path); !taken) return taken;
  }
  share_with_cache();
  return {};
}

Result<void> Environments::take_up(const fs::path& directory) {
  const std::string name = directory.filename();
  std::uint64_t bytes = 0;
  if (!is_digest(name) || !(std::ifstream(directory / "size") >> bytes)) return sandbox::remove_tree(directory);
  entries_[name] = {std::make_shared<Environment>(directory / "root", bytes), ++uses_};
  bytes_ += bytes;
  return {};
}

std::shared_ptr<const Environment> Environments::use(const std::string& name) {
  Entry& entry = entries_.at(name);
  entry.last_use = ++uses_;
  ::utimensat(AT_FDCWD, (world_.directory / name).c_str(), nullptr, 0);  // for the order after a restart
  return entry.environment;
}

net::Async<Result<std::shared_ptr<const Environment>>> Environments::get(v1::Blob image, Fetch fetch) {
  const std::string name = to_hex(image.sha256());
  if (!is_digest(name)) co_return fail(Code::kInvalidArgument, "the environment's image has no SHA-256");
  while (arriving_.contains(name)) co_await changed_.wait();
  if (entries_.contains(name)) co_return use(name);
  arriving_.insert(name);
  Result<void> made = co_await make(image, name, fetch);
  arriving_.erase(name);
  changed_.notify();
  if (!made) co_return std::unexpected(made.error());
  co_return use(name);
}

net::Async<Result<void>> Environments::make(const v1::Blob& image, const std::string& name, const Fetch& fetch) {
  for (int tries = 1;; ++tries) {
    if (Result<void> fetched = co_await fetch(); !fetched) co_return fetched;
    const Result<void> whole = co_await world_.workers.run([&] { return world_.cache.verify(image.sha256()); });
    if (whole) break;
    if (tries == kTries) co_return whole;  // evicted or damaged before it could be used, again and again
  }
  while (changing_) co_await changed_.wait();
  changing_ = true;
  // Environments that nobody uses may have half of the room; one that is needed may have all of it.
  co_await make_room(image.size() * kUsualGrowth, limit_ / 2);
  const std::uint64_t taken = bytes_in_use();
  const std::uint64_t most = limit_ - std::min(limit_, taken);
  Result<sandbox::TreeSize> size = co_await world_.workers.run([&] { return unpack(image.sha256(), name, most); });
  if (size) {
    co_await make_room(size->bytes, limit_ / 2);
    entries_[name] = {std::make_shared<Environment>(world_.directory / name / "root", size->bytes), ++uses_};
    bytes_ += size->bytes;
    share_with_cache();
    log_info("environment unpacked", {{"sha256", name}, {"bytes", size->bytes}});
  }
  changing_ = false;
  changed_.notify();
  co_return size ? Result<void>() : std::unexpected(size.error());
}

// On a worker.
Result<sandbox::TreeSize> Environments::unpack(const std::string& digest, const std::string& name,
                                               std::uint64_t most) const {
  Result<blob::Reader> image = world_.cache.read(digest);
  if (!image) return fail(image, "the environment's image");
  const fs::path incoming = world_.directory / "incoming";
  if (Result<void> gone = sandbox::remove_tree(incoming); !gone) return std::unexpected(gone.error());
  if (::mkdir(incoming.c_str(), 0700) != 0) return fail_errno(errno, "making " + incoming.string());
  Result<sandbox::TreeSize> size = unpack_image(world_.host, image->path(), incoming,
                                                {.bytes = most, .files = kMostFiles}, world_.unpack_limit, ending_);
  Result<void> done = size ? Result<void>() : std::unexpected(size.error());
  if (done && !(std::ofstream(incoming / "size") << size->bytes << "\n" << std::flush)) {
    done = fail(Code::kResourceExhausted, "the node's disk is full");
  }
  if (done) done = sync_all(incoming);
  const fs::path place = world_.directory / name;
  if (done && ::rename(incoming.c_str(), place.c_str()) != 0) done = fail_errno(errno, "making " + place.string());
  if (done) return size;
  static_cast<void>(sandbox::remove_tree(incoming));
  return std::unexpected(done.error());
}

// Removes the least recently used that nobody has, until `bytes` more are within.
net::Async<void> Environments::make_room(std::uint64_t bytes, std::uint64_t within) {
  while (bytes_ + bytes > within) {
    auto oldest = entries_.end();
    for (auto entry = entries_.begin(); entry != entries_.end(); ++entry) {
      const bool idle = entry->second.environment.use_count() == 1;
      if (idle && (oldest == entries_.end() || entry->second.last_use < oldest->second.last_use)) oldest = entry;
    }
    if (oldest == entries_.end()) co_return;
    const fs::path place = world_.directory / oldest->first;
    const fs::path leaving = world_.directory / ("leaving-" + oldest->first);
    bytes_ -= oldest->second.environment->bytes;
    entries_.erase(oldest);
    // By another name first: half of it must never be taken for all of it.
    const Result<void> gone = co_await world_.workers.run([&]() -> Result<void> {
      if (::rename(place.c_str(), leaving.c_str()) != 0) return fail_errno(errno, "removing " + place.string());
      return sandbox::remove_tree(leaving);
    });
    if (!gone) log_warning("an environment remains on the disk: " + gone.error().message);
  }
}

std::uint64_t Environments::bytes_in_use() const {
  std::uint64_t bytes = 0;
  for (const auto& [name, entry] : entries_) {
    if (entry.environment.use_count() > 1) bytes += entry.environment->bytes;
  }
  return bytes;
}

void Environments::set_limit(std::uint64_t bytes) {
  limit_ = bytes;
  share_with_cache();
  trim();
}

void Environments::trim() {
  if (bytes_ <= limit_ || changing_) return;
  changing_ = true;
  world_.loop.spawn([](Environments& self) -> net::Async<void> {
    co_await self.make_room(0, self.limit_);
    self.share_with_cache();
    self.changing_ = false;
    self.changed_.notify();
  }(*this));
}

std::vector<v1::Blob> Environments::images() const {
  std::vector<v1::Blob> images;
  for (const auto& [name, entry] : entries_) {
    v1::Blob& image = images.emplace_back();
    image.set_sha256(from_hex(name).value_or(""));
    image.set_size(entry.environment->bytes);
  }
  return images;
}

// What environments leave of the limit is the cache's.
void Environments::share_with_cache() {
  world_.cache.set_max_bytes(std::max<std::uint64_t>(1, limit_ - std::min(limit_, bytes_)));
}

}  // namespace hearth::node
