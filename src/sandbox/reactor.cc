#include "sandbox/reactor.h"

#include <array>
#include <cerrno>
#include <csignal>

#include <pthread.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "base/check.h"

namespace hearth::sandbox {

Reactor::Reactor() : epoll_(::epoll_create1(EPOLL_CLOEXEC)), wake_(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)) {
  CHECK(epoll_ && wake_);
  epoll_event event{.events = EPOLLIN, .data = {.u64 = 0}};
  CHECK(::epoll_ctl(epoll_.get(), EPOLL_CTL_ADD, wake_.get(), &event) == 0);
  // Signals of the process are for its other threads.
  sigset_t all;
  sigset_t before;
  ::sigfillset(&all);
  CHECK(::pthread_sigmask(SIG_SETMASK, &all, &before) == 0);
  thread_ = std::thread([this] { run(); });
  CHECK(::pthread_sigmask(SIG_SETMASK, &before, nullptr) == 0);
}

Reactor::~Reactor() {
  {
    std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  post([] {});
  thread_.join();
}

void Reactor::post(std::function<void()> function) {
  {
    std::lock_guard lock(mutex_);
    posted_.push_back(std::move(function));
  }
  std::uint64_t one = 1;
  // The counter is full only if the thread is about to wake anyway.
  static_cast<void>(::write(wake_.get(), &one, sizeof one));
}

std::uint64_t Reactor::watch(int fd, std::function<void()> on_readable) {
  std::uint64_t id = ++last_watch_;
  watches_.emplace(id, std::make_shared<std::function<void()>>(std::move(on_readable)));
  epoll_event event{.events = EPOLLIN, .data = {.u64 = id}};
  CHECK(::epoll_ctl(epoll_.get(), EPOLL_CTL_ADD, fd, &event) == 0);
  return id;
}

void Reactor::unwatch(std::uint64_t watch, int fd) {
  if (watches_.erase(watch) == 1) CHECK(::epoll_ctl(epoll_.get(), EPOLL_CTL_DEL, fd, nullptr) == 0);
}

bool Reactor::on_thread() const { return std::this_thread::get_id() == thread_.get_id(); }

void Reactor::run_posted() {
  std::uint64_t count = 0;
  static_cast<void>(::read(wake_.get(), &count, sizeof count));
  std::vector<std::function<void()>> functions;
  {
    std::lock_guard lock(mutex_);
    functions.swap(posted_);
  }
  for (const auto& function : functions) function();
}

void Reactor::run() {
  std::array<epoll_event, 64> events{};
  for (;;) {
    {
      std::lock_guard lock(mutex_);
      if (stopping_ && posted_.empty()) return;
    }
    int count = ::epoll_wait(epoll_.get(), events.data(), static_cast<int>(events.size()), -1);
    CHECK(count >= 0 || errno == EINTR);
    for (int i = 0; i < count; ++i) {
      std::uint64_t id = events[static_cast<std::size_t>(i)].data.u64;
      if (id == 0) {
        run_posted();
        continue;
      }
      // An earlier event of this round may have ended the watch; the copy keeps a function that ends itself alive.
      auto found = watches_.find(id);
      if (found == watches_.end()) continue;
      std::shared_ptr<std::function<void()>> function = found->second;
      (*function)();
    }
  }
}

}  // namespace hearth::sandbox
