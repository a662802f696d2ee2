// The benchmarks of hearth-bench. Each prints one line of figures and gives an exit code.
#pragma once

#include <cstdint>
#include <map>
#include <string>

namespace hearth::bench {

struct Arguments {
  std::map<std::string, std::uint64_t> numbers;
  std::uint64_t get(const std::string& name, std::uint64_t standard) const {
    const auto found = numbers.find(name);
    return found == numbers.end() ? standard : found->second;
  }
};

int dispatch(const Arguments& arguments);     // --tasks, --nodes: durable no-op tasks, submit to all complete
int connections(const Arguments& arguments);  // --count: the hub's memory per idle node session
int start(const Arguments& arguments);        // --jobs: submit to the program's start, a job at a time
int storm(const Arguments& arguments);        // --count: all node sessions lost and opened again
int crowd(const Arguments& arguments);        // --idle, --nodes, --tasks, --seconds: work beside many idle sessions
int blob(const Arguments& arguments);         // --mib, --files: one large blob and many small ones, up and down
int owner(const Arguments& arguments);        // --runs: a foreground program beside a guest, running and frozen
int placement(const Arguments& arguments);    // --tasks, --nodes, --blobs (that each node holds): core/pool alone
int listing(const Arguments& arguments);      // --files: pages of a folder of the drive that holds so many

}  // namespace hearth::bench
