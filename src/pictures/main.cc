// hearth-pictures: reads pictures and films for the hub, one after the other, each in a process of its own that is made
// for it by fork(), shuts itself off before it reads the first byte, and ends with its answer. So what one picture does
// to its reader meets neither the next picture nor this process, which reads orders from its standard input alone
// (answer.h).
#include <array>
#include <cerrno>
#include <cstring>
#include <optional>
#include <string>

#include <fcntl.h>
#include <malloc.h>
#include <sched.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/pass_files.h"
#include "pictures/confine.h"
#include "pictures/decode.h"
#include "pictures/film.h"

namespace {

using hearth::pictures::Order;

constexpr int kNice = 15;
constexpr int kPicture = 3;
constexpr int kAnswer = 4;

struct Asked {
  Order order;
  int picture = -1;
  int answer = -1;
};

// Nothing: the hub is gone, or says what it never does.
std::optional<Asked> next_order() {
  Asked asked;
  std::array<int, 2> files{};
  hearth::Passed passed;
  do {
    passed = hearth::receive_files(STDIN_FILENO, {reinterpret_cast<char*>(&asked.order), sizeof asked.order}, files,
                                   MSG_WAITALL);
  } while (passed.bytes < 0 && errno == EINTR);
  if (passed.bytes != sizeof asked.order || passed.files != files.size()) return std::nullopt;
  asked.picture = files[0];
  asked.answer = files[1];
  return asked;
}

void write_all(const std::string& text) {
  for (std::size_t done = 0; done < text.size();) {
    const ssize_t count = ::write(kAnswer, text.data() + done, text.size() - done);
    if (count < 0 && errno == EINTR) continue;
    if (count <= 0) return;
    done += static_cast<std::size_t>(count);
  }
}

// In a process of its own.
[[noreturn]] void read_picture(const Asked& asked) {
  // Above both, so that neither takes the other's place.
  const int picture = ::fcntl(asked.picture, F_DUPFD, 10);
  const int answer = ::fcntl(asked.answer, F_DUPFD, 10);
  const bool placed = picture >= 0 && answer >= 0 && ::dup2(picture, kPicture) >= 0 && ::dup2(answer, kAnswer) >= 0 &&
                      ::close_range(kAnswer + 1, ~0U, 0) == 0 && ::close_range(0, kPicture - 1, 0) == 0;
  if (!placed) ::_exit(1);
  const bool is_film = asked.order.is_film != 0;
  const int said = is_film ? hearth::pictures::start_film_reader(kPicture, asked.order.size) : kPicture;
  if (said < 0 || !hearth::pictures::confine()) ::_exit(1);
  const auto looked =
      is_film ? hearth::pictures::film_of(said, asked.order.size) : hearth::pictures::look_at(said, asked.order.size);
  write_all(looked ? answer_of(*looked) : hearth::pictures::answer_without(looked.error()));
  ::_exit(0);
}

}  // namespace

int main(int, char** argv) {
  ::mallopt(M_ARENA_MAX, 1);
  ::prctl(PR_SET_DUMPABLE, 0);  // no reader looks into the others, though it may open files of /proc
  const sched_param none{};
  ::sched_setscheduler(0, SCHED_BATCH, &none);
  (void)::nice(kNice);
  if (!hearth::pictures::start_decoding(argv[0])) return 1;
  while (const std::optional<Asked> asked = next_order()) {
    const pid_t reader = ::fork();
    if (reader == 0) read_picture(*asked);
    ::close(asked->picture);
    ::close(asked->answer);
    if (reader < 0) return 1;
    while (::waitpid(reader, nullptr, 0) < 0 && errno == EINTR) {
    }
  }
  return 0;
}
