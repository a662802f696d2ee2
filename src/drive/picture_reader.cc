#include "drive/picture_reader.h"

#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <chrono>
#include <cstring>
#include <utility>

#include "base/pass_files.h"
#include "drive/folder.h"

namespace hearth::drive {
namespace {

constexpr int kLookMillis = 100;  // how often it is looked whether the hub stops
constexpr std::size_t kReadBytes = 64 << 10;
constexpr const char* kNotShutOff =
    "this PC makes no small pictures: what reads them cannot be shut off from the rest of it here (hearth doctor)";

}  // namespace

Result<void> PictureReader::start() {
  if (helper_.process != 0) return {};
  if (!helpers_.start) return fail(Code::kUnavailable, "this PC makes no small pictures: hearth-pictures is not there");
  if (std::chrono::steady_clock::now() < unable_until_) return fail(Code::kUnavailable, kNotShutOff);
  is_proven_ = false;
  Result<PictureHelper> started = helpers_.start();
  if (!started) return fail(Code::kUnavailable, "this PC makes no small pictures: " + started.error().message);
  helper_ = *started;
  return {};
}

void PictureReader::rest() {
  if (helper_.process == 0) return;
  ::close(helper_.socket);
  helpers_.end(std::exchange(helper_, {}).process);
}

Result<void> PictureReader::send(int file, int answer, pictures::Order order) const {
  const std::array<int, 2> files = {file, answer};
  if (send_files(helper_.socket, {reinterpret_cast<const char*>(&order), sizeof order}, files)) return {};
  return fail(Code::kUnavailable, "hearth-pictures has ended");
}

// All that is said until the end.
Result<std::string> PictureReader::receive(int answer) const {
  const auto end = std::chrono::steady_clock::now() + std::chrono::microseconds(kLimit.micros);
  std::string text;
  for (;;) {
    if (stopping_) return fail(Code::kUnavailable, "the hub is stopping");
    if (std::chrono::steady_clock::now() > end) return fail(Code::kDeadlineExceeded, "it takes too long to read");
    pollfd ready{.fd = answer, .events = POLLIN, .revents = 0};
    if (::poll(&ready, 1, kLookMillis) <= 0) continue;
    const std::size_t filled = text.size();
    text.resize(filled + kReadBytes);
    const ssize_t count = ::recv(answer, text.data() + filled, kReadBytes, 0);
    text.resize(filled + static_cast<std::size_t>(std::max<ssize_t>(count, 0)));
    if (count < 0 && errno == EINTR) continue;
    if (count <= 0) return text;
    if (text.size() > pictures::kMaxAnswerBytes) return fail(Code::kDataLoss, "its reader says too much");
  }
}

// A reader that died of its picture leaves the helper alive; the helper's own end is seen at its socket.
bool PictureReader::has_ended() const {
  constexpr int kGraceMillis = 50;
  pollfd ended{.fd = helper_.socket, .events = POLLIN, .revents = 0};
  return ::poll(&ended, 1, kGraceMillis) > 0;
}

Result<pictures::Picture> PictureReader::look(int file, pictures::Order order) {
  if (Result<void> started = start(); !started) return std::unexpected(started.error());
  std::array<int, 2> ends{};
  if (::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends.data()) != 0) {
    return fail(Code::kUnavailable, fail_errno(errno, "a socket").error().message);
  }
  const Fd mine(ends[0]);
  Result<void> sent;
  {
    const Fd its(ends[1]);
    sent = send(file, its.get(), order);
  }
  Result<std::string> answer = sent ? receive(mine.get()) : std::unexpected(sent.error());
  if (!answer) {
    rest();  // whatever it is at
    const bool is_its_fault = answer.error().code != Code::kUnavailable;
    return fail(is_its_fault ? Code::kFailedPrecondition : Code::kUnavailable, answer.error().message);
  }
  Result<pictures::Picture> seen = pictures::parse_answer(*answer);
  is_proven_ = is_proven_ || !answer->empty();
  if (seen || seen.error().code == Code::kFailedPrecondition) return seen;
  if (answer->empty() && has_ended()) {
    rest();
    if (is_proven_) return fail(Code::kUnavailable, "hearth-pictures has ended: try again");
    unable_until_ = std::chrono::steady_clock::now() + std::chrono::microseconds(kUnable.micros);
    return fail(Code::kUnavailable, kNotShutOff);
  }
  return fail(Code::kFailedPrecondition, "it takes too much memory or time to read, or breaks what reads it");
}

}  // namespace hearth::drive
