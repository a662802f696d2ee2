#include "hub/shared_hub.h"

#include <algorithm>
#include <optional>
#include <utility>

#include <fmt/format.h>

#include "base/bytes.h"
#include "base/log.h"
#include "hub/addresses.h"
#include "hub/blob_receive.h"
#include "hub/circle.h"
#include "hub/copying.h"
#include "hub/moving.h"
#include "hub/replicas.h"
#include "net/crypto.h"
#include "net/server.h"

namespace hearth::hub {
namespace {

constexpr unsigned kFileWorkers = 2;
constexpr std::size_t kDigestBytes = 32;

class SharedHub : public Hub {
 public:
  SharedHub(net::Loop& loop, const Options& options)
      : loop_(loop), options_(options), workers_(kFileWorkers), store_worker_(std::make_shared<net::Workers>(1)) {}

  Result<void> start();
  std::uint16_t port() const override { return holder_ ? holder_->port() : server_->port(); }
  const std::string& identity_key() const override { return identity_->public_key(); }
  DeviceId local_device(std::string_view key_spki) const override;
  bool holds() const override { return holder_ != nullptr; }
  const std::string& pool_name() const override { return options_.pool_name; }
  std::vector<account::HubAddress> other_hubs() const override { return holder_ ? holder_->other_hubs() : others_; }
  net::Async<void> stop() override;

 private:
  Result<void> describe_self();
  Result<void> open_store();
  Result<void> hold(store::Meeting meeting);
  Result<void> stand_by();
  net::Async<void> wait_for_hold();
  Result<void> take(store::Meeting meeting, std::vector<store::DeviceRow> devices);
  net::Async<void> serve(net::Exchange& exchange);
  net::Async<void> tell_missing(net::Exchange& exchange);
  net::Async<void> take_blob(net::Exchange& exchange);
  std::string refusal() const;

