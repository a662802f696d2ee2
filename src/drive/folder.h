// The drive's files: plain files in a plain folder, reached by paths that cannot leave it (openat2 beneath the root, no
// symbolic link followed). Every change is atomic and on the disk when it returns: whoever reads finds the old state or
// the new one, after a loss of power too.
//
//   Result<Folder> folder = Folder::open("/home/mia/Hearth");
//   Result<Incoming> file = folder->receive();
//   file->write(bytes); ...
//   Result<Placed> placed = folder->place(std::move(*file), path, {});
//
// All functions block: call them on a worker. Those that change names are called by one thread at a time (the drive's
// own worker, drive.h); receiving and reading by any.
#pragma once

#include <sys/types.h>

#include <atomic>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/fd.h"
#include "base/result.h"
#include "base/time.h"
#include "core/drive/path.h"
#include "core/drive/space.h"
#include "drive/allowances.h"
#include "drive/disk_wait.h"
#include "drive/xml.h"

namespace hearth::drive {

enum class Kind : std::uint8_t { kFile, kFolder };

struct Entry {
  std::string name;  // empty for the root
  Kind kind = Kind::kFile;
  std::uint64_t bytes = 0;  // of a file
  WallTime modified;
  std::string etag;  // "\"5f2-1000-18f3c2a\"", with its quotes: another one after every change
};

// A file that is being received: without a name among the drive's own, gone with this object unless it is placed.
class Incoming {
 public:
  Incoming(Incoming&&) noexcept = default;
  Incoming& operator=(Incoming&&) noexcept;
  ~Incoming();

  // At the end. Errors: kResourceExhausted (the disk has no more room than kKeptFree), of the disk.
  Result<void> write(std::string_view bytes);
  // Nothing more will be written: the time of its last change (else now), and all of it to the disk, so that placing it
  // keeps others no longer than a name takes. Errors: of the disk.
  Result<void> finish(std::optional<WallTime> modified = {});
  int descriptor() const { return file_.get(); }

 private:
  friend class Folder;
  Incoming(Fd file, std::filesystem::path path) : file_(std::move(file)), path_(std::move(path)) {}
  Result<void> append(std::string_view bytes);

  Fd file_;
  std::filesystem::path path_;  // empty once it is placed
  bool is_on_disk_ = false;
};

// A file or folder once more, which has no name among the drive's own yet; gone with this object unless it is placed.
class Copied {
 public:
  Copied(Copied&& other) noexcept : place_(std::exchange(other.place_, {})), bytes_(other.bytes_) {}
  Copied& operator=(Copied&&) = delete;
  ~Copied();

 private:
  friend class Folder;
  explicit Copied(std::filesystem::path place) : place_(std::move(place)) {}

  std::filesystem::path place_;  // empty once it is placed
  std::uint64_t bytes_ = 0;
};

// What must be so for a change to be made; else kFailedPrecondition.
struct Condition {
  std::string if_match;       // as the header: "*" or a list of etags; empty: anything
  std::string if_none_match;  // "*": there must be nothing yet
};

// Whether a list as in If-Match ("*", or etags with their quotes) names the etag.
bool names_etag(std::string_view list, std::string_view etag);

struct Placed {
  Entry entry;
  bool created = false;  // false: it replaced a file
};

// One of several files that are placed together.
struct Arriving {
  Incoming file;
  Path path;
  Condition condition;
  WallTime modified;
};

// Of one thing in the trash.
struct Trashed {
  std::string id;    // names it for restore()
  std::string path;  // where it was
  Kind kind = Kind::kFile;
  std::uint64_t bytes = 0;  // of a file; of a folder: all in it
  WallTime removed;
};

// What a file was before it was replaced.
struct Version {
  std::string id;  // of this file's versions
  std::uint64_t bytes = 0;
  WallTime modified;
  WallTime replaced;
};

class Folder {
 public:
  // Makes the folder, readable by its owner alone, if it is not there. What an ended process was receiving is removed.
  // Errors: of the disk; kFailedPrecondition if it is no folder.
  static Result<std::unique_ptr<Folder>> open(const std::filesystem::path& root);

