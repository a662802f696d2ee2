#include "display/viewer.h"

#include <algorithm>
#include <array>
#include <cerrno>

#include <sys/socket.h>
#include <unistd.h>

namespace hearth::display {
namespace {

using std::chrono::milliseconds;

constexpr std::size_t kMaxAhead = 16;  // pictures
constexpr milliseconds kMaxWait(100);  // beyond the shortest way there and back
constexpr milliseconds kLate(60);      // beyond it: the link takes less than it is given
constexpr milliseconds kPrompt(25);
constexpr milliseconds kAdaptEvery(250);
constexpr std::uint32_t kFirstKbits = 8'000;
constexpr std::uint32_t kLeastKbits = 400;
constexpr std::uint32_t kMostKbits = 24'000;

}  // namespace

Viewer::Viewer(int socket, May may) : socket_(socket), may_(may), kbits_(kFirstKbits) {}

Viewer::~Viewer() { ::close(socket_); }

Result<std::vector<v1::FromViewer>> Viewer::read() {
  std::array<char, 16 << 10> buffer{};
  std::vector<v1::FromViewer> messages;
  const ssize_t count = ::recv(socket_, buffer.data(), buffer.size(), MSG_DONTWAIT);
  if (count < 0 && (errno == EAGAIN || errno == EINTR)) return messages;
  if (count <= 0) return fail(Code::kUnavailable, "the viewer is gone");
  if (Result<void> pushed = reader_.push({buffer.data(), static_cast<std::size_t>(count)}); !pushed) {
    return std::unexpected(pushed.error());
  }
  while (std::optional<std::string> frame = reader_.next()) {
    Result<v1::FromViewer> message = screen::parse_from_viewer(*frame);
    if (!message) return std::unexpected(message.error());
    messages.push_back(controls() ? std::move(*message) : screen::part_of_watcher(*message));
  }
  return messages;
}

Result<void> Viewer::write() {
  while (has_more_to_write()) {
    const ssize_t count = ::send(socket_, out_.data() + written_, out_.size() - written_, MSG_DONTWAIT | MSG_NOSIGNAL);
    if (count < 0 && errno == EINTR) continue;
    if (count < 0 && errno == EAGAIN) return {};
    if (count <= 0) return fail(Code::kUnavailable, "the viewer is gone");
    written_ += static_cast<std::size_t>(count);
  }
  out_.clear();
  written_ = 0;
  return {};
}

void Viewer::send_picture(v1::Picture picture, Clock::time_point now) {
  picture.set_number(++last_number_);
  picture.set_input(input.number());
  ahead_.push_back({last_number_, now});
  if (picture.key()) {
    needs_key = false;
    last_key = now;
  }
  v1::ToViewer message;
  *message.mutable_picture() = std::move(picture);
  send(message);
}

bool Viewer::has_room(Clock::time_point now) const {
  if (has_more_to_write() || ahead_.size() >= kMaxAhead) return false;
  const bool known = shortest_ < std::chrono::hours(1);
  return ahead_.empty() || !known || now - ahead_.front().at < shortest_ + kMaxWait;
}

void Viewer::on_shown(std::uint64_t number, Clock::time_point now) {
  while (!ahead_.empty() && ahead_.front().number <= number) {
    adapt(now - ahead_.front().at, now);
    ahead_.pop_front();
  }
}

void Viewer::set_rate(std::uint32_t kbits) {
  kbits_ = std::clamp(kbits, kLeastKbits, kMostKbits);
  rate_is_told_ = true;
}

// The way there and back of every picture grows when the link has to queue: then it is given less, else slowly more.
// What waits for a packet that was lost is late alone, and tells nothing of how much the link takes.
void Viewer::adapt(Clock::duration way, Clock::time_point now) {
  shortest_ = std::min(shortest_, way);
  soonest_ = std::min(soonest_, way);
  if (rate_is_told_ || now - adapted_ < kAdaptEvery) return;
  if (soonest_ > shortest_ + kLate) {
    kbits_ = std::max(kLeastKbits, kbits_ * 7 / 10);
    shortest_ += milliseconds(1);  // it may have become a longer one
  } else if (soonest_ < shortest_ + kPrompt) {
    kbits_ = std::min(kMostKbits, kbits_ + kbits_ / 16);
  }
  adapted_ = now;
  soonest_ = std::chrono::hours(1);
}

}  // namespace hearth::display
