#include "node/witness.h"

#include <fstream>
#include <iterator>
#include <system_error>
#include <utility>

#include <fcntl.h>
#include <unistd.h>

#include "base/bytes.h"
#include "base/log.h"

namespace hearth::node {
namespace {

constexpr Duration kPause = milliseconds(500);  // between questions that brought nothing
constexpr std::size_t kMaxHubs = 32;
constexpr std::size_t kMaxAnswerBytes = 4'096;
// A hub answers within a second.
constexpr net::ClientOptions kClient{.max_connections = 1, .connect_limit = seconds(2), .stall_limit = seconds(3)};

succession::Register register_of(const v1::WitnessWord& word) {
  return {word.version(), word.epoch(), word.holder(), word.version() == 0 || word.alone()};
}

v1::WitnessWord word_of(const succession::Register& noted) {
  v1::WitnessWord word;
  word.set_version(noted.version);
  word.set_epoch(noted.epoch);
  word.set_holder(noted.holder);
  word.set_alone(noted.alone);
  return word;
}

}  // namespace

struct Witness::Watch {
  std::string identity;
  std::vector<net::Endpoint> endpoints;
  std::string secret;
  std::size_t turn = 0;
  std::unique_ptr<net::Client> client;
  bool gone = false;
  bool answers = true;
};

Witness::Witness(net::Loop& loop, net::Workers& workers, const std::filesystem::path& directory)
    : loop_(loop), workers_(workers), file_(directory / "witness"), register_({}, loop.now()) {}

void Witness::start() {
  std::ifstream stream(file_, std::ios::binary);
  const std::string bytes((std::istreambuf_iterator<char>(stream)), std::istreambuf_iterator<char>());
  v1::WitnessFile kept;
  if (bytes.empty()) return;
  if (!kept.ParseFromString(bytes)) {
    log_error("what this node has witnessed cannot be read; name the witness anew: hearth standby witness",
              {{"file", file_.string()}});
    return;
  }
  kept_ = std::move(kept);
  register_ = succession::Witness(register_of(kept_.word()), loop_.now());
  watch_hubs();
}

void Witness::take(const v1::WitnessDuty& duty) {
  // One alone writes the file: what this one would write has not the word that the other does.
  if (noting_) {
    next_duty_ = duty;
    return;
  }
  if (duty.SerializeAsString() == kept_.duty().SerializeAsString()) return;
  v1::WitnessFile next;
  *next.mutable_duty() = duty;
  if (duty.secret() == kept_.duty().secret()) *next.mutable_word() = kept_.word();
  std::error_code absent;
  if (duty.secret().empty()) {
    std::filesystem::remove(file_, absent);
  } else if (const Result<void> written = write(next); !written) {
    log_error("this node cannot bear witness", {{"error", written.error().message}});
    return;
  }
  if (duty.secret() != kept_.duty().secret()) {
    log_info(duty.secret().empty() ? "this node bears no witness any more" : "this node bears witness for two hubs");
    register_ = succession::Witness({}, loop_.now());
  }
  kept_ = std::move(next);
  watch_hubs();
}

void Witness::watch_hubs() {
  Ways ways;
  for (int i = 0; i < kept_.duty().hubs_size() && i < static_cast<int>(kMaxHubs); ++i) {
    const v1::HubAddress& hub = kept_.duty().hubs(i);
    Result<net::Endpoint> endpoint = net::parse_endpoint(hub.endpoint());
    if (endpoint) ways[hub.identity_key()].push_back(std::move(*endpoint));
  }
  for (auto& [identity, watch] : watches_) watch->gone = true;
  watches_.clear();
  if (kept_.duty().secret().empty()) return;
  for (auto& [identity, endpoints] : ways) {
    const auto watch = std::make_shared<Watch>();
    watch->identity = identity;
    watch->endpoints = std::move(endpoints);
    watch->secret = kept_.duty().secret();
    watches_.emplace(identity, watch);
    loop_.spawn(this->watch(watch));
  }
}

net::Async<void> Witness::watch(std::shared_ptr<Watch> watch) {
  while (!watch->gone) {
    const Result<v1::WitnessAsk> wanted = co_await ask(*watch);
    if (watch->gone) break;
    if (wanted.has_value() != std::exchange(watch->answers, wanted.has_value())) {
      log_info(wanted ? "a hub answers its witness" : "a hub does not answer its witness",
               {{"hub", to_hex(watch->identity).substr(0, 16)}, {"error", wanted ? "" : wanted.error().message}});
    }
    const bool changed = wanted && co_await note(*wanted);
    if (!changed && !watch->gone) co_await net::sleep_for(kPause);
  }
}

net::Async<Result<v1::WitnessAsk>> Witness::ask(Watch& watch) {
  if (!watch.client) {
    const net::Endpoint& endpoint = watch.endpoints[watch.turn % watch.endpoints.size()];
    watch.client = net::Client::make(loop_, endpoint, {.identity_key = watch.identity, .identity_fingerprint = ""},
                                     workers_, kClient);
  }
  net::Headers headers;
  headers.add("Authorization", "Bearer " + to_hex(watch.secret));
  const Result<net::Response> answer = co_await watch.client->request(
      "POST", "/hub/witness", std::move(headers), kept_.word().SerializeAsString(), kMaxAnswerBytes);
  v1::WitnessAsk wanted;
  if (answer && answer->status == 200 && wanted.ParseFromString(answer->body)) co_return wanted;
  ++watch.turn;
  watch.client.reset();
  if (!answer) co_return std::unexpected(answer.error());
  co_return fail(Code::kUnavailable, "it answers " + std::to_string(answer->status));
}

// True: there is something new to tell.
net::Async<bool> Witness::note(const v1::WitnessAsk& ask) {
  while (noting_) co_await noted_.wait();
  const succession::Register before = register_.standing();
  bool changed = false;
  if (ask.claim_epoch() != 0) {
    changed = register_.on_claim({ask.claim_epoch(), ask.hub(), ask.alone(), ask.revoked()}, loop_.now());
  } else if (ask.bid_epoch() != 0) {
    changed = register_.on_bid(ask.hub(), ask.bid_epoch(), loop_.now());
  }
  if (!changed) co_return false;
  noting_ = true;
  v1::WitnessFile next = kept_;
  *next.mutable_word() = word_of(register_.standing());
  const Result<void> written = co_await workers_.run([&] { return write(next); });
  if (written && next.duty().secret() == kept_.duty().secret()) {
    *kept_.mutable_word() = next.word();
    if (before.epoch != register_.standing().epoch) {
      log_info("noted who holds the pool", {{"hub", to_hex(ask.hub()).substr(0, 16)}, {"epoch", next.word().epoch()}});
    }
  } else if (!written) {
    log_error("what was witnessed cannot be kept", {{"error", written.error().message}});
    register_ = succession::Witness(before, loop_.now());
  }
  noting_ = false;
  if (const std::optional<v1::WitnessDuty> duty = std::exchange(next_duty_, std::nullopt)) take(*duty);
  noted_.notify();
  co_return written.has_value();
}

// Whole and on disk, or not at all.
Result<void> Witness::write(const v1::WitnessFile& file) const {
  const std::string fresh = file_.string() + ".new";
  const std::string bytes = file.SerializeAsString();
  const int descriptor = ::open(fresh.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
  if (descriptor < 0) return fail_errno(errno, "writing " + fresh);
  const bool written =
      ::write(descriptor, bytes.data(), bytes.size()) == static_cast<ssize_t>(bytes.size()) && ::fsync(descriptor) == 0;
  const int failure = errno;
  ::close(descriptor);
  if (!written || ::rename(fresh.c_str(), file_.c_str()) != 0) return fail_errno(written ? errno : failure, fresh);
  const int folder = ::open(file_.parent_path().c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  const bool kept = folder >= 0 && ::fsync(folder) == 0;
  if (folder >= 0) ::close(folder);
  return kept ? Result<void>() : fail_errno(errno, "writing " + file_.string());
}

}  // namespace hearth::node
