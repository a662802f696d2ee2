#include "node/swarm_helper.h"

#include <cerrno>
#include <vector>

#include <sys/socket.h>
#include <unistd.h>

#include "base/log.h"
#include "sandbox/confined.h"
#include "swarm/frames.h"

namespace hearth::node {
namespace {

constexpr std::size_t kMaxQueuedBytes = 64 << 20;

}  // namespace

// The loop's thread only.
struct SwarmHelper::Shared {
  Events events;
  bool over = false;

  void end() {
    if (!std::exchange(over, true)) events.end();
  }
};

Result<std::unique_ptr<SwarmHelper>> SwarmHelper::start(net::Loop& loop, const std::filesystem::path& program,
                                                        const std::string& bwrap,
                                                        const std::filesystem::path& directory, Events events) {
  const Result<sandbox::Confined> started =
      sandbox::start_confined({.name = "hearth-swarm", .program = program, .bwrap = bwrap, .shown = directory});
  if (!started) return std::unexpected(started.error());
  return std::make_unique<SwarmHelper>(loop, started->process, started->socket, std::move(events));
}

SwarmHelper::SwarmHelper(net::Loop& loop, pid_t process, int socket, Events events)
    : loop_(loop), process_(process), socket_(socket), shared_(std::make_shared<Shared>(std::move(events))) {
  reader_ = std::thread([this] { read_for_ever(); });
  writer_ = std::thread([this] { write_for_ever(); });
}

SwarmHelper::~SwarmHelper() {
  shared_->over = true;
  {
    const std::lock_guard lock(mutex_);
    ending_ = true;
  }
  more_.notify_all();
  ::shutdown(socket_, SHUT_RDWR);
  sandbox::end_confined(process_);
  reader_.join();
  writer_.join();
  ::close(socket_);
}

void SwarmHelper::send(const v1::SwarmOrder& order) {
  std::string frame = swarm::frame_of(order);
  {
    const std::lock_guard lock(mutex_);
    if (queued_bytes_ + frame.size() > kMaxQueuedBytes) {
      log_warning("hearth-swarm does not read what it is told");
      ::shutdown(socket_, SHUT_RDWR);
      return;
    }
    queued_bytes_ += frame.size();
    frames_.push_back(std::move(frame));
  }
  more_.notify_all();
}

void SwarmHelper::read_for_ever() {
  swarm::FrameReader reader;
  std::vector<char> buffer(64 << 10);
  bool good = true;
  while (good) {
    const ssize_t count = ::recv(socket_, buffer.data(), buffer.size(), 0);
    if (count < 0 && errno == EINTR) continue;
    if (count <= 0) break;
    good = reader.push({buffer.data(), static_cast<std::size_t>(count)}).has_value();
    while (std::optional<std::string> frame = reader.next()) {
      Result<v1::SwarmNews> news = swarm::parse_news(*frame);
      good = good && news.has_value();
      if (!good) break;
      loop_.post([shared = shared_, told = std::move(*news)] {
        if (!shared->over) shared->events.news(told);
      });
    }
  }
  loop_.post([shared = shared_] { shared->end(); });
}

void SwarmHelper::write_for_ever() {
  for (;;) {
    std::string frame;
    {
      std::unique_lock lock(mutex_);
      more_.wait(lock, [this] { return ending_ || !frames_.empty(); });
      if (ending_) return;
      frame = std::move(frames_.front());
      frames_.pop_front();
      queued_bytes_ -= frame.size();
    }
    for (std::size_t done = 0; done < frame.size();) {
      const ssize_t count = ::send(socket_, frame.data() + done, frame.size() - done, MSG_NOSIGNAL);
      if (count < 0 && errno == EINTR) continue;
      if (count <= 0) return;  // the reader sees the end as well
      done += static_cast<std::size_t>(count);
    }
  }
}

}  // namespace hearth::node
