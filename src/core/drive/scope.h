// What of the drive somebody is let into, and what he may do there: the whole drive for the family, one shared folder
// or file for a guest. A caller's "/" is the scope's root, so that he can name nothing outside of it; what he is told
// is spelt as he sees it. Pure.
//
//   const Scope guest{.root = photos, .rights = {.see = true}, .url = "/link/5f3a/dav"};
//   guest.inside("/2026/a.jpg")            // /photos/2026/a.jpg
//   guest.outside(path)                    // "/2026/a.jpg"
//   guest.allow({.download = true})        // kPermissionDenied: "this link lets nobody download"
#pragma once

#include <string>
#include <string_view>

#include "base/result.h"
#include "core/drive/path.h"
#include "core/drive/private_folders.h"

namespace hearth::drive {

struct Rights {
  bool see = false;       // names, sizes and times
  bool download = false;  // what files hold
  bool add = false;       // new files and folders, in nothing's place
  bool edit = false;      // replace, rename, move, remove

  bool operator==(const Rights&) const = default;
};

inline constexpr Rights kAllRights{.see = true, .download = true, .add = true, .edit = true};

// Whether each of `wanted` is among `granted`.
bool covers(const Rights& granted, const Rights& wanted);

// A grant that says something and can be kept to: something is granted, and who edits may do all. Errors:
// kInvalidArgument.
Result<void> check_rights(const Rights& rights);

struct Scope {
  Path root;
  Rights rights = kAllRights;
  std::string url = "/dav";          // where its files are, without a slash at the end
  std::string uploads = "/upload/";  // where uploads into it begin
  std::string thumbs = "/thumb";     // where its small pictures are, without a slash at the end
  FolderNames closed = {};           // private folders at the drive's top that are not the caller's: he is shown none
  FolderNames settled = {};          // all private folders: each stays where it is

  // The family's, not a guest's.
  bool is_whole() const { return root.is_root() && rights == kAllRights; }

  // Whether a path lies in the scope, and in nothing that is closed to the caller.
  bool reaches(const Path& path) const;
  // Of what the caller calls so. Errors: as Path::parse(); kPermissionDenied (closed to him).
  Result<Path> inside(std::string_view named) const;
  // What the caller calls it; "/" for all that is not within.
  std::string outside(const Path& path) const;

  // Errors: kPermissionDenied, saying what is not granted.
  Result<void> allow(const Rights& wanted) const;
  // The same for what goes away or gets another name: the root itself stays where it is, for whoever is given only it.
  Result<void> allow_change(const Path& path) const;
  // The same for what would be put in the place of what may be there.
  Result<void> allow_in_place_of(const Path& path) const;

  // What may be told of an error: paths as the caller knows them.
  Error told(Error error) const;
};

}  // namespace hearth::drive
