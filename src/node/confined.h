// Helper programs of a node that speak with strangers (hearth-swarm, hearth-media), in bubblewrap: each sees the
// programs of /usr and the network, has no privileges, and ends with this process. The node speaks with it through its
// standard input, a socket.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include <sys/types.h>

#include "base/result.h"

namespace hearth::node {

struct Confined {
  pid_t process = 0;  // to be ended and waited for
  int socket = -1;    // this end's; taken over by whoever asked
};

struct ConfinedProgram {
  std::string name;               // "hearth-swarm"
  std::filesystem::path program;  // the file
  std::string bwrap;              // the program bubblewrap, by name or path
  std::filesystem::path shown;    // a directory that it may write, as kShownDirectory; empty: none
  int file = -1;                  // a descriptor that it gets as 3; -1: none
};

inline constexpr const char* kShownDirectory = "/shown";

// Errors: kFailedPrecondition (no bubblewrap), or those of starting it.
Result<Confined> start_confined(const ConfinedProgram& program);

// Ends it, also where bubblewrap has not come to its program yet, and waits for that.
void end_confined(pid_t process);

}  // namespace hearth::node
