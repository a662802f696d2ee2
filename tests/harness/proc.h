// What the kernel knows: processes, mounts and control groups.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include <sys/types.h>

namespace hearth::e2e {

bool alive(pid_t process);  // a zombie is not
std::vector<pid_t> children_of(pid_t process);
std::vector<pid_t> guests_of(pid_t node);  // its sandboxes
std::vector<pid_t> descendants_of(pid_t process);
std::vector<pid_t> with_descendants(pid_t process);        // itself first
std::vector<pid_t> processes_of(const std::string& path);  // whose arguments name it
std::string command_line(pid_t process);                   // arguments with spaces between
std::uint64_t resident_bytes(pid_t process);

// Lines of /proc/self/mountinfo that name the path.
std::vector<std::string> mounts_naming(const std::string& path);

// The control groups below every hierarchy in which the process is, named hearth-*, that belong to the node with this
// state directory.
std::vector<std::string> cgroups_of_node(const std::filesystem::path& sandbox_directory);

std::string read_text(const std::filesystem::path& file);  // empty if there is none
void write_text(const std::filesystem::path& file, const std::string& text);

}  // namespace hearth::e2e
