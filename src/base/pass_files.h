// Open files given to another process, with a message, through a socket of the Unix domain (SCM_RIGHTS, unix(7)).
#pragma once

#include <cstddef>
#include <span>

namespace hearth {

inline constexpr std::size_t kMostPassedFiles = 4;

// 1 to kMostPassedFiles of them. Whether the whole message went. `flags`: send(2)'s; MSG_NOSIGNAL is among them always.
bool send_files(int socket, std::span<const char> message, std::span<const int> files, int flags = 0);

struct Passed {
  long bytes = 0;         // as recv(2) counts: 0 at the end, -1 with errno where nothing was had
  std::size_t files = 0;  // how many came, all or none of those that fit; they close with exec
};
// Files that were not asked for are closed.
Passed receive_files(int socket, std::span<char> message, std::span<int> files, int flags = 0);

}  // namespace hearth