  const std::filesystem::path& root() const { return root_; }
  // The drive's own folder for `name` ("uploads"), made if it is not there: of the same file system, so that what lies
  // in it can be renamed into its place.
  Result<std::filesystem::path> own(std::string_view name) const;
  // A small file of the drive's own, there whole, old or new, whatever happens. No file: empty.
  Result<void> write_own(std::string_view name, std::string_view text) const;
  Result<std::string> read_own(std::string_view name) const;

  // Errors of all below: kNotFound (it or its parent), kPermissionDenied, of the disk. Symbolic links, devices, sockets
  // and pipes that somebody put into the folder are not there, except that nothing can be made in their place.
  Result<Entry> look(const Path& path) const;
  Result<std::vector<Entry>> list(const Path& folder) const;  // in no order. kFailedPrecondition: a file
  Result<std::pair<Fd, Entry>> read(const Path& file) const;  // kFailedPrecondition: a folder
  // The same, for the loop's thread: nothing if it cannot be had without waiting for the disk, or not at all.
  std::optional<std::pair<Fd, Entry>> read_at_once(const Path& file) const;
  Result<Fd> open_folder(const Path& folder) const;  // for reading names. kFailedPrecondition: a file

  // What WebDAV's clients have said of it (an extended attribute, so that it goes where the file goes, by whomever it
  // is moved). None where the file system keeps none.
  Result<Properties> properties(const Path& path) const;
  // All changes or none. Errors: kResourceExhausted (more than the file system keeps), kUnimplemented (it keeps none).
  Result<void> change_properties(const Path& path, const std::vector<PropertyChange>& changes);

  struct Room {
    std::uint64_t free = 0;  // besides kKeptFree
    std::uint64_t used = 0;
  };
  Result<Room> room() const;  // of the disk

  // `expected_bytes`: refused at once if the disk has not that much room besides kKeptFree (kResourceExhausted).
  Result<Incoming> receive(std::uint64_t expected_bytes = 0) const;
  // All of a small file. It is not on the disk yet, neither by sync() nor by finish().
  Result<Incoming> receive_whole(std::string_view bytes, std::optional<WallTime> modified) const;

  // What has a limit, and how much it holds. Whatever comes to be there has to fit (kResourceExhausted).
  Allowances& allowances() const { return *allowances_; }
  // Whether a file of so many bytes would fit there, before it has come.
  Result<void> check_fits(const Path& path, std::uint64_t bytes) const;

  // Gives a received file its name, in place of a file that has it. Errors: kNotFound (no parent folder),
  // kFailedPrecondition (the condition), kAlreadyExists (a folder has the name).
  Result<Placed> place(Incoming file, const Path& path, const Condition& condition);
  // The same for a file of own(), which is then no longer there. `modified`: else when it was.
  Result<Placed> place_own(const std::filesystem::path& file, const Path& path, const Condition& condition,
                           std::optional<WallTime> modified = {});

  // Several: their bytes are on the disk once sync() has returned, then each is placed, then their names are on the
  // disk once sync_names() has returned. So it takes two waits for all of them.
  using NamedFolders = std::map<Path, Fd>;  // those in which names have been given
  std::vector<Result<void>> sync(std::span<Incoming* const> files);
  Result<Placed> place(Incoming file, const Path& path, const Condition& condition, NamedFolders& named);
  std::map<Path, Error> sync_names(const NamedFolders& named);  // of the folders that could not be

  // The same for files whose times are set, too. The bytes of all are on the disk once sync_together() has returned,
  // which any thread may call; then they are placed, each as by place() and whatever becomes of the others.
  static Result<void> sync_together(const std::vector<Arriving>& files);
  std::vector<Result<Placed>> place_together(std::vector<Arriving> files);

