// The drive as it runs in the hub: its folder, opened when it is first asked for, the threads that its work is done on,
// and the locks that WebDAV's clients hold. WebDAV, uploads and the page's calls share it.
//
//   Drive drive(loop, workers, "/home/mia/Hearth");
//   Result<Folder*> folder = co_await drive.open();
//   Result<void> removed = co_await drive.change({.device = phone}, {{path, Touched::Reach::kTree}},
//                                                [&](Folder& folder) { return folder.remove(path); });
#pragma once

#include <filesystem>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <span>
#include <string_view>
#include <type_traits>
#include <vector>

#include "core/drive/locks.h"
#include "core/drive/private_folders.h"
#include "drive/folder.h"
#include "net/async.h"
#include "net/rounds.h"

namespace hearth::drive {

// A file that is to be given its name.
struct Arrival {
  Holder holder;
  Path path;
  std::string_view bytes;            // all it holds, if there is no `file` yet
  std::optional<WallTime> modified;  // of these bytes; else now
  std::optional<Incoming> file;      // finish()ed
  // What must hold before it is placed, and the placing.
  std::function<Result<void>(Folder&)> first;
  std::function<Result<Placed>(Folder&, Incoming, Folder::NamedFolders&)> place;
};

class Drive {
 public:
  Drive(net::Loop& loop, net::Workers& workers, std::filesystem::path folder);

  // The folder, made if it is not there. Errors: of the disk.
  net::Async<Result<Folder*>> open();

  const std::filesystem::path& root() const { return root_; }

  // Asked before each change, on the loop's thread: whether this PC may make one. Its error is the change's.
  void guard(std::function<Result<void>()> may_change) { may_change_ = std::move(may_change); }

  // Another number after every change that was made by this object, and what wakes those that wait for one. What other
  // programs change in the folder does not count. The loop's thread.
  std::uint64_t changes() const { return changes_; }
  net::Event& changed() { return changed_; }
  bool is_changing() const { return changing_ > 0; }  // one is under way, and not yet counted

  // For reading, and for receiving bytes.
  net::Workers& workers() { return workers_; }

  // Runs `change`, a function of the Folder that gives a Result, where names are changed, one change at a time, unless
  // a lock that the holder has not named keeps him from something of what it touches (kAborted). Once it is made, the
  // locks on what went from there (Touched::Reach::kTree) are gone. `first`: what must hold before all that.
  template <class Change>
  auto change(Holder holder, std::vector<Touched> touched, Change change,
              std::function<Result<void>(Folder&)> first = {}) -> net::Async<std::invoke_result_t<Change, Folder&>> {
    const Result<Folder*> folder = co_await open();
    if (!folder) co_return std::unexpected(folder.error());
    if (Result<void> may = begin_change(); !may) co_return std::unexpected(may.error());
    auto done = co_await names_.run([&]() -> std::invoke_result_t<Change, Folder&> {
      if (Result<void> holds = first ? first(**folder) : Result<void>(); !holds) return std::unexpected(holds.error());
      if (Result<void> free = check(holder, touched); !free) return std::unexpected(free.error());
      auto done = change(**folder);
      if (done) forget(touched);
      return done;
    });
    end_change();
    thin_versions_if_due();
    co_return done;
  }

  // Whose the folders at its top are; as it was when the drive was made, and then as it was changed. Errors: kDataLoss
  // (what the disk has of it cannot be read), with which open() fails, too, so that nobody's are shown to all. Any
  // thread.
  Result<PrivateFolders> private_folders() const;
  // On the disk when it returns. Errors: of `change`, which is called where names are changed; of the disk.
  net::Async<Result<void>> change_private_folders(std::function<Result<void>(PrivateFolders&)> change);

  // Places it as change() would, but together with all others that come meanwhile: they wait for the disk twice, for
  // all their bytes and for all their names, however many they are. Answered once both are there.
  net::Async<Result<Placed>> place(Arrival arrival);

  // What Folder::copy_aside() makes, while others change what they like.
  net::Async<Result<Copied>> copy_aside(const Path& from, const Path& to, bool replace, bool deep);
  // One that could not be placed: there may be much of it, so its end is not for the loop's thread.
  net::Async<void> drop(Copied copied);

  // A copy of the table of locks as it is now. Any thread.
  LockTable locks() const;

  // Changes the table where names are changed, and keeps it on the disk: locks survive a restart.
  template <class Change>
  auto change_locks(Change change) -> net::Async<std::invoke_result_t<Change, LockTable&>> {
    const Result<Folder*> folder = co_await open();
    if (!folder) co_return std::unexpected(folder.error());
    if (Result<void> may = begin_change(); !may) co_return std::unexpected(may.error());
    auto done = co_await names_.run([&] {
      auto done = with_locks(change);
      keep_locks();
      return done;
    });
    end_change();
    co_return done;
  }

  // What Folder::discard() gave, bit by bit, so that others need not wait. It goes on by itself; what an ended process
  // has left goes with the next start.
  void erase_later(std::filesystem::path discarded);

  // A device has been revoked: nothing stays locked by it.
  net::Async<void> release(DeviceId holder);

  // Earlier versions of files are thinned out so long after the last time, or once so many bytes have come to them.
  static constexpr Duration kThinned = minutes(1);
  static constexpr std::uint64_t kThinnedBytes = 1ULL << 30;

  // What has lain in the trash for so long is erased, with a later call of open().
  static constexpr Duration kTrashKept = minutes(30 * 24 * 60);

 private:
  struct Placing {
    Arrival& arrival;
    Result<Placed> outcome;
  };

  Result<void> begin_change();
  void end_change();
  Result<void> open_here();
  void place_all(std::span<Placing* const> placings);
  Result<Placed> place_one(Arrival& arrival, Folder::NamedFolders& named);
  net::Async<void> erase_bit_by_bit(std::filesystem::path discarded);
  void thin_versions_if_due();
  net::Async<void> thin_versions();
  Result<void> check(const Holder& holder, const std::vector<Touched>& touched) const;
  void forget(const std::vector<Touched>& touched);
  template <class Change>
  auto with_locks(Change& change) {
    const std::lock_guard guard(mutex_);
    return change(locks_);
  }
  // Writes them, where they have changed. Not under the mutex, for which the loop waits; one thread alone writes.
  void keep_locks();
  bool has_locks() const;

  net::Loop& loop_;
  net::Workers& workers_;
  std::filesystem::path root_;
  std::unique_ptr<Folder> folder_;
  std::function<Result<void>()> may_change_ = [] { return Result<void>(); };
  std::uint64_t changes_;
  int changing_ = 0;
  net::Event changed_;
  std::optional<Time> tidied_;
  std::optional<Time> thinned_;
  bool is_thinning_ = false;
  mutable std::mutex mutex_;  // of locks_ and private_
  Result<PrivateFolders> private_;
  LockTable locks_;
  std::uint64_t kept_changes_ = 0;  // of locks_, those that the disk has
  net::Workers copies_{2};          // these end before what they work on
  net::Workers names_{1};
  net::Rounds<Placing> placing_{names_, [this](std::span<Placing* const> placings) { place_all(placings); }};
};

}  // namespace hearth::drive
