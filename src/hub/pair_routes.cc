#include "hub/pair_routes.h"

#include <span>
#include <system_error>
#include <utility>
#include <vector>

#include <fcntl.h>
#include <unistd.h>

#include <fmt/format.h>

#include "base/bytes.h"
#include "base/log.h"

namespace hearth::hub {
namespace {

constexpr std::size_t kPieceBytes = std::size_t{1} << 20U;
constexpr Duration kLongestAnswer = seconds(1);

net::Response answer(const google::protobuf::Message& message) {
  net::Response response{200, {}, message.SerializeAsString()};
  response.headers.add("Content-Type", "application/x-protobuf");
  return response;
}

net::Response answer(const Result<v1::Greeting>& greeting) {
  if (greeting) return answer(static_cast<const google::protobuf::Message&>(*greeting));
  const Code code = greeting.error().code;
  const unsigned status = code == Code::kPermissionDenied ? 403 : code == Code::kAborted ? 409 : 500;
  return net::text_response(status, greeting.error().message);
}

bool is_of_hubs(const net::RequestHead& head) {
  if (head.method == "PUT") return head.path == kCopyPath;
  return head.method == "POST" && (head.path == kGreetPath || head.path == kCommitsPath);
}

// Whether the hub wants the witness to note something.
bool wants(const v1::WitnessAsk& ask, const v1::WitnessWord& word) {
  if (ask.bid_epoch() != 0) return ask.bid_epoch() == word.epoch() && !word.alone();
  if (ask.claim_epoch() == 0) return false;
  const bool noted = ask.claim_epoch() == word.epoch() && ask.hub() == word.holder() && ask.alone() == word.alone();
  return !noted || (ask.alone() && word.version() <= ask.revoked());
}

}  // namespace

PairRoutes::PairRoutes(net::Loop& loop, net::Workers& store_worker, net::Workers& file_workers, PairStore& store,
                       std::filesystem::path directory, std::string secret)
    : loop_(loop),
      store_worker_(store_worker),
      file_workers_(file_workers),
      store_(store),
      directory_(std::move(directory)),
      secret_(std::move(secret)) {
  store_.on_ask([this] { loop_.post([asked = asked_] { asked->notify(); }); });
}

PairRoutes::~PairRoutes() { store_.on_ask({}); }

net::Async<bool> PairRoutes::serve(net::Exchange& exchange) {
  const net::RequestHead& head = exchange.head();
  const std::string authorization(head.headers.get("authorization"));
  const std::string witness = store_.witness_secret();
  const bool by_witness =
      !witness.empty() && equal_constant_time(authorization, "Bearer " + to_hex(witness)) && head.method == "POST";
  const bool by_hub = equal_constant_time(authorization, "Bearer " + to_hex(secret_));
  if (!(by_witness && head.path == kWitnessPath) && !(by_hub && is_of_hubs(head))) co_return false;
  ++running_;
  if (head.path == kWitnessPath) {
    co_await hear_witness(exchange);
  } else {
    co_await answer_hub(exchange);
  }
  if (--running_ == 0) idle_.notify();
  co_return true;
}

net::Async<void> PairRoutes::answer_hub(net::Exchange& exchange) {
  const std::string path(exchange.head().path);
  if (path == kGreetPath) {
    co_await greet(exchange);
  } else if (path == kCommitsPath) {
    co_await take_commits(exchange);
  } else {
    co_await take_copy(exchange);
  }
}

net::Async<void> PairRoutes::stop() {
  asked_->notify();
  while (running_ > 0) co_await idle_.wait();
}

net::Async<void> PairRoutes::greet(net::Exchange& exchange) {
  const Result<std::string> body = co_await exchange.read_whole_body(kMaxGreetingBytes);
  v1::Greeting greeting;
  if (!body || !greeting.ParseFromString(*body)) {
    co_return (void) co_await exchange.reply(net::text_response(400, "a Greeting is expected"));
  }
  co_await exchange.reply(answer(store_.greeted(greeting)));
}

net::Async<void> PairRoutes::take_commits(net::Exchange& exchange) {
  const Result<std::string> body = co_await exchange.read_whole_body(kMaxPassedBytes + kMaxGreetingBytes);
  v1::PassOn commits;
  if (!body || !commits.ParseFromString(*body)) {
    co_return (void) co_await exchange.reply(net::text_response(400, "a PassOn of at most 64 MiB is expected"));
  }
  const Result<v1::Greeting> taken = co_await store_worker_.run([&] { return store_.take_commits(commits); });
  co_await exchange.reply(answer(taken));
}

net::Async<void> PairRoutes::take_copy(net::Exchange& exchange) {
  if (std::exchange(receiving_, true)) {
    co_return (void) co_await exchange.reply(net::text_response(409, "another copy is on its way"));
  }
  const std::filesystem::path file = directory_ / "pool.db.incoming";
  const Result<void> received = co_await receive(exchange, file);
  Result<v1::Greeting> taken = received ? Result<v1::Greeting>() : std::unexpected(received.error());
  if (received) taken = co_await store_worker_.run([&] { return store_.take_copy(file); });
  std::error_code absent;
  for (const char* rest : {"", "-wal", "-shm"}) std::filesystem::remove(file.string() + rest, absent);
  receiving_ = false;
  if (taken) log_info("a copy of the pool came", {{"position", taken->place().position()}});
  co_await exchange.reply(answer(taken));
}

// On disk when it is done.
net::Async<Result<void>> PairRoutes::receive(net::Exchange& exchange, const std::filesystem::path& file) {
  std::error_code absent;
  for (const char* rest : {"", "-wal", "-shm"}) std::filesystem::remove(file.string() + rest, absent);
  const int descriptor = ::open(file.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
  if (descriptor < 0) co_return fail_errno(errno, "making " + file.string());
  Result<void> done;
  std::vector<char> buffer(kPieceBytes);
  while (done) {
    const Result<std::size_t> count = co_await exchange.read_body(buffer);
    if (!count) done = std::unexpected(count.error());
    if (!count || *count == 0) break;
    done = co_await file_workers_.run([&]() -> Result<void> {
      const auto size = static_cast<ssize_t>(*count);
      return ::write(descriptor, buffer.data(), *count) == size ? Result<void>()
                                                                : fail_errno(errno, "writing " + file.string());
    });
  }
  if (done) {
    done = co_await file_workers_.run([&]() -> Result<void> {
      return ::fsync(descriptor) == 0 ? Result<void>() : fail_errno(errno, "writing " + file.string());
    });
  }
  ::close(descriptor);
  co_return done;
}

net::Async<void> PairRoutes::hear_witness(net::Exchange& exchange) {
  const Result<std::string> body = co_await exchange.read_whole_body(kMaxGreetingBytes);
  v1::WitnessWord word;
  if (!body || !word.ParseFromString(*body)) {
    co_return (void) co_await exchange.reply(net::text_response(400, "a WitnessWord is expected"));
  }
  v1::WitnessAsk ask = store_.witnessed(word);
  if (!wants(ask, word)) {
    co_await asked_->wait(kLongestAnswer);
    ask = store_.ask();
  }
  co_await exchange.reply(answer(ask));
}

}  // namespace hearth::hub
