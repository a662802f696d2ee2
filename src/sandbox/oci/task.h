// What process 1 of an OCI container is given, beside the bundle, and what it tells before the program does.
//
// A guest's words never stand in the bundle: whatever bytes they are of, no runtime has to parse them.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace hearth::sandbox::oci {

// Where process 1 finds its things in the container, and is itself. All of it is read-only.
constexpr const char* kInitProgram = "/dev/hearth/init";
constexpr const char* kInitFilter = "/dev/hearth/filter";  // BPF, see seccomp.h
constexpr const char* kInitTask = "/dev/hearth/task";      // pack_task()

constexpr std::size_t kMaxTaskBytes = 4 << 20;
constexpr std::size_t kMaxFilterBytes = 1 << 20;

struct Task {
  std::vector<std::string> argv;
  std::vector<std::pair<std::string, std::string>> variables;  // of two with one name the later one counts
  bool operator==(const Task&) const = default;
};

// Words that are each ended by a NUL: how many arguments, the arguments, each variable's name and value. None may hold
// a NUL.
std::string pack_task(const Task& task);
std::optional<Task> parse_task(std::string_view text);  // none if it is malformed or there is no program

// On stderr, ahead of all that the program says: that its execution begins; then, if that failed, the errno and a
// line's end. What comes before is the runtime's.
constexpr std::string_view kBegins = "\x1Ehearth: the program begins\n";
constexpr std::string_view kFailed = "\x1Ehearth: it could not be executed, errno ";

}  // namespace hearth::sandbox::oci
