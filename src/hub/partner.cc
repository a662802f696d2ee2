#include "hub/partner.h"

#include <condition_variable>
#include <future>
#include <mutex>
#include <thread>
#include <utility>
#include <vector>

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <fmt/format.h>

#include "base/bytes.h"
#include "base/log.h"
#include "hub/addresses.h"
#include "net/client.h"

namespace hearth::hub {
namespace {

constexpr Duration kGreetInterval = seconds(1);
constexpr net::ClientOptions kClient{.connect_limit = seconds(2), .stall_limit = seconds(4)};

net::Headers headers_for(const store::HubRow& row) {
  net::Headers headers;
  headers.add("Authorization", "Bearer " + to_hex(row.secret));
  return headers;
}

Result<v1::Greeting> greeting_in(const Result<net::Response>& reply) {
  if (!reply) return std::unexpected(reply.error());
  v1::Greeting greeting;
  if (reply->status == 200 && greeting.ParseFromString(reply->body)) return greeting;
  const Code code = reply->status == 403 ? Code::kPermissionDenied : Code::kUnavailable;
  return fail(code, fmt::format("it answers {}: {}", reply->status, reply->body.substr(0, 200)));
}

// The loop's clock stands still while the PC sleeps.
Time awake_or_asleep_now() {
  timespec at{};
  ::clock_gettime(CLOCK_BOOTTIME, &at);
  return {at.tv_sec * 1'000'000 + at.tv_nsec / 1'000};
}

}  // namespace

store::HubRow row_of(const v1::HubCard& card) {
  return {.identity = card.identity_key(),
          .name = card.name(),
          .endpoints = card.endpoints(),
          .secret = card.secret(),
          .command_line_key = card.command_line_key(),
          .node_key = card.node_key()};
}

v1::HubCard card_of(const store::HubRow& row) {
  v1::HubCard card;
  card.set_identity_key(row.identity);
  card.set_name(row.name);
  card.set_endpoints(row.endpoints);
  card.set_secret(row.secret);
  card.set_command_line_key(row.command_line_key);
  card.set_node_key(row.node_key);
  return card;
}

struct Partner::State {
  // Of the loop's thread.
  net::Loop loop;
  net::Workers workers{1};
  std::shared_ptr<net::Client> client;
  std::string endpoint;  // of the client
  std::size_t turn = 0;  // of its endpoints, which is tried
  net::Event woken;
  std::thread thread;

  mutable std::mutex mutex;  // guards what follows
  std::condition_variable greeted;
  std::string identity;
  store::HubRow row;
  v1::Greeting mine;
  std::optional<v1::Greeting> heard;
  Time heard_at;
  std::optional<Time> answered;  // when that was asked which it answered last, as a hub that does not hold
  bool tried = false;
  bool refuses = false;
  bool sending = false;
  bool stopping = false;

  bool is_stopping() const {
    const std::lock_guard lock(mutex);
    return stopping;
  }
  store::HubRow current_row() const {
    const std::lock_guard lock(mutex);
    return row;
  }
  void take(const v1::Greeting& greeting) {
    const std::lock_guard lock(mutex);
    if (greeting.self().identity_key() != identity) return;
    heard = greeting;
    heard_at = loop.now();
    refuses = false;
    if (!greeting.self().endpoints().empty()) row = row_of(greeting.self());
  }

  std::shared_ptr<net::Client> connect(const store::HubRow& to) {
    const std::vector<net::Endpoint> endpoints = endpoints_in(to.endpoints);
    if (endpoints.empty()) return nullptr;
    const net::Endpoint& next = endpoints[turn % endpoints.size()];
    if (client && endpoint == next.text()) return client;
    endpoint = next.text();
    client = net::Client::make(loop, next, {.identity_key = to.identity, .identity_fingerprint = ""}, workers, kClient);
    return client;
  }

  net::Async<Result<v1::Greeting>> call(std::string path, std::string body) {
    const store::HubRow to = current_row();
    const std::shared_ptr<net::Client> through = connect(to);
    if (!through) co_return fail(Code::kUnavailable, "it has yet to say where it listens");
    const Time asked = awake_or_asleep_now();
    Result<v1::Greeting> greeting = greeting_in(
        co_await through->request("POST", std::move(path), headers_for(to), std::move(body), kMaxGreetingBytes));
    if (greeting) {
      take(*greeting);
      const std::lock_guard lock(mutex);
      answered = greeting->holds() ? std::nullopt : std::optional(asked);
    } else {
      ++turn;
    }
    co_return greeting;
  }