  net::Loop& loop_;
  Options options_;
  net::Workers workers_;
  std::shared_ptr<net::Workers> store_worker_;
  std::optional<net::IdentityKey> identity_;
  store::HubRow self_;
  std::unique_ptr<store::SharedStore> store_;  // until it holds
  store::DatabaseStore* database_ = nullptr;   // the same, if it is one
  PairStore* pair_ = nullptr;                  // the same, if it is one; wherever it has gone
  std::unique_ptr<PairRoutes> routes_;
  std::unique_ptr<blob::BlobStore> blobs_;  // while it stands by
  blob::BlobStore* incoming_ = nullptr;     // the same, wherever they have gone
  std::unique_ptr<DriveCopy> drive_copy_;   // while it stands by, if the records lie in a file
  std::unique_ptr<net::Server> server_;
  std::vector<account::HubAddress> others_;
  std::string holder_name_;
  std::vector<store::DeviceRow> devices_;
  std::unique_ptr<Hub> holder_;
  bool stopping_ = false;
  bool waiting_ = false;
  net::Event woken_;
  net::Event waited_;
};

Result<void> SharedHub::start() {
  if (Result<void> made = make_hub_directory(options_); !made) return made;
  Result<net::IdentityKey> identity = net::IdentityKey::load_or_create(options_.directory / "identity.pem");
  if (!identity) return fail(identity, "the hub's identity");
  identity_.emplace(std::move(*identity));
  if (Result<void> described = describe_self(); !described) return described;
  if (Result<void> opened = open_store(); !opened) return opened;
  Result<store::Meeting> meeting = store_->meet(self_);
  if (!meeting) return std::unexpected(meeting.error());
  return meeting->holding ? hold(std::move(*meeting)) : stand_by();
}

Result<void> SharedHub::open_store() {
  if (!options_.store.empty()) {
    Result<std::unique_ptr<store::DatabaseStore>> store =
        store::open_postgres({.url = options_.store, .pool_name = options_.pool_name});
    if (!store) return std::unexpected(store.error());
    database_ = store->get();
    store_ = std::move(*store);
    return {};
  }
  Result<std::unique_ptr<PairStore>> store =
      PairStore::open({.directory = options_.directory, .pool_name = options_.pool_name, .self = self_});
  if (!store) return std::unexpected(store.error());
  pair_ = store->get();
  store_ = std::move(*store);
  routes_ = std::make_unique<PairRoutes>(loop_, *store_worker_, workers_, *pair_, options_.directory, self_.secret);
  return {};
}

Result<void> SharedHub::describe_self() {
  self_.identity = identity_->public_key();
  self_.name = options_.pc_name;
  Result<std::string> secret = load_or_make_secret(options_.directory);
  if (!secret) return std::unexpected(secret.error());
  self_.secret = std::move(*secret);
  const std::uint16_t port = options_.port != 0 ? options_.port : earlier_port(options_);
  if (port != 0) self_.endpoints = endpoints_text(options_, port);
  for (const LocalDevice& device : options_.local_devices) {
    (device.as_node ? self_.node_key : self_.command_line_key) = device.key_spki;
  }
  return {};
}

Result<void> SharedHub::hold(store::Meeting meeting) {
  if (database_ != nullptr) {
    if (Result<void> moved = finish_move(options_, *database_, meeting); !moved) return moved;
  }
  options_.pool_name = meeting.pool_name;
  Result<std::unique_ptr<Hub>> holder = start_holder(loop_, options_,
                                                     {.store = std::move(store_),
                                                      .self = self_,
                                                      .meeting = std::move(meeting),
                                                      .blobs = std::move(blobs_),
                                                      .store_worker = store_worker_,
                                                      .pair = pair_,
                                                      .routes = routes_.get(),
                                                      .takes_over = waiting_});
  if (!holder) return std::unexpected(holder.error());
  holder_ = std::move(*holder);
  log_info("this hub holds the pool", {{"name", options_.pool_name}});
  return {};
}

Result<void> SharedHub::stand_by() {
  if (database_ != nullptr) {
    if (Result<void> clear = refuse_two_pools(options_); !clear) return clear;
  }
  Result<std::unique_ptr<blob::BlobStore>> blobs =
      blob::BlobStore::open(options_.directory / "blobs", {.max_bytes = options_.max_blob_bytes});
  if (!blobs) return fail(blobs, "the hub's blobs");
  blobs_ = std::move(*blobs);
  incoming_ = blobs_.get();
  const net::ServerOptions listening{.address = options_.address,
                                     .port = options_.port != 0 ? options_.port : earlier_port(options_)};
  Result<std::unique_ptr<net::Server>> server =
      net::Server::listen(loop_, listening, net::TlsContext::server(*identity_),
                          [this](net::Exchange& exchange) { return serve(exchange); });
  if (!server) return std::unexpected(server.error());
  server_ = std::move(*server);
  options_.port = server_->port();
  self_.endpoints = endpoints_text(options_, options_.port);
  log_info(fmt::format("this hub stands by address={} port={} identity={}", options_.address, options_.port,
                       to_hex(identity_->public_key())));
  if (pair_ != nullptr) {
    drive_copy_ = std::make_unique<DriveCopy>(loop_, DriveCopy::Start{.folder = options_.drive,
                                                                      .directory = options_.directory,
                                                                      .self = self_,
                                                                      .rate = options_.drive_copy_rate});
  }
  waiting_ = true;
  loop_.spawn(wait_for_hold());
  return write_endpoint(options_, options_.port, identity_->public_key(), true);
}

net::Async<void> SharedHub::wait_for_hold() {
  while (!stopping_ && !holder_) {
    std::vector<store::DeviceRow> devices;
    Result<store::Meeting> meeting = co_await store_worker_->run([&]() -> Result<store::Meeting> {
      Result<store::Meeting> met = store_->meet(self_);
      if (!met || met->holding) return met;
      Result<std::vector<store::DeviceRow>> rows = store_->load_devices();
      if (!rows) return std::unexpected(rows.error());
      devices = std::move(*rows);
      return met;
    });
    // Nothing may come into the folder any more once it is the drive.
    if (meeting && meeting->holding && drive_copy_) co_await drive_copy_->stop();
    const Result<void> taken =
        meeting ? take(std::move(*meeting), std::move(devices)) : Result<void>(std::unexpected(meeting.error()));
    if (!taken) {
      options_.on_failure(taken.error());
      break;
    }
    if (!stopping_ && !holder_) co_await woken_.wait(store::kMeetInterval);
  }
  waiting_ = false;
  waited_.notify();
}

Result<void> SharedHub::take(store::Meeting meeting, std::vector<store::DeviceRow> devices) {
  if (meeting.holding) {
    drive_copy_.reset();
    server_.reset();
    if (Result<void> held = hold(std::move(meeting)); !held) return held;
    options_.on_change();
    return {};
  }
  const std::vector<store::KnownHub> others = others_of(meeting, self_);
  const auto holder = std::ranges::find_if(others, &store::KnownHub::holds);
  holder_name_ = holder == others.end() ? "" : holder->row.name;
  if (drive_copy_) drive_copy_->meet(holder != others.end() && holder->alive ? &holder->row : nullptr);
  options_.pool_name = meeting.pool_name;
  std::vector<account::HubAddress> addresses = addresses_of(others);
  const auto active = [](const store::DeviceRow& row) { return !row.revoked; };
  const auto count = std::ranges::count_if(devices, active) - std::ranges::count_if(devices_, active);
  devices_ = std::move(devices);
  if (count == 0 && addresses == others_) return {};
  others_ = std::move(addresses);
  options_.on_change();
  return {};
}

DeviceId SharedHub::local_device(std::string_view key_spki) const {
  if (holder_) return holder_->local_device(key_spki);
  for (const store::DeviceRow& row : devices_) {
    if (!row.revoked && row.key == key_spki) return row.id;
  }
  return {};
}

net::Async<void> SharedHub::stop() {
  stopping_ = true;
  woken_.notify();
  while (waiting_) co_await waited_.wait();
  if (drive_copy_) co_await drive_copy_->stop();
  server_.reset();
  if (holder_) co_await holder_->stop();
  if (routes_) co_await routes_->stop();
}

// --- what a hub that stands by serves -------------------------------------------------------------------------------

std::string SharedHub::refusal() const {
  return holder_name_.empty() ? "this hub stands by, and no other holds the pool yet"
                              : "this hub stands by: " + holder_name_ + " holds the pool";
}

net::Async<void> SharedHub::serve(net::Exchange& exchange) {
  const net::RequestHead& head = exchange.head();
  const std::string_view authorization = head.headers.get("authorization");
  const bool is_holder = equal_constant_time(authorization, "Bearer " + to_hex(self_.secret));
  if (routes_ && co_await routes_->serve(exchange)) co_return;
  if (is_holder && head.path == kMissingPath && head.method == "POST") co_return co_await tell_missing(exchange);
  if (is_holder && head.path.starts_with(kBlobPath) && head.method == "PUT") co_return co_await take_blob(exchange);
  net::Response response = net::text_response(503, fmt::format(R"({{"code": "unavailable", "message": "{}"}})",
                                                               is_plain_utf8(refusal()) ? refusal() : "stands by"));
  response.headers.set("Content-Type", "application/json");
  co_await exchange.reply(std::move(response));
}

net::Async<void> SharedHub::tell_missing(net::Exchange& exchange) {
  Result<std::string> asked = co_await exchange.read_whole_body(kMaxMissingAsked * kDigestBytes);
  if (!asked || asked->size() % kDigestBytes != 0) {
    co_await exchange.reply(net::text_response(400, "digests of 32 bytes each are expected, at most 5,000"));
    co_return;
  }
  std::string missing;
  for (std::size_t at = 0; at < asked->size(); at += kDigestBytes) {
    const std::string digest = asked->substr(at, kDigestBytes);
    if (!incoming_->has(digest)) missing += digest;
  }
  net::Response response{200, {}, std::move(missing)};
  response.headers.add("Content-Type", "application/octet-stream");
  co_await exchange.reply(std::move(response));
}

net::Async<void> SharedHub::take_blob(net::Exchange& exchange) {
  const std::optional<std::string> digest =
      from_hex(std::string_view(exchange.head().path).substr(std::string_view(kBlobPath).size()));
  if (!digest || digest->size() != kDigestBytes) {
    co_await exchange.reply(net::text_response(400, "a blob is named by the 64 hexadecimal digits of its SHA-256"));
    co_return;
  }
  if (incoming_->has(*digest)) co_return (void) co_await exchange.reply(net::text_response(200, "was there"));
  const Result<void> stored = co_await receive_blob(exchange, *incoming_, workers_, *digest);
  co_await exchange.reply(stored ? net::text_response(201, "stored")
                                 : net::text_response(blob_status(stored.error().code), stored.error().message));
}

}  // namespace

Result<std::unique_ptr<Hub>> start_shared_hub(net::Loop& loop, const Options& options) {
  auto hub = std::make_unique<SharedHub>(loop, options);
  if (Result<void> started = hub->start(); !started) return std::unexpected(started.error());
  return hub;
}

}  // namespace hearth::hub
