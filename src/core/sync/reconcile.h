// What two folders that are to hold the same have to do about it: three-way, by what each side holds now and what both
// held when they last agreed. Pure. Whoever carries an action out makes sure that its side is still what is said here,
// and leaves it otherwise: the next run decides anew.
//
//   Trees trees{.base = ..., .here = ..., .there = ...};
//   trees.closed = whichever of to_ask(trees) are not gone, but closed to this device
//   trees.same = whichever of to_compare(trees) hold the same bytes
//   for (const Action& action : reconcile(trees, "LAPTOP 2026-11-27").actions) ...
//
// A removal never wins over a change: what was changed on one side and removed on the other is kept. What was changed
// on both is kept twice, the one from here under another name. Names that differ in case or normal form alone are left
// as they are, with all below.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

namespace hearth::sync {

enum class Kind : std::uint8_t { kFile, kFolder };

// What one side has at a path. Of a file, `version` is another one after every change; of a folder it is empty.
struct Side {
  Kind kind = Kind::kFile;
  std::string version;
  bool operator==(const Side&) const = default;
};

// What both had, when they last held the same.
struct Base {
  Side here;
  Side there;
  bool operator==(const Base&) const = default;
};

// By path: "photos/a.jpg", without the root itself. Every path's folder is there, too.
struct Trees {
  std::map<std::string, Base> base;
  std::map<std::string, Side> here;
  std::map<std::string, Side> there;
  std::set<std::string> left;  // unreadable, or nothing that can be kept on both sides: not to be touched, nor what is
                               // below
  std::set<std::string> closed;  // folders at the top that are there, though not shown: left in the same way, and what
                                 // both had of them is remembered until they are open again
  std::set<std::string> same;    // files that hold the same bytes on both sides
};

struct Action {
  enum class What : std::uint8_t {
    kAdopt,       // both hold the same: only to be noted
    kForget,      // neither has it any more, nor what was below
    kRenameHere,  // to `to`, with all below; what both had at the path or below is forgotten
    kMakeHere,    // a folder
    kMakeThere,
    kFetch,        // in place of `here`, or where there is nothing
    kSend,         // in place of `there`, or where there is nothing
    kRemoveHere,   // a file, or a folder that is empty by then
    kRemoveThere,  // a file, or a folder with all that the trees have below it
  };
  What what = What::kAdopt;
  std::string path;
  std::string to;            // of kRenameHere
  std::optional<Side> here;  // what there must be for it to be done; of what kRenameHere renamed: what it was
  std::optional<Side> there;
  bool operator==(const Action&) const = default;
};

struct Plan {
  std::vector<Action> actions;                       // in an order in which each can be done
  std::vector<std::vector<std::string>> collisions;  // paths that are left since their names are too alike
  std::vector<std::string> conflicts;                // paths of which both are kept
};

// Folders at the top of which nothing is shown there: gone, not made yet, or closed to whoever looks. Only the drive
// can tell which.
std::vector<std::string> to_ask(const Trees& trees);

// The files that are new or changed on both sides.
std::vector<std::string> to_compare(const Trees& trees);

// `label`: whose the other name is, see conflict_name().
Plan reconcile(const Trees& trees, const std::string& label);

}  // namespace hearth::sync
