#include "hub/copy_round.h"

#include <algorithm>
#include <span>
#include <utility>

#include "base/log.h"
#include "net/crypto.h"

namespace hearth::hub {
namespace {

using drive::below;
using drive::CopyAction;
using drive::CopyEntry;
using drive::CopyStep;

constexpr std::size_t kFoldersAtOnce = 64;
constexpr std::size_t kMaxKept = 200'000;  // beyond it, what has another name travels again
constexpr std::size_t kSmallAtOnce = sync::kMaxBatch;
constexpr std::uint64_t kSmallBytesAtOnce = 8 << 20;

// What keeps all else from coming, too.
bool ends_round(const Error& error) {
  return error.code == Code::kUnavailable || error.code == Code::kCanceled || error.code == Code::kDeadlineExceeded ||
         error.code == Code::kUnauthenticated;
}

// One that has changed since it was looked at comes with the next look.
void keep_first(Result<void>& first, const Result<void>& done) {
  if (first && !done) first = done;
}

}  // namespace

net::Async<Result<void>> CopyRound::run(const CopyCaller::Look& look) {
  for (const drive::LookedAt& at : look.folders) {
    looked_[at.folder] = at.digest;
    const auto known = memory_.digests.find(at.folder);
    if (known == memory_.digests.end() || known->second != at.digest) changed_.push_back(at.folder);
  }
  std::erase_if(memory_.digests, [this](const auto& known) { return !looked_.contains(known.first); });
  Result<void> done = co_await survey();
  if (!done) co_return done;
  for (std::size_t first = 0; first < changed_.size(); first += kFoldersAtOnce) {
    const auto end = changed_.begin() + static_cast<std::ptrdiff_t>(std::min(changed_.size(), first + kFoldersAtOnce));
    const Result<void> brought =
        co_await bring(std::vector<std::string>(changed_.begin() + static_cast<std::ptrdiff_t>(first), end));
    keep_first(done, brought);
    if (!brought && ends_round(brought.error())) co_return done;
  }
  if (!look.trouble.empty()) missed_.clear();  // who knows
  if (look.trouble.empty()) keep_first(done, co_await remove_all());
  memory_.missed = missed_;
  if (done && !look.trouble.empty()) done = fail(Code::kInternal, "on the PC that holds the pool: " + look.trouble);
  co_return done;
}

// --- what there is to do --------------------------------------------------------------------------------------------

std::vector<CopyEntry> CopyRound::list_here(const std::string& folder) const {
  return folder_.tree().list(folder).value_or(std::vector<CopyEntry>());
}

// On the files' thread. Folders that the holder has not are gone through, too: they may have another name there.
void CopyRound::remember_kept(const std::string& folder, const std::set<std::string>& looked) {
  for (const CopyEntry& entry : list_here(folder)) {
    const std::string path = below(folder, entry.name);
    if (kept_.size() >= kMaxKept) return;
    if (!entry.is_folder) {
      kept_.emplace(drive::copy_key_of_kept(entry, names_.source, names_.self), path);
    } else if (!looked.contains(path)) {
      remember_kept(path, looked);
    }
  }
}

bool CopyRound::has_kept(const CopyEntry& entry) const {
  return std::ranges::any_of(drive::copy_keys_of_wanted(entry, names_.source, names_.self),
                             [this](const std::string& key) { return kept_.contains(key); });
}

// Counts what is behind, and learns what is here. What is new in the trash or among the versions was a file of the
// drive a moment ago: where the look caught it on its way, its folder is as it was, and looked through all the same.
net::Async<Result<void>> CopyRound::survey() {
  std::set<std::string> looked;
  for (const auto& [folder, digest] : looked_) looked.insert(folder);
  std::vector<CopyEntry> put_away;
  for (std::size_t first = 0; first < changed_.size(); first += kFoldersAtOnce) {
    const auto begin = changed_.begin() + static_cast<std::ptrdiff_t>(first);
    const std::vector<std::string> some(
        begin, changed_.begin() + static_cast<std::ptrdiff_t>(std::min(changed_.size(), first + kFoldersAtOnce)));
    const Result<std::vector<CopyCaller::List>> lists = co_await caller_.lists(some);
    if (!lists) co_return std::unexpected(lists.error());
    co_await files_.run([&] {
      for (const CopyCaller::List& list : *lists) {
        remember_kept(list.folder, looked);
        for (const CopyAction& action :
             drive::plan_copy(list.entries, list_here(list.folder), names_.source, names_.self)) {
          if (action.step != CopyStep::kFetch) continue;
          ++files_behind_;
          bytes_behind_ += action.entry.bytes;
          if (list.folder.starts_with(drive::Path::kOwnFolder)) put_away.push_back(action.entry);
        }
      }
    });
    co_await on_progress_(*this);
  }
  if (std::ranges::any_of(put_away, [this](const CopyEntry& entry) { return !has_kept(entry); })) {
    co_await files_.run([&] {
      for (const std::string& folder : looked) remember_kept(folder, looked);
    });
  }
  co_return Result<void>();
}

net::Async<Result<void>> CopyRound::bring(const std::vector<std::string>& folders) {
  const Result<std::vector<CopyCaller::List>> lists = co_await caller_.lists(folders);
  if (!lists) co_return std::unexpected(lists.error());
  Result<void> done;
  std::vector<Fetch> fetches;
  std::vector<const CopyCaller::List*> settled;
  for (const CopyCaller::List& list : *lists) {
    if (list.is_absent) continue;
    const Result<bool> is_settled = co_await carry_out(list, fetches);
    keep_first(done, is_settled ? Result<void>() : std::unexpected(is_settled.error()));
    if (!is_settled && ends_round(is_settled.error())) co_return done;
    if (is_settled && *is_settled) settled.push_back(&list);
  }
  keep_first(done, co_await fetch_all(std::move(fetches)));
  if (!done) co_return done;
  for (const CopyCaller::List* list : settled) memory_.digests[list->folder] = drive::copy_digest(list->entries);
  co_return done;
}

// --- what is done ---------------------------------------------------------------------------------------------------

bool CopyRound::is_missed_again(const std::string& path) {
  if (memory_.missed.contains(path)) return true;
  missed_.insert(path);
  return false;
}

// False: something of it is to be removed, now or after the next look.
net::Async<Result<bool>> CopyRound::carry_out(const CopyCaller::List& list, std::vector<Fetch>& fetches) {
  const std::vector<CopyAction> actions = co_await files_.run(
      [&] { return drive::plan_copy(list.entries, list_here(list.folder), names_.source, names_.self); });
  Result<void> done;
  bool is_settled = true;
  for (const CopyAction& action : actions) {
    const std::string path = below(list.folder, action.entry.name);
    const bool is_wanted = std::ranges::binary_search(list.entries, action.entry.name, {}, &CopyEntry::name);
    if (!is_wanted) {
      is_settled = false;
      if (is_missed_again(path)) removals_.push_back({path, action});
      continue;
    }
    const Result<void> acted = co_await act(path, action, fetches);
    keep_first(done, acted);
    if (!acted && ends_round(acted.error())) break;
  }
  if (!done) co_return std::unexpected(done.error());
  co_return is_settled;
}

net::Async<Result<void>> CopyRound::remove_all() {
  Result<void> done;
  std::vector<Fetch> none;
  for (const Removal& one : removals_) keep_first(done, co_await act(one.path, one.action, none));
  co_return done;
}

net::Async<Result<void>> CopyRound::act(const std::string& path, const CopyAction& action,
                                        std::vector<Fetch>& fetches) {
  switch (action.step) {
    case CopyStep::kMakeFolder:
      co_return co_await files_.run([&] { return folder_.make_folder(path, action.entry); });
    case CopyStep::kAttributes:
      co_return co_await files_.run([&] { return folder_.write_attributes(path, action.entry); });
    case CopyStep::kAdopt:
      co_return co_await files_.run([&] { return folder_.adopt(path, action.entry); });
    case CopyStep::kRemove:
      co_return co_await files_.run([&] { return folder_.remove(path); });
    case CopyStep::kSetAside:
      co_return co_await set_aside(path, action.entry);
    case CopyStep::kCompare: {
      const Result<bool> is_same = co_await compare(path, action.entry);
      if (!is_same) co_return std::unexpected(is_same.error());
      if (*is_same) co_return co_await files_.run([&] { return folder_.adopt(path, action.entry); });
      if (Result<void> aside = co_await set_aside(path, action.entry); !aside) co_return aside;
      ++files_behind_;
      bytes_behind_ += action.entry.bytes;
      break;
    }
    case CopyStep::kFetch:
      break;
  }
  if (co_await files_.run([&] { return link_kept(path, action.entry); })) {
    co_await came(action.entry);
  } else {
    fetches.push_back({path, action.entry});
  }
  co_return Result<void>();
}

net::Async<Result<bool>> CopyRound::compare(const std::string& path, const CopyEntry& entry) {
  const Result<std::string> theirs = co_await caller_.hash({.path = path, .etag = entry.etag});
  if (!theirs) co_return std::unexpected(theirs.error());
  const Result<std::string> ours = co_await files_.run([&] { return folder_.hash(path); });
  if (!ours) co_return std::unexpected(ours.error());
  co_return *theirs == *ours;
}

net::Async<Result<void>> CopyRound::set_aside(const std::string& path, const CopyEntry& entry) {
  const Result<std::string> now = co_await files_.run([&] { return folder_.set_aside(path); });
  if (!now) co_return std::unexpected(now.error());
  log_warning("a file that only this PC's drive had is set aside", {{"file", path}, {"now", *now}});
  const auto found = kept_.find(drive::copy_key_of_kept(entry, names_.source, names_.self));
  if (found != kept_.end() && found->second == path) found->second = *now;
  co_return Result<void>();
}

bool CopyRound::link_kept(const std::string& path, const CopyEntry& entry) {
  for (const std::string& key : drive::copy_keys_of_wanted(entry, names_.source, names_.self)) {
    const auto found = kept_.find(key);
    if (found != kept_.end() && found->second != path && folder_.link(found->second, path, entry)) return true;
  }
  return false;
}

net::Async<void> CopyRound::came(const CopyEntry& entry) {
  files_behind_ -= std::min<std::uint64_t>(files_behind_, 1);
  bytes_behind_ -= std::min(bytes_behind_, entry.bytes);
  co_await on_progress_(*this);
}

// --- what travels ---------------------------------------------------------------------------------------------------

net::Async<Result<void>> CopyRound::fetch_all(std::vector<Fetch> fetches) {
  Result<void> done;
  std::vector<Fetch> some;
  std::uint64_t bytes = 0;
  for (Fetch& one : fetches) {
    const bool is_small = one.entry.bytes <= sync::kMaxSmallFile;
    if (!some.empty() && is_small && (some.size() == kSmallAtOnce || bytes + one.entry.bytes > kSmallBytesAtOnce)) {
      keep_first(done, co_await fetch_small(std::exchange(some, {})));
      bytes = 0;
    }
    if (is_small) {
      bytes += one.entry.bytes;
      some.push_back(std::move(one));
    } else {
      keep_first(done, co_await fetch_long(one));
    }
    if (!done && ends_round(done.error())) co_return done;
  }
  if (!some.empty()) keep_first(done, co_await fetch_small(std::move(some)));
  co_return done;
}

net::Async<Result<void>> CopyRound::fetch_small(std::vector<Fetch> some) {
  std::vector<sync::Wanted> wanted;
  std::uint64_t bytes = 0;
  for (const Fetch& one : some) {
    wanted.push_back({.path = one.path, .etag = one.entry.etag});
    bytes += one.entry.bytes;
  }
  if (Result<void> room = co_await files_.run([&] { return folder_.check_room(bytes); }); !room) co_return room;
  Result<std::vector<sync::Given>> given = co_await caller_.read(wanted);
  if (!given) co_return std::unexpected(given.error());
  Result<void> done;
  std::vector<drive::CopyFolder::Arrived> arrived;
  for (std::size_t i = 0; i < some.size(); ++i) {
    sync::Given& one = (*given)[i];
    if (one.message.empty() && one.content.size() != some[i].entry.bytes) one.message = "it has another length";
    if (one.message.empty()) {
      arrived.push_back({some[i].path, some[i].entry, std::move(one.content)});
    } else {
      keep_first(done, fail(Code::kAborted, some[i].path + ": " + one.message));
    }
  }
  keep_first(done, co_await files_.run([&] { return folder_.place(arrived); }));
  for (const drive::CopyFolder::Arrived& one : arrived) co_await came(one.entry);
  co_return done;
}

// What was there of it already may have been damaged by a loss of power: then the whole is compared, too.
net::Async<Result<void>> CopyRound::fetch_long(const Fetch& one) {
  const sync::Wanted wanted{.path = one.path, .etag = one.entry.etag};
  Result<drive::CopyFolder::Coming> coming = co_await files_.run([&] { return folder_.begin(one.entry); });
  if (!coming) co_return std::unexpected(coming.error());
  const bool goes_on = coming->bytes > 0;
  Result<void> done;
  if (coming->bytes < one.entry.bytes) {
    done = co_await caller_.fetch(wanted, coming->bytes, [&](std::string_view bytes) -> net::Async<Result<void>> {
      Result<void> kept = co_await files_.run([&] { return folder_.append(*coming, bytes); });
      if (!kept) co_return kept;
      bytes_behind_ -= std::min<std::uint64_t>(bytes_behind_, bytes.size());
      co_await on_progress_(*this);
      co_return Result<void>();
    });
  }
  if (!done) co_return done;
  if (coming->bytes != one.entry.bytes) co_return fail(Code::kAborted, one.path + " has another length");
  if (goes_on) {
    const Result<std::string> theirs = co_await caller_.hash(wanted);
    if (!theirs) co_return std::unexpected(theirs.error());
    const Result<std::string> ours = co_await files_.run([&] { return folder_.hash_of(*coming); });
    if (!ours || *ours != *theirs) {
      (void)co_await files_.run([&] { return folder_.drop(*coming); });
      co_return fail(Code::kAborted, one.path + " came damaged, and comes anew");
    }
  }
  done = co_await files_.run([&] { return folder_.finish(*coming, one.path, one.entry); });
  if (!done) co_return done;
  files_behind_ -= std::min<std::uint64_t>(files_behind_, 1);
  co_await on_progress_(*this);
  co_return Result<void>();
}

}  // namespace hearth::hub
