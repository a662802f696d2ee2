// What other programs of the PC share among themselves.
#include <cerrno>
#include <cstddef>
#include <cstring>

#include <fcntl.h>
#include <mqueue.h>
#include <sys/msg.h>
#include <sys/shm.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "security/attacks/attacks.h"

namespace hearth::attacks {
namespace {

int connect_to(const std::string& name) {
  const int socket = ::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (socket < 0) return errno;
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (name.size() >= sizeof address.sun_path) return ENAMETOOLONG;
  std::memcpy(address.sun_path, name.data(), name.size());
  const auto size = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + name.size());
  return outcome_of(::connect(socket, reinterpret_cast<const sockaddr*>(&address), size));
}

int connect_to_abstract_socket(const World& world) { return connect_to(std::string(1, '\0') + world.abstract); }
int connect_to_socket_of_file(const World& world) { return connect_to(world.socket); }

int read_system_v_memory(const World& world) {
  const int id = ::shmget(world.key, 0, 0);
  if (id < 0) return errno;
  const void* memory = ::shmat(id, nullptr, SHM_RDONLY);
  if (memory == reinterpret_cast<void*>(-1)) return errno;  // NOLINT: that is how shmat() fails
  return std::memcmp(memory, world.mark.data(), world.mark.size()) == 0 ? 0 : ENODATA;
}

int find_system_v_queue(const World& world) { return outcome_of(::msgget(world.key, 0)); }

int open_posix_queue(const World& world) { return outcome_of(::mq_open(world.queue.c_str(), O_RDONLY)); }

int read_posix_memory(const World& world) { return find_mark(world, "/dev/shm" + world.memory); }

constexpr Entry kEntries[] = {
    {"connect_to_abstract_socket", connect_to_abstract_socket},
    {"connect_to_socket_of_file", connect_to_socket_of_file},
    {"read_system_v_memory", read_system_v_memory},
    {"find_system_v_queue", find_system_v_queue},
    {"open_posix_queue", open_posix_queue},
    {"read_posix_memory", read_posix_memory},
};

}  // namespace

const Class kBetweenProcesses = {"between_processes", kEntries};

}  // namespace hearth::attacks
