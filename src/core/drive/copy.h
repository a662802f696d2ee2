// The drive's copy on the PC whose hub stands by: what belongs to it, and what is to be done so that one of its folders
// becomes as the holder's is. Pure; what carries it out is drive/copy_folder.h and hub/copying.h.
//
// A copied file remembers in an extended attribute (CopyMark) whose it is: so nothing has to be kept in step with the
// folder, whatever moment the PC dies in, and a file that somebody changed here is known by that.
//
//   for (const CopyAction& action : plan_copy(theirs, ours, holder, self)) ...
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace hearth::drive {

// Of the drive's own folder, what is the family's and not this process's: what is being received, and small pictures,
// are not.
inline constexpr std::string_view kCopiedOwn[] = {"trash", "versions", "results", "links", "locks", "private"};

// "photos/a.jpg", ".hearth/trash/..."; empty: the drive's root. Errors: kInvalidArgument: it leads out of what is
// copied.
Result<void> check_copy_path(std::string_view path);

// Whether `name` of `folder` belongs to the copy.
bool is_copied(std::string_view folder, std::string_view name);

std::string below(std::string_view folder, std::string_view name);

// Whose content a file of the copy has. `source` is a hub's name for this (16 hexadecimal digits of its key); etags are
// Entry's.
struct CopyMark {
  std::string source;
  std::string theirs;  // there
  std::string ours;    // here, when it was placed: with another one it was changed since
  bool operator==(const CopyMark&) const = default;
};
std::string encode(const CopyMark& mark);
std::optional<CopyMark> decode_copy_mark(std::string_view text);

struct CopyEntry {
  std::string name;
  bool is_folder = false;
  std::string etag;  // of a file
  std::uint64_t bytes = 0;
  std::int64_t modified_seconds = 0;
  std::uint32_t modified_nanos = 0;
  std::uint32_t mode = 0;                         // the permissions
  std::map<std::string, std::string> attributes;  // extended ones, of the drive's own
  std::optional<CopyMark> mark;
  bool operator==(const CopyEntry&) const = default;

  // As it was placed, and not changed since.
  bool is_as_placed() const { return mark && mark->ours == etag; }
};

// What a folder's list comes to, without what each PC has for itself; its hash says whether there is something to do.
std::string copy_digest_text(const std::vector<CopyEntry>& entries);

enum class CopyStep : std::uint8_t {
  kMakeFolder,
  kFetch,       // and give it its name, in place of a file that was placed here
  kCompare,     // if both hold the same, kAdopt, else kSetAside and kFetch
  kAdopt,       // it is the same: note it
  kAttributes,  // only what is said of it differs
  kSetAside,    // what is here is nobody's copy: out of the way, and kept
  kRemove,      // the holder has none
};

struct CopyAction {
  CopyStep step = CopyStep::kFetch;
  CopyEntry entry;  // theirs; of kRemove and kSetAside: ours
  bool operator==(const CopyAction&) const = default;
};

// In the order in which they are to be done. Both lists are sorted by name. `self`: this hub, whose files the holder
// may have copied when the roles were the other way round.
std::vector<CopyAction> plan_copy(const std::vector<CopyEntry>& theirs, const std::vector<CopyEntry>& ours,
                                  std::string_view source, std::string_view self);

// By which a file of this PC that has another name is found, so that it need not travel: what `wanted` (of the holder)
// may be here, and what `entry` (here) may be.
std::vector<std::string> copy_keys_of_wanted(const CopyEntry& wanted, std::string_view source, std::string_view self);
std::string copy_key_of_kept(const CopyEntry& entry, std::string_view source, std::string_view self);

}  // namespace hearth::drive
