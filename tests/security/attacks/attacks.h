// Hostile programs: each tries one thing that no guest may do. They are one static program, so that they run at every
// level of isolation, and outside of it, where the same attempt must succeed: that proves that it would be seen.
//
//   hearth_attacks list               prints CLASS/NAME of each
//   hearth_attacks try CLASS/NAME...  tries each in a process of its own; no name: all of them. Prints a line for each:
//                                     CLASS/NAME succeeded, or CLASS/NAME refused WHY
//   hearth_attacks wait               the victim: says "ready" and waits to be ended
//   hearth_attacks plant CANARY [stay]   see plant.h
//
// A new attack is a function and a row in the table at the end of its file. It does no harm where it succeeds: it opens
// and writes nothing, sets a clock to what it shows, sends the signal that is none.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>

#include <sys/types.h>

namespace hearth::attacks {

// What there is on the owner's PC to be reached, from the variables TARGET_*. The mark is what only the owner's side
// holds; it is handed over reversed, so that nobody finds it in the attack's own variables.
struct World {
  std::string mark;
  std::string secret;           // a file that holds the mark
  std::string directory;        // where it lies; the victim's working directory
  pid_t victim = 0;             // a process with the mark in its memory, its arguments and its variables
  std::string abstract;         // a listening UNIX socket without a file
  std::string socket;           // and one with
  int key = 0;                  // of a System V shared memory and a message queue with the mark
  std::string queue;            // a POSIX message queue
  std::string memory;           // a POSIX shared memory with the mark
  int port = 0;                 // a service on 127.0.0.1
  std::uint64_t bytes = 0;      // more memory and disk than a guest was given
  std::uint64_t processes = 0;  // more processes
  std::uint64_t files = 0;      // more files

  static World from_variables();
};

// 0: the attack did what it must not. Else the errno of what refused it.
using Attack = int (*)(const World&);

struct Entry {
  const char* name;
  Attack attack;
};

struct Class {
  const char* name;
  std::span<const Entry> attacks;
};

extern const Class kFiles;
extern const Class kDevices;
extern const Class kKernelFiles;
extern const Class kNamespaces;
extern const Class kProcesses;
extern const Class kPrivileges;
extern const Class kKernel;
extern const Class kBetweenProcesses;
extern const Class kNetwork;
extern const Class kSockets;
extern const Class kResources;

// 0, or errno where a system call reports a failure.
int outcome_of(long result);
// The same for a call whose arguments make no sense: that it looks at them at all is the success.
int outcome_of(long result, int complaint);

bool can_open(const std::string& path, int flags);           // errno is set if not
int open_only(const std::string& path, int flags);           // opens and closes it
int find_mark(const World& world, const std::string& path);  // in the first 64 KiB of a file

}  // namespace hearth::attacks