  // What place() and place_own() have replaced, the newest first; what was empty is not kept.
  Result<std::vector<Version>> versions(const Path& file) const;
  Result<std::pair<Fd, Entry>> read_version(const Path& file, const std::string& id) const;
  // What is there now becomes a version in its turn.
  Result<Placed> restore_version(const Path& file, const std::string& id);
  // Drops those that core/drive/versions.h does not keep within a quarter of the room that the disk has with them. The
  // bytes of the others. By any thread.
  Result<std::uint64_t> thin_versions();
  // Bytes that have become versions since.
  std::uint64_t kept_bytes() const { return kept_bytes_; }

  // `path`, or the first of "a (2).jpg", "a (3).jpg"... that is free, or whose file `fits`.
  Result<Path> free_name(const Path& path, const std::function<bool(const Path&)>& fits = {}) const;

  Result<Entry> make_folder(const Path& path);  // kAlreadyExists; kNotFound: no parent
  Result<void> make_parents(const Path& path);  // those of the folders above it that are not there

  // Whole, or not at all. With `replace`, what is at `to` goes into the trash; without, kAlreadyExists.
  // kInvalidArgument: the root, or into itself. True: `to` was there.
  Result<bool> move(const Path& from, const Path& to, bool replace);
  // The same of what copy_aside() has made, which takes as long as there is much of it: by any thread, so that nothing
  // else need wait. A folder without what is in it if not `deep`.
  Result<Copied> copy_aside(const Path& from, const Path& to, bool replace, bool deep) const;
  // `copied` is as it was where that fails.
  Result<bool> place_copy(Copied& copied, const Path& from, const Path& to, bool replace);

  Result<void> remove(const Path& path);  // into the trash. kInvalidArgument: the root

  Result<std::vector<Trashed>> trash() const;          // the newest first
  Result<std::vector<std::string>> trash_ids() const;  // of all in it, in no order
  Result<Path> origin(const std::string& id) const;    // where it was
  // Back to where it was, or beside what is there now ("a (2).jpg"); parents are made. The path it has now.
  Result<Path> restore(const std::string& id);
  // Out of the trash: what remains to be erased, which takes its time and can be done by any thread (the next open()
  // does it, else). A file or folder of the drive's own.
  Result<std::filesystem::path> discard(const std::string& id);
  // All that lies there for longer.
  Result<std::vector<std::filesystem::path>> discard_older(Duration age);

 private:
  Folder(Fd root_file, std::filesystem::path root) : root_file_(std::move(root_file)), root_(std::move(root)) {}
  Result<Fd> open_beneath(const Path& path, int flags, std::uint64_t also = 0) const;
  // `also`: of openat2's RESOLVE_.
  Result<std::pair<Fd, Entry>> read_with(const Path& file, std::uint64_t also) const;
  Result<Fd> parent_of(const Path& path) const;
  Result<void> into_trash(const Path& path);
  static Result<void> check_apart(const Path& from, const Path& to);
  // All that is at `from` comes to `to`.
  Result<void> take_room(const Path& from, const Path& to);
  // True: something is at `to`.
  Result<bool> check_way(const Path& from, const Path& to, bool replace) const;
  Result<bool> clear_way(const Path& from, const Path& to, bool replace);
  Result<Incoming> make_incoming() const;
  Result<Placed> place_named(const std::filesystem::path& from, int descriptor, const Path& path,
                             const Condition& condition, bool is_on_disk, NamedFolders& named);
  // Once its name, given above, is on the disk.
  Result<Placed> sync_name(Result<Placed> placed, const NamedFolders& named);
  // `replaced`, the open file that has the name there, will be replaced by `by`. True: `by` was changed for that.
  bool keep_version(int folder, const std::string& name, int replaced, int by);
  Result<std::filesystem::path> version_file(const Path& file, const std::string& id) const;

  Fd root_file_;
  std::filesystem::path root_;
  std::atomic<std::uint64_t> kept_bytes_ = 0;
  std::unique_ptr<Allowances> allowances_ = std::make_unique<Allowances>();
  DiskWait disk_;
  bool is_local_ = false;
};

}  // namespace hearth::drive
