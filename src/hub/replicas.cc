#include "hub/replicas.h"

#include <algorithm>
#include <utility>

#include <fmt/format.h>

#include "base/bytes.h"
#include "base/log.h"
#include "hub/addresses.h"
#include "net/client.h"

namespace hearth::hub {
namespace {

constexpr Duration kRetry = seconds(1);
constexpr std::size_t kDigestBytes = 32;
constexpr net::ClientOptions kClient{.connect_limit = seconds(2), .stall_limit = seconds(5)};

}  // namespace

struct Replicas::Replica {
  store::HubRow hub;
  std::shared_ptr<net::Client> client;
  std::size_t endpoint = 0;  // of those that it names, which is tried
  bool follows = false;
  bool gone = false;
  Step step;
  net::Event changed;

  net::Headers headers() const {
    net::Headers headers;
    headers.add("Authorization", "Bearer " + to_hex(hub.secret));
    return headers;
  }
  void fall_behind() {
    follows = step.in_step = false;
    changed.notify();
  }
};

Replicas::Replicas(net::Loop& loop, net::Workers& workers, blob::BlobStore& blobs)
    : loop_(loop), workers_(workers), blobs_(blobs) {}

Replicas::~Replicas() = default;

void Replicas::meet(const std::vector<store::KnownHub>& others) {
  std::map<std::string, const store::HubRow*> living;
  for (const store::KnownHub& hub : others) {
    if (hub.alive && !hub.row.endpoints.empty()) living[hub.row.identity] = &hub.row;
  }
  std::erase_if(replicas_, [&living](const auto& entry) {
    const auto found = living.find(entry.first);
    const store::HubRow& known = entry.second->hub;
    const bool same =
        found != living.end() && found->second->endpoints == known.endpoints && found->second->secret == known.secret;
    if (same) return false;
    entry.second->gone = true;
    entry.second->fall_behind();
    return true;
  });
  for (const auto& [identity, hub] : living) {
    if (replicas_.contains(identity)) continue;
    const auto replica = std::make_shared<Replica>();
    replica->hub = *hub;
    replicas_.emplace(identity, replica);
    ++running_;
    loop_.spawn(follow_up(replica));
  }
}

net::Async<void> Replicas::follow_up(std::shared_ptr<Replica> replica) {
  bool said = false;
  while (!replica->gone) {
    const std::vector<net::Endpoint> endpoints = endpoints_in(replica->hub.endpoints);
    Result<void> done =
        endpoints.empty() ? fail(Code::kUnavailable, "it does not say where it listens") : Result<void>();
    if (done) {
      const net::Endpoint& endpoint = endpoints[replica->endpoint++ % endpoints.size()];
      // Hub to hub there is one key, which the other's row names.
      replica->client = net::Client::make(
          loop_, endpoint, {.identity_key = replica->hub.identity, .identity_fingerprint = ""}, workers_, kClient);
      done = co_await send_missing(*replica);
    }
    if (done && !replica->gone) {
      said = false;
      log_info(fmt::format("a hub that stands by has every file name=\"{}\"", replica->hub.name));
      while (replica->follows) co_await replica->changed.wait();
    }
    if (!done && !std::exchange(said, true)) {
      log_warning(fmt::format("a hub that stands by does not get the files name=\"{}\" error=\"{}\"", replica->hub.name,
                              done.error().message));
    }
    replica->fall_behind();
    if (!replica->gone) co_await replica->changed.wait(kRetry);
  }
  if (--running_ == 0) stopped_.notify();
}

// From the first moment new blobs are handed over, so none falls between the list and the end.
net::Async<Result<void>> Replicas::send_missing(Replica& replica) {
  replica.follows = true;
  const std::vector<blob::Digest> here = co_await workers_.run([this] { return blobs_.list(); });
  std::vector<blob::Digest> missing;
  for (std::size_t first = 0; first < here.size(); first += kMaxMissingAsked) {
    std::string asked;
    for (std::size_t i = first; i < std::min(here.size(), first + kMaxMissingAsked); ++i) asked += here[i];
    const Result<net::Response> reply =
        co_await replica.client->request("POST", kMissingPath, replica.headers(), std::move(asked));
    if (!reply) co_return std::unexpected(reply.error());
    if (reply->status != 200) co_return fail(Code::kUnavailable, fmt::format("it answers {}", reply->status));
    for (std::size_t at = 0; at + kDigestBytes <= reply->body.size(); at += kDigestBytes) {
      missing.push_back(reply->body.substr(at, kDigestBytes));
    }
  }
  replica.step.behind = missing.size();
  for (const blob::Digest& digest : missing) {
    if (replica.gone) co_return fail(Code::kUnavailable, "it is gone");
    if (Result<void> sent = co_await send(replica, digest); !sent) co_return sent;
    --replica.step.behind;
  }
  if (!replica.follows) co_return fail(Code::kUnavailable, "it did not take a new file");
  replica.step.in_step = true;
  co_return Result<void>();
}

// A blob that went meanwhile is missed by nobody.
net::Async<Result<void>> Replicas::send(Replica& replica, const blob::Digest& digest) {
  Result<blob::Reader> reader = co_await workers_.run([&] { return blobs_.read(digest); });
  if (!reader && reader.error().code == Code::kNotFound) co_return Result<void>();
  if (!reader) co_return std::unexpected(reader.error());
  const std::shared_ptr<net::Client> client = replica.client;
  const Result<net::Response> reply =
      co_await client->send_file(kBlobPath + to_hex(digest), replica.headers(), reader->file(), reader->size());
  if (!reply) co_return std::unexpected(reply.error());
  if (reply->status / 100 == 2) co_return Result<void>();
  co_return fail(Code::kUnavailable, fmt::format("it answers {}: {}", reply->status, reply->body.substr(0, 200)));
}

net::Async<void> Replicas::hand_over(blob::Digest digest) {
  std::vector<std::shared_ptr<Replica>> following;
  for (const auto& [identity, replica] : replicas_) {
    if (replica->follows) following.push_back(replica);
  }
  for (const std::shared_ptr<Replica>& replica : following) {
    const Result<void> sent = co_await send(*replica, digest);
    if (sent || !replica->follows) continue;
    log_warning(fmt::format("a hub that stands by did not take a file name=\"{}\" error=\"{}\"", replica->hub.name,
                            sent.error().message));
    replica->fall_behind();
  }
}

Replicas::Step Replicas::step_of(const std::string& identity) const {
  const auto found = replicas_.find(identity);
  return found == replicas_.end() ? Step{} : found->second->step;
}

net::Async<void> Replicas::stop() {
  meet({});
  while (running_ > 0) co_await stopped_.wait();
}

}  // namespace hearth::hub
