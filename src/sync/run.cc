#include "sync/run.h"

#include <algorithm>
#include <ctime>
#include <utility>

#include <fmt/format.h>

#include "core/drive/path.h"
#include "net/crypto.h"

namespace hearth::sync {
namespace {

using What = Action::What;

constexpr std::uint64_t kBatchBytes = 8 << 20;
constexpr std::size_t kKeptTogether = 256;  // changes here
constexpr std::size_t kPiece = 4 << 20;
constexpr std::ptrdiff_t kEnough = 2;  // files and folders that do not go all at once without being asked for
constexpr std::int64_t kStepNanos = 50'000'000;

// Whether the run cannot go on.
bool is_fatal(const Error& error) {
  switch (error.code) {
    case Code::kUnavailable:
    case Code::kUnauthenticated:
    case Code::kDeadlineExceeded:
    case Code::kCanceled:
    case Code::kInternal:
    case Code::kResourceExhausted:
      return true;
    default:
      return false;
  }
}

std::string described(const Action& action) {
  constexpr const char* kWords[] = {"same     ", "forget   ", "rename   ", "mkdir <- ", "mkdir -> ",
                                    "fetch    ", "send     ", "remove <-", "remove ->"};
  const std::string to = action.to.empty() ? "" : " to " + action.to;
  return fmt::format("{} {}{}", kWords[static_cast<std::size_t>(action.what)], action.path, to);
}

// Two changes within one step of the kernel's clock leave a file with the same time: what has just been changed is
// looked at again with the next run.
std::string settled(const Seen& seen) {
  timespec now{};
  ::clock_gettime(CLOCK_REALTIME, &now);
  const std::int64_t age = now.tv_sec * 1'000'000'000 + now.tv_nsec - seen.modified_nanos;
  const bool is_fresh = age < kStepNanos && age > -kStepNanos;  // a time of the future was given to it
  return seen.side.version + (is_fresh ? "?" : "");
}

}  // namespace

Result<Report> Run::go() {
  if (Result<void> looked = look(); !looked) return std::unexpected(looked.error());
  Trees trees = this->trees();
  if (Result<void> asked = ask_what_is_closed(trees); !asked) return std::unexpected(asked.error());
  if (Result<void> safe = check_emptied(trees); !safe) return std::unexpected(safe.error());
  if (Result<void> compared = compare(trees); !compared) return std::unexpected(compared.error());
  const Plan plan = reconcile(trees, options_.label);
  report_.collisions = plan.collisions;
  Result<void> done;
  for (const Action& action : plan.actions) {
    if (options_.dry_run)
      report_.planned.push_back(described(action));
    else
      done = carry_out(action);
    if (!done) break;
  }
  if (!options_.dry_run) {
    if (done) done = work_off();
    // What has been done counts, whatever came then.
    const Result<void> kept = keep();
    if (done) done = kept ? state_.finish() : kept;
  }
  if (!done) return std::unexpected(done.error());
  report_.bytes_sent = remote_.bytes_sent();
  report_.bytes_received = remote_.bytes_received();
  return std::move(report_);
}

Result<void> Run::look() {
  options_.progress("looking at this PC's files");
  const std::string prefix = remote_.folder() == "/" ? "" : remote_.folder();
  scan_ = local_.scan([&](const std::string& path) -> Result<void> {
    const Result<drive::Path> parsed = drive::Path::parse(prefix + "/" + path);
    return parsed ? Result<void>() : std::unexpected(parsed.error());
  });
  report_.remarks = scan_.remarks;
  if (scan_.left.contains("")) return fail(Code::kPermissionDenied, scan_.remarks.front());
  options_.progress("looking at the drive's files");
  Result<std::map<std::string, Listed>> there = remote_.tree();
  const bool is_missing = !there && there.error().code == Code::kNotFound;
  if (is_missing && !state_.state().known.empty()) {
    return fail(Code::kNotFound,
                fmt::format("the drive has no folder {0} any more: bring it back (hearth drive trash), "
                            "or make it (hearth drive mkdir {0})",
                            remote_.folder()));
  }
  if (is_missing && !options_.dry_run) {
    if (Result<void> made = remote_.make(); !made) return made;
    there = remote_.tree();
  }
  if (!there && !(is_missing && options_.dry_run)) return std::unexpected(there.error());
  if (there) there_ = *std::move(there);
  for (const auto& [path, listed] : there_) {
    const std::size_t slash = path.rfind('/');
    if (std::string_view(path).substr(slash == std::string::npos ? 0 : slash + 1) == LocalFolder::kOwn) {
      scan_.left.insert(path);
    }
  }
  return {};
}

// A private folder that is closed to this device is not in the drive's list, as one that is gone. Asked for a file of
// its name, the drive says which.
Result<void> Run::ask_what_is_closed(Trees& trees) {
  if (remote_.folder() != "/") return {};  // those are at the drive's top alone
  const std::vector<std::string> names = to_ask(trees);
  for (std::size_t first = 0; first < names.size(); first += kMaxBatch) {
    std::vector<Wanted> wanted;
    for (std::size_t i = first; i < std::min(names.size(), first + kMaxBatch); ++i) {
      wanted.push_back({.path = names[i], .etag = {}});
    }
    const Result<std::vector<Given>> given = remote_.hash(wanted);
    if (!given) return std::unexpected(given.error());
    for (std::size_t i = 0; i < wanted.size(); ++i) {
      if ((*given)[i].code == Code::kNotFound) continue;
      trees.closed.insert(wanted[i].path);
      // Else it has come while this run looked: the next one sees to it.
      if ((*given)[i].code == Code::kPermissionDenied) report_.closed.push_back(wanted[i].path);
    }
  }
  return {};
}

// A disk that is not mounted looks like a folder that somebody has emptied. What is closed is not judged.
Result<void> Run::check_emptied(const Trees& trees) const {
  const auto open = [&](const auto& all) {
    return std::ranges::count_if(
        all, [&](const auto& one) { return !trees.closed.contains(one.first.substr(0, one.first.find('/'))); });
  };
  const auto known = open(trees.base);
  const bool is_empty_here = open(trees.here) == 0;
  if (options_.even_if_emptied || known < kEnough || is_empty_here == trees.there.empty()) return {};
  return fail(Code::kFailedPrecondition,
              fmt::format("{} has nothing any more of the {} files and folders that both had: if that is meant, "
                          "--emptied removes them from the other side, too (into its trash)",
                          is_empty_here ? local_.directory().string() : "the drive", known));
}

// Files whose times alone have changed are as they were.
Trees Run::trees() {
  Trees trees;
  for (const auto& [path, known] : state_.state().known) trees.base.emplace(path, known.base);
  std::vector<std::pair<std::string, Known>> touched;
  for (const auto& [path, seen] : scan_.seen) {
    const auto known = state_.state().known.find(path);
    Side side = seen.side;
    if (known != state_.state().known.end() && is_only_touched(path, seen, known->second)) {
      side = known->second.base.here;
      touched.emplace_back(path, known->second);
      touched.back().second.base.here.version = settled(seen);
    }
    trees.here.emplace(path, std::move(side));
  }
  // What is noted for the next time is not what this one goes by.
  if (!options_.dry_run) {
    for (auto& [path, known] : touched) state_.note(path, std::move(known));
  }
  for (const auto& [path, listed] : there_) trees.there.emplace(path, listed.side);
  trees.left = scan_.left;
  return trees;
}

bool Run::is_only_touched(const std::string& path, const Seen& seen, const Known& known) {
  const std::string& before = known.base.here.version;
  const bool is_file = seen.side.kind == Kind::kFile && known.base.here.kind == Kind::kFile;
  if (!is_file || seen.side.version == before || known.hash.empty()) return false;
  // Of another length it is another one.
  if (before.substr(0, before.find('.')) != seen.side.version.substr(0, seen.side.version.find('.'))) return false;
  const Result<std::string> hash = hash_here(path);
  return hash && *hash == known.hash;
}

Result<void> Run::compare(Trees& trees) {
  std::vector<std::string> small;
  std::uint64_t small_bytes = 0;
  for (const std::string& path : to_compare(trees)) {
    const std::uint64_t bytes = scan_.seen.at(path).bytes;
    if (bytes != there_.at(path).bytes) continue;
    if (bytes > kMaxSmallFile) {
      if (Result<void> compared = compare_large(trees, path); !compared) return compared;
      continue;
    }
    small.push_back(path);
    small_bytes += bytes;
    if (small.size() < kMaxBatch && small_bytes < 16 * kBatchBytes) continue;
    if (Result<void> compared = compare_small(trees, small); !compared) return compared;
    small.clear();
    small_bytes = 0;
  }
  return small.empty() ? Result<void>() : compare_small(trees, small);
}

Result<void> Run::compare_small(Trees& trees, const std::vector<std::string>& paths) {
  options_.progress(fmt::format("comparing {}", paths.front()));
  std::vector<Wanted> wanted;
  wanted.reserve(paths.size());
  for (const std::string& path : paths) wanted.push_back({.path = path, .etag = there_.at(path).side.version});
  const Result<std::vector<Given>> given = remote_.hash(wanted);
  if (!given) return std::unexpected(given.error());
  for (std::size_t i = 0; i < paths.size(); ++i) {
    const Result<std::string> hash = hash_here(paths[i]);
    if (!hash || !(*given)[i].message.empty() || (*given)[i].content != *hash) continue;
    trees.same.insert(paths[i]);
    hashes_[paths[i]] = *hash;
  }
  return {};
}

Result<void> Run::compare_large(Trees& trees, const std::string& path) {
  options_.progress(fmt::format("comparing {}", path));
  const Result<ChunkList> there = remote_.chunks({.path = path, .etag = there_.at(path).side.version});
  if (!there) return trouble(there.error());
  const Result<std::string> hash = hash_here(path);
  if (!hash || *hash != there->hash) return {};
  trees.same.insert(path);
  hashes_[path] = *hash;
  return {};
}

Result<void> Run::trouble(const Error& error) {
  if (is_fatal(error)) return std::unexpected(error);
  report_.problems.push_back(error.message);
  return {};
}

std::optional<Side> Run::here_now(const Action& action) const {
  return action.here ? std::optional(scan_.seen.at(action.path).side) : std::nullopt;
}

Wanted Run::wanted(const Action& action) const {
  return {.path = action.path, .etag = action.there ? action.there->version : ""};
}

Result<std::string> Run::hash_here(const std::string& path) const {
  const Result<Fd> file = local_.open_file(path);
  if (!file) return std::unexpected(file.error());
  net::Sha256 hash;
  for (std::uint64_t at = 0;;) {
    const Result<std::string> bytes = read_at(file->get(), at, kPiece);
    if (!bytes) return bytes;
    hash.update(*bytes);
    at += bytes->size();
    if (bytes->size() == kPiece) continue;
    if (LocalFolder::look_at(file->get()) != scan_.seen.at(path).side) {
      return fail(Code::kFailedPrecondition, path + " is just being changed here");
    }
    return hash.finish();
  }
}

Result<Run::Content> Run::read_here(const std::string& path) const {
  const Seen& seen = scan_.seen.at(path);
  const Result<Fd> file = local_.open_file(path);
  if (!file) return std::unexpected(file.error());
  Result<std::string> bytes = read_at(file->get(), 0, seen.bytes);
  if (!bytes) return std::unexpected(bytes.error());
  Content content{.bytes = *std::move(bytes), .hash = {}, .version = settled(seen)};
  if (LocalFolder::look_at(file->get()) != seen.side) {
    return fail(Code::kFailedPrecondition, path + " is just being changed here: the next run sends it");
  }
  content.hash = net::sha256(content.bytes);
  return content;
}

void Run::note_file(const std::string& path, std::string here, std::string there, std::string hash) {
  state_.note(path, {.base = {.here = {.kind = Kind::kFile, .version = std::move(here)},
                              .there = {.kind = Kind::kFile, .version = std::move(there)}},
                     .hash = std::move(hash)});
}

void Run::note_folder(const std::string& path) {
  state_.note(
      path, {.base = {.here = {.kind = Kind::kFolder, .version = {}}, .there = {.kind = Kind::kFolder, .version = {}}},
             .hash = {}});
}

Result<void> Run::keep() {
  done_here_ = 0;
  if (Result<void> synced = local_.sync_folders(); !synced) return synced;
  return state_.flush();
}

Result<void> Run::carry_out(const Action& action) {
  switch (action.what) {
    case What::kMakeThere:
      return queue(action, Queue::kFolders);
    case What::kSend:
    case What::kFetch:
      return queue(action, Queue::kFiles);
    case What::kRemoveThere:
      return queue(action, Queue::kRemovals);
    default:
      break;
  }
  if (Result<void> done = carry_out_here(action); !done) {
    if (Result<void> ended = trouble(done.error()); !ended) return ended;
  }
  return ++done_here_ < kKeptTogether ? Result<void>() : keep();
}

Result<void> Run::carry_out_here(const Action& action) {
  const std::string& path = action.path;
  Result<void> done;
  switch (action.what) {
    case What::kAdopt:
      if (action.here->kind == Kind::kFolder)
        note_folder(path);
      else
        note_file(path, settled(scan_.seen.at(path)), action.there->version, hashes_.at(path));
      break;
    case What::kForget:
      state_.forget(path);
      break;
    case What::kRenameHere: {
      const Result<Side> now = local_.rename(path, action.to, *here_now(action));
      if (!now) return std::unexpected(now.error());
      scan_.seen[action.to] = scan_.seen.at(path);
      scan_.seen[action.to].side = *now;
      state_.forget(path);
      report_.conflicts.push_back(action.to);
      break;
    }
    case What::kMakeHere:
      done = local_.make_folder(path);
      if (done) note_folder(path);
      break;
    default:
      done = local_.remove(path, *here_now(action));
      if (!done) break;
      state_.forget(path);
      report_.removed_here += action.here->kind == Kind::kFile ? 1 : 0;
      break;
  }
  return done;
}

Result<void> Run::queue(const Action& action, Queue which) {
  if (which != queued_) {
    if (Result<void> done = work_off(); !done) return done;
    queued_ = which;
  }
  const auto push = [&](std::vector<Action>& queue) -> Result<void> {
    queue.push_back(action);
    return queue.size() < kMaxBatch ? Result<void>() : work_off();
  };
  if (which == Queue::kFolders) return push(folders_);
  if (which == Queue::kRemovals) return push(removals_);
  const bool is_send = action.what == What::kSend;
  if (is_send && !scan_.seen.contains(action.path)) return {};  // its renaming has failed, and that is told
  const std::uint64_t bytes = is_send ? scan_.seen.at(action.path).bytes : there_.at(action.path).bytes;
  if (bytes > kMaxSmallFile) {
    Result<void> done = is_send ? send_large(action) : fetch_large(action);
    return done ? done : trouble(done.error());
  }
  (is_send ? sends_bytes_ : fetches_bytes_) += bytes;
  (is_send ? sends_ : fetches_).push_back(action);
  if (sends_.size() == kMaxBatch || sends_bytes_ >= kBatchBytes) return send_small();
  if (fetches_.size() == kMaxBatch || fetches_bytes_ >= kBatchBytes) return fetch_small();
  return {};
}

Result<void> Run::work_off() {
  for (const auto step : {&Run::send_folders, &Run::send_small, &Run::fetch_small, &Run::send_removals}) {
    if (Result<void> done = (this->*step)(); !done) return done;
  }
  return {};
}

}  // namespace hearth::sync
