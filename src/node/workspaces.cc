#include "node/workspaces.h"

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <fstream>
#include <vector>

#include <sys/stat.h>

#include <fmt/format.h>

#include "base/bytes.h"
#include "base/entries.h"
#include "base/log.h"
#include "net/crypto.h"
#include "sandbox/directory_tree.h"

namespace hearth::node {
namespace {

namespace fs = std::filesystem;

constexpr std::size_t kHubBytes = 8;
constexpr std::string_view kLeaving = "leaving-";

// What "HUB-DEVICE-NAME" names.
WorkspaceId id_in(const std::string& place) {
  const std::size_t device = place.find('-') + 1;
  return {{std::strtoull(place.c_str() + device, nullptr, 10)}, place.substr(place.find('-', device) + 1)};
}

}  // namespace

// --- an attempt's hold ----------------------------------------------------------------------------------------------

Workspaces::Use::Use(Workspaces& workspaces, std::string place, std::string name, std::uint64_t bytes)
    : workspaces_(workspaces), place_(std::move(place)), name_(std::move(name)), bytes_(bytes) {}

Workspaces::Use::~Use() { workspaces_.free(place_); }

fs::path Workspaces::Use::directory() const { return workspaces_.directory_ / place_ / "files"; }

Workspaces::Content Workspaces::Use::measure() const {
  const Result<sandbox::TreeSize> size = sandbox::measure_tree(directory());
  if (!size) return {.excess = "its workspace " + name_ + " cannot be measured: " + size.error().message};
  Content content{.bytes = size->with_names()};
  if (content.bytes > bytes_) {
    content.excess = "its workspace " + name_ + " holds " + format_bytes(content.bytes) + ", more than its " +
                     format_bytes(bytes_) + "; let it hold more (hearth run --workspace " + name_ +
                     ":SIZE), or remove it (hearth workspace rm " + name_ + ")";
  }
  return content;
}

// --- those that are here --------------------------------------------------------------------------------------------

Result<void> Workspaces::open() {
  std::error_code error;
  fs::create_directories(directory_, error);
  if (error || ::chmod(directory_.c_str(), S_IRWXU) != 0) {
    return fail_errno(error ? error.value() : errno, "making " + directory_.string());
  }
  for (const auto& entry : Entries(directory_, error)) {
    if (Result<void> taken = take_up(entry.path()); !taken) return taken;
  }
  return {};
}

Result<void> Workspaces::take_up(const fs::path& path) {
  const std::string place = path.filename();
  std::uint64_t bytes = 0;
  if (place.starts_with(kLeaving) || !(std::ifstream(path / "bytes") >> bytes)) return sandbox::remove_tree(path);
  entries_[place].bytes = bytes;
  return {};
}

std::string Workspaces::place_of(const WorkspaceId& id) const {
  return hub_ + "-" + std::to_string(id.owner.value) + "-" + id.name;
}

std::uint64_t Workspaces::bytes() const {
  std::uint64_t sum = 0;
  for (const auto& [place, entry] : entries_) sum += entry.bytes;
  return sum;
}

std::vector<WorkspaceId> Workspaces::here() const {
  std::vector<WorkspaceId> found;
  std::size_t left_out = 0;
  for (const auto& [place, entry] : entries_) {
    if (!place.starts_with(hub_ + "-")) continue;
    if (found.size() < kMost)
      found.push_back(id_in(place));
    else
      ++left_out;
  }
  if (left_out > 0) {
    log_warning("more workspaces lie here than a hub is told of; remove some (hearth workspace rm)",
                {{"told", found.size()}, {"left_out", left_out}});
  }
  return found;
}

void Workspaces::free(const std::string& place) {
  if (const auto entry = entries_.find(place); entry != entries_.end()) entry->second.busy = false;
  freed_.notify();
}

// --- use ------------------------------------------------------------------------------------------------------------

Result<void> Workspaces::grow(const std::string& place, std::uint64_t bytes) {
  const auto known = entries_.find(place);
  if (known == entries_.end() && entries_.size() >= kMost) {
    return fail(Code::kResourceExhausted,
                fmt::format("its PC keeps {} workspaces, and no more: remove one (hearth workspace rm)", kMost));
  }
  const std::uint64_t before = known == entries_.end() ? 0 : known->second.bytes;
  const std::uint64_t others = Workspaces::bytes() - before;
  const std::uint64_t after = std::max(before, bytes);
  // One that has its room keeps it when the owner lowers the limit.
  if (after > limit_ || (after > before && others + after > limit_)) {
    return fail(Code::kResourceExhausted,
                "its PC keeps workspaces of " + format_bytes(limit_) + " in all, and " + format_bytes(others) +
                    " of that are taken: remove one (hearth workspace rm), or on that PC: hearth limit --workspaces");
  }
  entries_[place].bytes = after;
  return {};
}

// On a worker.
Result<void> Workspaces::make(const std::string& place, std::uint64_t bytes) const {
  const fs::path path = directory_ / place;
  for (const fs::path& directory : {path, path / "files"}) {
    if (::mkdir(directory.c_str(), S_IRWXU) != 0 && errno != EEXIST) {
      return fail_errno(errno, "making " + directory.string());
    }
  }
  const fs::path fresh = path / "bytes.new";
  if (!(std::ofstream(fresh, std::ios::trunc) << bytes << "\n" << std::flush)) {
    return fail(Code::kResourceExhausted, "the node's disk is full");
  }
  if (::rename(fresh.c_str(), (path / "bytes").c_str()) != 0) return fail_errno(errno, "making " + path.string());
  return {};
}

net::Async<Result<std::unique_ptr<Workspaces::Use>>> Workspaces::enter(WorkspaceId id, std::uint64_t bytes) {
  if (!is_short_name(id.name) || hub_.empty()) co_return fail(Code::kInvalidArgument, "its workspace has no good name");
  const std::string place = place_of(id);
  while (entries_.contains(place) && entries_.at(place).busy) co_await freed_.wait();
  if (Result<void> grown = grow(place, bytes); !grown) co_return std::unexpected(grown.error());
  entries_.at(place).busy = true;
  auto use = std::make_unique<Use>(*this, place, id.name, entries_.at(place).bytes);
  Result<void> made = co_await workers_.run([&] { return make(place, use->bytes()); });
  if (!made) co_return fail(made, "its workspace " + id.name);
  const Content content = co_await workers_.run([&] { return use->measure(); });
  if (!content.excess.empty()) co_return fail(Code::kResourceExhausted, content.excess);
  co_return use;
}

// --- removal --------------------------------------------------------------------------------------------------------

// Any thread; nobody has it.
v1::WipeRecord Workspaces::remove(const std::string& place) const {
  const fs::path path = directory_ / place;
  const fs::path leaving = directory_ / (std::string(kLeaving) + place);
  Result<void> gone = sandbox::remove_tree(leaving);
  // By another name first: half of it must never be taken for all of it.
  if (gone && ::rename(path.c_str(), leaving.c_str()) != 0 && errno != ENOENT) gone = fail_errno(errno, "removing it");
  if (gone) gone = sandbox::remove_tree(leaving);
  if (!gone) log_error("a workspace remains on the disk: " + gone.error().message);
  std::vector<std::string> remains;
  for (const fs::path& left : {path, leaving}) {
    std::error_code error;
    if (fs::exists(fs::symlink_status(left, error))) remains.push_back(left);
  }
  return wipes_.workspace_wiped(id_in(place).name, remains);
}

net::Async<v1::WipeRecord> Workspaces::wipe_place(std::string place) {
  while (entries_.contains(place) && entries_.at(place).busy) co_await freed_.wait();
  entries_[place].busy = true;
  v1::WipeRecord record = co_await workers_.run([&] { return remove(place); });
  entries_.erase(place);
  freed_.notify();
  co_return record;
}

net::Async<v1::WipeRecord> Workspaces::wipe(WorkspaceId id) { co_return co_await wipe_place(place_of(id)); }

net::Async<void> Workspaces::wipe_all() {
  while (!entries_.empty()) static_cast<void>(co_await wipe_place(std::string(entries_.begin()->first)));
}

void Workspaces::wipe_all_now() {
  for (const auto& [place, entry] : std::exchange(entries_, {})) static_cast<void>(remove(place));
}

void Workspaces::belong_to(std::string_view hub_identity) {
  hub_ = to_hex(net::sha256(hub_identity).substr(0, kHubBytes));
  loop_.spawn(wipe_others());
}

net::Async<void> Workspaces::wipe_others() {
  std::vector<std::string> others;
  for (const auto& [place, entry] : entries_) {
    if (!place.starts_with(hub_ + "-")) others.push_back(place);
  }
  for (const std::string& place : others) static_cast<void>(co_await wipe_place(place));
}

}  // namespace hearth::node
