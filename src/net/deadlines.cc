#include "net/deadlines.h"

#include <chrono>

#include <asio/execution/context.hpp>
#include <asio/execution_context.hpp>
#include <asio/io_context.hpp>
#include <asio/query.hpp>
#include <asio/steady_timer.hpp>

namespace hearth::net {

Time steady_now() {
  auto since = std::chrono::steady_clock::now().time_since_epoch();
  return {std::chrono::duration_cast<std::chrono::microseconds>(since).count()};
}

// One queue and one timer of a loop. An Asio service, so that whatever knows an executor finds its loop's.
class DeadlineService : public asio::execution_context::service {
 public:
  using key_type = DeadlineService;  // NOLINT(readability-identifier-naming): Asio looks it up by this name
  static asio::execution_context::id id;

  explicit DeadlineService(asio::execution_context& context)
      : asio::execution_context::service(context),
        timer_(std::make_unique<asio::steady_timer>(static_cast<asio::io_context&>(context))) {}

  void queue(Deadline& deadline, Time at) {
    unqueue(deadline);
    deadline.queued_ = queue_.emplace(at, &deadline);
    if (*deadline.queued_ == queue_.begin()) set_timer();
  }

  void unqueue(Deadline& deadline) {
    if (deadline.queued_) queue_.erase(*deadline.queued_);
    deadline.queued_.reset();
  }

 private:
  void shutdown() override { timer_.reset(); }

  void set_timer() {
    if (!timer_) return;
    timer_->expires_at(std::chrono::steady_clock::time_point(std::chrono::microseconds(queue_.begin()->first.micros)));
    timer_->async_wait([this](const asio::error_code& error) {
      if (!error) on_timer();
    });
  }

  void on_timer() {
    Time now = steady_now();
    while (!queue_.empty() && queue_.begin()->first <= now) expire(*queue_.begin()->second, now);
    if (!queue_.empty()) set_timer();
  }

  void expire(Deadline& deadline, Time now) {
    unqueue(deadline);
    if (!deadline.due_) return;
    if (*deadline.due_ > now) {
      deadline.queued_ = queue_.emplace(*deadline.due_, &deadline);
      return;
    }
    deadline.due_.reset();
    deadline.expired_();
  }

  Deadline::Queue queue_;
  std::unique_ptr<asio::steady_timer> timer_;
};

asio::execution_context::id DeadlineService::id;

Deadline::Deadline(const asio::any_io_executor& executor, std::function<void()> expired)
    : service_(asio::use_service<DeadlineService>(asio::query(executor, asio::execution::context))),
      expired_(std::move(expired)) {}

Deadline::~Deadline() { service_.unqueue(*this); }

void Deadline::arm(Time due) {
  due_ = due;
  if (!queued_ || (*queued_)->first > due) service_.queue(*this, due);
}

}  // namespace hearth::net
