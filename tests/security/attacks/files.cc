// The owner's files: by their paths, around them, and through descriptors that should not be here.
#include <cerrno>
#include <filesystem>
#include <memory>

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "security/attacks/attacks.h"

namespace hearth::attacks {
namespace {

constexpr int kMostDescriptors = 1024;

int read_secret(const World& world) { return find_mark(world, world.secret); }

int climb_out(const World& world) {
  std::string path;
  for (int i = 0; i < 64; ++i) path += "../";
  return find_mark(world, path + world.secret);
}

// What a process sees as its root or stands in, through the links that /proc has of it.
int through_processes(const World& world, const std::string& link, const std::string& path) {
  const std::string rest = link + path;
  int refusal = ENOENT;
  std::error_code error;
  for (const auto& entry : std::filesystem::directory_iterator("/proc", error)) {
    const int found = find_mark(world, entry.path().string() + rest);
    if (found == 0) return 0;
    if (found != ENOENT && found != ENOTDIR) refusal = found;
  }
  return refusal;
}

int secret_through_roots(const World& world) { return through_processes(world, "/root", world.secret); }

int secret_through_working_directories(const World& world) {
  return through_processes(world, "/cwd/", std::filesystem::path(world.secret).filename());
}

int hard_link_to_secret(const World& world) {
  ::unlink("hard-link");
  if (::link(world.secret.c_str(), "hard-link") != 0) return errno;
  const int found = find_mark(world, "hard-link");
  ::unlink("hard-link");
  return found;
}

int symbolic_link_to_secret(const World& world) {
  ::unlink("symbolic-link");
  if (::symlink(world.secret.c_str(), "symbolic-link") != 0) return errno;
  const int found = find_mark(world, "symbolic-link");
  ::unlink("symbolic-link");
  return found;
}

int make_and_remove(const std::string& directory) {
  const std::string path = directory + "/hearth-attack-" + std::to_string(::getpid());
  const int made = open_only(path, O_WRONLY | O_CREAT | O_EXCL);
  if (made == 0) ::unlink(path.c_str());
  return made;
}

int write_beside_secret(const World& world) { return make_and_remove(world.directory); }
int write_to_root(const World& /*world*/) { return make_and_remove("/"); }
int write_to_programs(const World& /*world*/) { return make_and_remove("/usr/bin"); }
int write_to_libraries(const World& /*world*/) { return make_and_remove("/usr/lib"); }
int write_to_etc(const World& /*world*/) { return make_and_remove("/etc"); }
int write_to_dev(const World& /*world*/) { return make_and_remove("/dev"); }
int write_to_run(const World& /*world*/) { return make_and_remove("/run"); }
int write_to_var(const World& /*world*/) { return make_and_remove("/var"); }

int change_loader_cache(const World& /*world*/) { return open_only("/etc/ld.so.cache", O_WRONLY); }
int change_program(const World& /*world*/) { return open_only("/usr/bin/env", O_WRONLY); }
int read_passwords(const World& /*world*/) { return open_only("/etc/shadow", O_RDONLY); }
int list_roots_home(const World& /*world*/) { return open_only("/root", O_RDONLY | O_DIRECTORY); }
int list_state_of_services(const World& /*world*/) { return open_only("/var/lib", O_RDONLY | O_DIRECTORY); }

// How "Shocker" left containers: a file's handle needs no path.
int open_by_handle(const World& /*world*/) {
  constexpr std::size_t kHandleBytes = 128;
  const auto memory = std::make_unique<char[]>(sizeof(file_handle) + kHandleBytes);
  auto* handle = reinterpret_cast<file_handle*>(memory.get());
  handle->handle_bytes = kHandleBytes;
  int mount = 0;
  if (::name_to_handle_at(AT_FDCWD, "/", handle, &mount, 0) != 0) return errno;
  const int root = ::open("/", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  return outcome_of(::open_by_handle_at(root, handle, O_RDONLY | O_CLOEXEC));
}

int use_leaked_file(const World& world) {
  for (int file = 3; file < kMostDescriptors; ++file) {
    std::string text(4096, '\0');
    const ssize_t count = ::pread(file, text.data(), text.size(), 0);
    if (count > 0 && text.find(world.mark) != std::string::npos) return 0;
  }
  return EBADF;
}

int use_leaked_directory(const World& world) {
  const std::string name = std::filesystem::path(world.secret).filename();
  for (int directory = 3; directory < kMostDescriptors; ++directory) {
    const int file = ::openat(directory, name.c_str(), O_RDONLY | O_CLOEXEC);
    if (file < 0) continue;
    const int found = find_mark(world, "/proc/self/fd/" + std::to_string(file));
    ::close(file);
    if (found == 0) return 0;
  }
  return EBADF;
}

constexpr Entry kEntries[] = {
    {"read_secret", read_secret},
    {"climb_out", climb_out},
    {"secret_through_roots", secret_through_roots},
    {"secret_through_working_directories", secret_through_working_directories},
    {"hard_link_to_secret", hard_link_to_secret},
    {"symbolic_link_to_secret", symbolic_link_to_secret},
    {"write_beside_secret", write_beside_secret},
    {"write_to_root", write_to_root},
    {"write_to_programs", write_to_programs},
    {"write_to_libraries", write_to_libraries},
    {"write_to_etc", write_to_etc},
    {"write_to_dev", write_to_dev},
    {"write_to_run", write_to_run},
    {"write_to_var", write_to_var},
    {"change_loader_cache", change_loader_cache},
    {"change_program", change_program},
    {"read_passwords", read_passwords},
    {"list_roots_home", list_roots_home},
    {"list_state_of_services", list_state_of_services},
    {"open_by_handle", open_by_handle},
    {"use_leaked_file", use_leaked_file},
    {"use_leaked_directory", use_leaked_directory},
};

}  // namespace

const Class kFiles = {"files", kEntries};

}  // namespace hearth::attacks
