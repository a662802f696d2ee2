// A guest that leaves a canary wherever a program can: in names and contents of files, in memory of every kind, in
// arguments and variables of a process, on both streams.
#pragma once

#include <string>

namespace hearth::attacks {

// Prints "CANARY planted"; stays until it is ended, if it is to. 0 if it is everywhere.
int plant(const std::string& canary, bool stay);

}  // namespace hearth::attacks
