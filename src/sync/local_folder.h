// A folder of this PC that is kept the same as one of a drive. Reached beneath its root, no symbolic link followed;
// what is received is written aside and renamed into its place, what is removed goes into a trash of its own. Nothing
// is replaced, renamed or removed that is not what the scan found.
//
//   Result<std::unique_ptr<LocalFolder>> folder = LocalFolder::open("/home/mia/Family");
//   const Scan scan = (*folder)->scan(is_allowed);
//   Result<Aside> file = (*folder)->receive(); ... (*folder)->place(std::move(*file), "a.jpg", {}, modified);
//
// Its own folder in it, .hearth-sync: "lock"; "state" (core/sync/state.h); "new", what is received; "trash", by run.
// All functions block.
#pragma once

#include <sys/stat.h>

#include <cstdint>
#include <filesystem>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/fd.h"
#include "base/result.h"
#include "core/sync/reconcile.h"

namespace hearth::sync {

struct Seen {
  Side side;  // a file's version: size, inode, when it and what is said of it were last changed
  std::uint64_t bytes = 0;
  std::int64_t modified_nanos = 0;
  bool is_executable = false;  // a file that its owner may run
};

struct Scan {
  std::map<std::string, Seen> seen;  // by path: "photos/a.jpg"
  std::set<std::string> left;        // paths that cannot be kept the same, with all below
  std::vector<std::string> remarks;  // why, a sentence for each
};

// A file that has not its name yet.
struct Aside {
  Fd file;
  std::string name;  // in "new"
};

class LocalFolder {
 public:
  static constexpr std::string_view kOwn = ".hearth-sync";
  static constexpr std::int64_t kTrashDays = 30;

  // kLook: nothing in it is changed then, nor may what follows scan() be called.
  enum class To : std::uint8_t { kLook, kChange };
  // Makes its own folder in it, and erases what has lain in its trash for longer. Errors: kNotFound,
  // kFailedPrecondition (no folder; another run is at it), of the disk.
  static Result<std::unique_ptr<LocalFolder>> open(const std::filesystem::path& directory, To to = To::kChange);

  const std::filesystem::path& directory() const { return directory_; }
  std::filesystem::path own(std::string_view name) const { return directory_ / kOwn / name; }

  // `check`: whether the drive can have such a path.
  Scan scan(const std::function<Result<void>(const std::string& path)>& check) const;
  std::optional<Side> look(const std::string& path) const;
  Result<Fd> open_file(const std::string& path) const;
  static std::optional<Side> look_at(int file);  // of an open one

  // A file of the name in "new", emptied. Those whose names begin with "part-" outlive a run, for 30 days: the next one
  // goes on with what they hold.
  Result<Aside> receive(const std::string& name) const;
  std::optional<Fd> open_left(const std::string& name) const;
  void rename_left(const std::string& name, const std::string& to) const;
  void drop(const std::string& name) const;

  static void set_modified(const Aside& file, std::int64_t modified_millis);
  // By whoever may read it. One that is replaced and was so stays so, whatever takes its place.
  static void make_executable(const Aside& file);
  // What they hold, and their times, are on the disk when it returns.
  static Result<void> finish(const std::vector<const Aside*>& files);

  // Errors of those below: kFailedPrecondition (it is not what it was), kAlreadyExists, of the disk. They are on the
  // disk once sync_folders() has returned.
  Result<Side> place(const Aside& file, const std::string& path, const std::optional<Side>& before);
  Result<void> make_folder(const std::string& path);
  Result<Side> rename(const std::string& path, const std::string& to, const Side& before);
  Result<void> remove(const std::string& path, const Side& before);  // a folder: if it is empty
  Result<void> sync_folders();

 private:
  LocalFolder(std::filesystem::path directory, Fd root, Fd lock, std::string run)
      : directory_(std::move(directory)), root_(std::move(root)), lock_(std::move(lock)), run_(std::move(run)) {}
  Result<Fd> open_beneath(const std::string& path, int flags) const;
  Result<Fd> folder_of(const std::string& path);
  Result<Fd> trash_for(const std::string& path) const;
  void scan_folder(const Fd& folder, const std::string& path,
                   const std::function<Result<void>(const std::string&)>& check, Scan& scan) const;

  std::filesystem::path directory_;
  Fd root_;
  Fd lock_;
  bool keeps_modes_ = true;        // else the file system says of every file that it is a program
  std::string run_;                // names this run's folder in the trash
  std::set<std::string> changed_;  // folders whose names are to be brought to the disk
};

// Reads so much, or less at the end. Errors: of the disk.
Result<std::string> read_at(int file, std::uint64_t offset, std::size_t most);
Result<void> write_all_to(int file, std::string_view bytes);

}  // namespace hearth::sync
