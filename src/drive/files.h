// Files and folders of the disk below the drive's own words: what folder.cc and folder_changes.cc share.
#pragma once

#include <sys/stat.h>

#include <atomic>
#include <functional>
#include <optional>
#include <string>

#include "base/wall_clock.h"
#include "drive/folder.h"

namespace hearth::drive {

// As openat2(), of a path that is "." for the root; nothing that somebody linked into the folder leads out of it.
// `also`: of RESOLVE_. -1 and errno.
int open_beneath_root(int root, const std::string& path, int flags, std::uint64_t also = 0);

// Nothing if it is neither a file nor a folder.
std::optional<Entry> entry_of(const struct stat& status, std::string name);

// Each name of an open folder but "." and "..". Errors: of the disk.
Result<void> for_each_name(int folder, const std::function<void(std::string)>& take);

// The same, of files and folders alone, and of names that a Path can have.
Result<void> for_each_of(int folder, const std::function<void(std::string, Kind)>& take);

// Whether the disk of an open file or folder takes so many bytes more besides kKeptFree. Errors: kResourceExhausted.
Result<void> check_room(int file, std::uint64_t bytes);

// Some of the bytes of `from` from `at` on, `most` of them at most, to the offset of `to`; gives how many, 0 at the
// end. By the kernel where it can: not from another file system.
Result<std::uint64_t> copy_some(int from, std::uint64_t at, int to, std::uint64_t most);
// All bytes of `from`, to the offset of `to`. `name` is for errors.
Result<void> append_bytes(int from, int to, const std::string& name);

// A name that nothing has: 32 hexadecimal digits.
std::string unique_name();
bool is_unique_name(std::string_view name);

// Whether a change may be made where `before` is, or nothing. Errors: kFailedPrecondition.
Result<void> check(const Condition& condition, const Entry* before);

// Whether an open file's etag is this one.
bool has_etag(int file, std::string_view etag);

// So many bytes of an open file from there on. Errors: kAborted (there are fewer), of the disk.
Result<std::string> read_part(int file, std::uint64_t offset, std::size_t count);

// Whether two open files hold the same. False, too, where one cannot be read.
bool hold_the_same(int one, int other);

// SHA-256 of all that an open file holds. Errors: kCanceled (somebody has set `ended`), of the disk.
Result<std::string> hash_file(int file, const std::atomic<bool>& ended);

// The names of the extended attributes in which the drive keeps what is said of a file, and which series of versions is
// its own.
inline constexpr const char* kPropertiesName = "user.hearth.properties";
inline constexpr const char* kSeriesName = "user.hearth.versions";
// Empty if there is none, or the file system keeps none.
Result<std::string> attribute(int file, const char* name);

bool set_modified(int file, WallTime modified);

// Of an open file or folder. Errors: as Folder::change_properties().
Result<Properties> read_properties(int file);
Result<void> write_properties(int file, const Properties& properties);
bool copy_properties(int from, int to);  // as far as the file system keeps them; false: there are none

// A file or a whole folder, without symbolic links, devices, sockets and pipes in it; the copy shares the disk's blocks
// where the file system can. On the disk when it returns. Errors: of the disk.
Result<void> copy_tree(int from_folder, const std::string& from, int to_folder, const std::string& to, bool deep);

// Erases a file or a folder until `limit` has passed, and the earlier versions of what is erased. `own`: the drive's
// own folder. True: it is gone. Errors: of the disk.
Result<bool> erase_some(const std::filesystem::path& path, const std::filesystem::path& own, Duration limit);
void erase_versions(const std::filesystem::path& file, const std::filesystem::path& own);

// Of all files in it.
std::uint64_t tree_bytes(int folder, const std::string& name);

}  // namespace hearth::drive