  net::Async<void> greet_for_ever() {
    while (!is_stopping()) {
      std::string body;
      {
        const std::lock_guard lock(mutex);
        body = mine.SerializeAsString();
      }
      const Result<v1::Greeting> greeting = co_await call(kGreetPath, std::move(body));
      {
        const std::lock_guard lock(mutex);
        if (!greeting && greeting.error().code == Code::kPermissionDenied) refuses = true;
        tried = true;
      }
      greeted.notify_all();
      if (!is_stopping()) co_await woken.wait(kGreetInterval);
    }
    loop.stop();
  }

  net::Async<void> send(std::filesystem::path file) {
    const store::HubRow to = current_row();
    const std::shared_ptr<net::Client> through = connect(to);
    const int descriptor = ::open(file.c_str(), O_RDONLY | O_CLOEXEC);
    struct stat status = {};
    Result<v1::Greeting> answer = fail(Code::kUnavailable, "the copy could not be opened");
    if (through && descriptor >= 0 && ::fstat(descriptor, &status) == 0) {
      answer = greeting_in(co_await through->send_file(kCopyPath, headers_for(to), descriptor,
                                                       static_cast<std::uint64_t>(status.st_size)));
    }
    if (descriptor >= 0) ::close(descriptor);
    std::error_code absent;
    std::filesystem::remove(file, absent);
    if (answer) {
      take(*answer);
      log_info("the hub that stands by has a copy of the pool", {{"hub", to.name}, {"bytes", status.st_size}});
    } else {
      log_warning("the hub that stands by did not take a copy of the pool",
                  {{"hub", to.name}, {"error", answer.error().message}});
    }
    const std::lock_guard lock(mutex);
    sending = false;
  }
};

Partner::Partner(store::HubRow partner, v1::Greeting mine) : state_(std::make_unique<State>()) {
  state_->identity = partner.identity;
  state_->row = std::move(partner);
  state_->mine = std::move(mine);
  state_->loop.spawn(state_->greet_for_ever());
  state_->thread = std::thread([this] { state_->loop.run(); });
}

Partner::~Partner() {
  {
    const std::lock_guard lock(state_->mutex);
    state_->stopping = true;
  }
  state_->loop.post([this] {
    if (state_->client) state_->client->close();
    state_->woken.notify();
  });
  state_->thread.join();
}

const std::string& Partner::identity() const { return state_->identity; }

store::HubRow Partner::row() const { return state_->current_row(); }

void Partner::say(v1::Greeting mine) {
  const std::lock_guard lock(state_->mutex);
  state_->mine = std::move(mine);
}

std::optional<v1::Greeting> Partner::heard() const {
  const std::lock_guard lock(state_->mutex);
  if (!state_->heard || state_->loop.now() - state_->heard_at > store::kHoldSpan) return std::nullopt;
  return state_->heard;
}

bool Partner::has_just_answered() const {
  const std::lock_guard lock(state_->mutex);
  return state_->answered && awake_or_asleep_now() - *state_->answered < store::kHoldSpan;
}

void Partner::hear(const v1::Greeting& greeting) { state_->take(greeting); }

void Partner::await_first_greeting() {
  std::unique_lock lock(state_->mutex);
  state_->greeted.wait_for(lock, std::chrono::microseconds(seconds(7).micros), [this] { return state_->tried; });
}

bool Partner::refuses() const {
  const std::lock_guard lock(state_->mutex);
  return state_->refuses;
}

Result<v1::Greeting> Partner::pass_on(const v1::PassOn& commits) {
  std::promise<Result<v1::Greeting>> promise;
  std::future<Result<v1::Greeting>> answer = promise.get_future();
  state_->loop.spawn([](State& state, std::string body, std::promise<Result<v1::Greeting>>& told) -> net::Async<void> {
    told.set_value(co_await state.call(kCommitsPath, std::move(body)));
  }(*state_, commits.SerializeAsString(), promise));
  return answer.get();
}

void Partner::send_copy(const std::filesystem::path& file) {
  {
    const std::lock_guard lock(state_->mutex);
    state_->sending = true;
  }
  state_->loop.spawn(state_->send(file));
}

bool Partner::is_sending() const {
  const std::lock_guard lock(state_->mutex);
  return state_->sending;
}

}  // namespace hearth::hub
