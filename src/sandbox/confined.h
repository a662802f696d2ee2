// Helper programs that read what strangers made (hearth-swarm, hearth-media, hearth-pictures), in bubblewrap: each sees
// the programs of /usr, and the network if it needs that, has no privileges, and ends with this process. Whoever starts
// one speaks with it through its standard input, a socket.
//
//   Result<Confined> helper = start_confined({.name = "hearth-swarm", .program = path, .bwrap = "bwrap"});
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include <sys/types.h>

#include "base/result.h"

namespace hearth::sandbox {

struct Confined {
  pid_t process = 0;  // to be ended and waited for
  int socket = -1;    // this end's; taken over by whoever asked
};

struct ConfinedProgram {
  std::string name;               // "hearth-swarm"
  std::filesystem::path program;  // the file
  std::string bwrap;              // the program bubblewrap, by name or path
  std::filesystem::path shown;    // a directory that it may write, as kShownDirectory; empty: none
  std::vector<std::string> arguments = {};
  int file = -1;        // a descriptor that it gets as 3; -1: none
  bool network = true;  // the PC's; else it has none
};

inline constexpr const char* kShownDirectory = "/shown";

// Errors: kFailedPrecondition (no bubblewrap), or those of starting it.
Result<Confined> start_confined(const ConfinedProgram& program);

// Ends it, also where bubblewrap has not come to its program yet, and waits for that.
void end_confined(pid_t process);

}  // namespace hearth::sandbox
