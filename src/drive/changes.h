// The page's and the command line's changes of the drive: several paths with one call, names that are taken avoided.
// Each is made as Drive::change() makes it. Errors: kNotFound, kAborted (a WebDAV client's lock), of Folder.
#pragma once

#include <string>
#include <vector>

#include "drive/drive.h"

namespace hearth::drive {

net::Async<Result<Entry>> make_folder(Drive& drive, Holder holder, Path path);

struct Moving {
  std::vector<Path> paths;
  Path folder;       // into which
  std::string name;  // another one, for one path; empty: its own
  bool copy = false;
};
// One after the other, until one cannot be moved. The paths that they have now: where a name is taken, "a (2).jpg".
// What is moved to where it is stays.
net::Async<Result<std::vector<Path>>> move_paths(Drive& drive, Holder holder, Moving moving);

// Into the trash, one after the other.
net::Async<Result<void>> remove_paths(Drive& drive, Holder holder, std::vector<Path> paths);

net::Async<Result<Path>> restore_trashed(Drive& drive, Holder holder, std::string id);

// An earlier version in the file's place, which becomes one in its turn.
net::Async<Result<Entry>> restore_version(Drive& drive, Holder holder, Path path, std::string id);

// For good; without ids, all of the trash. When it returns nothing of it can be restored; the disk's room comes back
// as the bytes go.
net::Async<Result<void>> erase_trashed(Drive& drive, Holder holder, std::vector<std::string> ids);

}  // namespace hearth::drive
