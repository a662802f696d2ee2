#include "hub/hub.h"

#include <unistd.h>

#include <fstream>

#include <fmt/format.h>

#include "base/bytes.h"
#include "base/log.h"
#include "drive/copy_source.h"
#include "hub/addresses.h"
#include "hub/apps.h"
#include "hub/audiences.h"
#include "hub/drive_results.h"
#include "hub/gang_networks.h"
#include "hub/guest_door.h"
#include "hub/job_data.h"
#include "hub/metrics.h"
#include "hub/node_session.h"
#include "hub/node_space.h"
#include "hub/parts.h"
#include "hub/shared_hub.h"
#include "hub/sweeper.h"
#include "hub/token_watch.h"
#include "hub/tunnels.h"
#include "hub/web_doors.h"
#include "hub/whep_door.h"
#include "space/server.h"

namespace hearth::hub {
namespace {

constexpr unsigned kFileWorkers = 4;
constexpr Duration kSettleLimit = seconds(20);
constexpr Duration kSettleAtEnd = seconds(4);
constexpr std::string_view kNodeProtocol = "hearth-node.1";

Result<void> write_whole(const std::filesystem::path& file, const std::string& text) {
  const std::filesystem::path fresh = file.string() + ".new";
  std::ofstream stream(fresh, std::ios::trunc);
  stream << text;
  stream.close();
  std::error_code error;
  if (stream) std::filesystem::rename(fresh, file, error);
  if (!stream || error) return fail(Code::kInternal, fmt::format("writing {}", file.string()));
  return {};
}

// What a request is for.
std::string_view route_of(std::string_view path) {
  if (net::Dispatcher::is_call(path)) return "call";
  if (path == "/session") return "session";
  if (path == "/forward" || path == "/tunnel") return path.substr(1);
  if (path == "/metrics") return "metrics";
  if (path.starts_with("/hub/")) return "hub";
  if (drive::WebDav::is_for(path)) return "drive";
  if (drive::Tus::is_for(path)) return "upload";
  if (drive::Thumbnails::is_for(path)) return "thumb";
  if (GuestDoor::is_for(path)) return "link";
  if (WhepDoor::is_for(path)) return "whep";
  if (drive::SyncServer::is_for(path)) return "sync";
  if (space::Server::is_for(path)) return "space";
  return path.starts_with("/blob/") ? "blob" : "page";
}

class HubImpl : public Hub {
 public:
  HubImpl(net::Loop& loop, Options options, Held held)
      : loop_(loop),
        options_(std::move(options)),
        workers_(kFileWorkers),
        held_(std::move(held)),
        store_worker_(*held_.store_worker) {}

  Result<void> start();
  std::uint16_t port() const override { return parts_->port; }
  const std::string& identity_key() const override { return identity_->public_key(); }
  DeviceId local_device(std::string_view key_spki) const override {
    const store::DeviceRow* row = devices_->find_by_key(key_spki);
    return row == nullptr ? DeviceId{} : row->id;
  }
  bool holds() const override { return true; }
  const std::string& pool_name() const override { return options_.pool_name; }
  std::vector<account::HubAddress> other_hubs() const override { return circle_->others(); }
  net::Async<void> stop() override;

 private:
  Result<void> open_state();
  Result<void> open_files();
  void join_circle();
  Result<void> open_webhooks();
  void make_swarms();
  net::Async<void> learn_job_data();
  Result<void> add_local_devices();
  Result<void> make_engine();
  Result<void> make_dispatcher();
  Result<void> listen();
  net::Async<void> serve(net::Exchange& exchange);
  Result<void> may_change_drive() const;
  net::Async<void> settle_drive();
  net::Async<void> serve_metrics(net::Exchange& exchange);
  net::Async<void> serve_node(net::Exchange& exchange, const net::Caller& caller);

  net::Loop& loop_;
  Options options_;
  // The drive outlives the workers, which may be at it when the hub stops.
  std::unique_ptr<drive::Drive> drive_;
  std::unique_ptr<drive::WebDav> webdav_;
  std::unique_ptr<drive::Tus> tus_;
  std::unique_ptr<drive::SyncServer> sync_;
  std::unique_ptr<space::Server> spaces_;
  std::unique_ptr<drive::CopySource> copy_source_;
  std::unique_ptr<drive::Survey> survey_;
  std::unique_ptr<DriveResults> results_;
  std::unique_ptr<drive::Thumbnails> thumbnails_;
  std::unique_ptr<drive::Photos> photos_;
  std::unique_ptr<drive::Guests> guests_;
  drive::Listings listings_;
  net::Workers workers_;
  Held held_;
  net::Workers& store_worker_;
  std::optional<net::IdentityKey> identity_;
  std::unique_ptr<store::SharedStore> store_;
  std::unique_ptr<blob::BlobStore> blobs_;
  std::unique_ptr<Devices> devices_;
  std::unique_ptr<Accounts> accounts_;
  std::unique_ptr<Environments> environments_;
  std::unique_ptr<Schedules> schedules_;
  std::unique_ptr<Webhooks> webhooks_;
  Sessions sessions_;
  Invitations invitations_;
  net::Event pairing_answered_;
  std::unique_ptr<Engine> engine_;
  std::unique_ptr<Views> views_;
  std::unique_ptr<Watchers> watchers_;
  std::unique_ptr<LogRelay> logs_;
  std::unique_ptr<Sweeper> sweeper_;
  std::unique_ptr<BlobAccess> access_;
  std::unique_ptr<Swarms> swarms_;
  std::unique_ptr<Audiences> audiences_;  // outlives the tunnels, by which apps are seen
  std::unique_ptr<Tunnels> tunnels_;
  std::unique_ptr<WebDoors> web_doors_;
  Apps apps_;
  std::unique_ptr<AuditLog> audit_;
  std::unique_ptr<ShareHistory> shares_;
  std::unique_ptr<TokenWatch> token_watch_;
  std::unique_ptr<Metrics> metrics_;
  std::unique_ptr<GangNetworks> gangs_;
  std::unique_ptr<Replicas> replicas_;
  std::unique_ptr<Circle> circle_;
  std::unique_ptr<Parts> parts_;
  std::unique_ptr<Scheduler> scheduler_;
  std::unique_ptr<net::Dispatcher> dispatcher_;
  GuestTries guest_tries_;
  std::unique_ptr<GuestDoor> guest_door_;
  std::unique_ptr<WhepDoor> whep_door_;
  std::unique_ptr<net::Server> server_;
  bool stopping_ = false;
  bool drive_settled_ = true;
  bool job_data_known_ = false;
  net::Event job_data_learnt_;
};

Result<void> HubImpl::start() {
  for (const auto step : {&HubImpl::open_state, &HubImpl::add_local_devices, &HubImpl::make_engine,
                          &HubImpl::make_dispatcher, &HubImpl::listen}) {
    if (Result<void> done = (this->*step)(); !done) return done;
  }
  return {};
}

Result<void> HubImpl::open_files() {
  store_ = std::move(held_.store);
  blobs_ = std::move(held_.blobs);
  if (blobs_) return {};
  Result<std::unique_ptr<blob::BlobStore>> blobs =
      blob::BlobStore::open(options_.directory / "blobs", {.max_bytes = options_.max_blob_bytes});
  if (!blobs) return fail(blobs, "the hub's blobs");
  blobs_ = std::move(*blobs);
  return {};
}

Result<void> HubImpl::open_state() {
  Result<net::IdentityKey> identity = net::IdentityKey::load_or_create(options_.directory / "identity.pem");
  if (!identity) return fail(identity, "the hub's identity");
  identity_.emplace(std::move(*identity));
  if (Result<void> opened = open_files(); !opened) return opened;
  Result<std::vector<store::DeviceRow>> devices = store_->load_devices();
  if (!devices) return fail(devices, "reading the pool's devices");
  devices_ = std::make_unique<Devices>(std::move(*devices));
  Result<std::vector<store::AccountRow>> accounts = store_->load_accounts();
  if (!accounts) return fail(accounts, "reading the pool's accounts");
  accounts_ = std::make_unique<Accounts>(*accounts);
  Result<std::vector<store::EnvironmentRow>> environments = store_->load_environments();
  if (!environments) return fail(environments, "reading the pool's environments");
  environments_ = std::make_unique<Environments>(std::move(*environments));
  Result<std::vector<store::ScheduleRow>> schedules = store_->load_schedules();
  if (!schedules) return fail(schedules, "reading the pool's schedules");
  schedules_ = std::make_unique<Schedules>(std::move(*schedules));
  return {};
}

Result<void> HubImpl::add_local_devices() {
  store::Batch batch;
  for (const LocalDevice& local : options_.local_devices) {
    if (devices_->find_by_key(local.key_spki) != nullptr) continue;
    const v1::Role role = local.as_node ? v1::ROLE_NODE : v1::ROLE_OWNER;
    batch.devices.push_back(devices_->make(local.name, role, v1::KEY_KIND_ED25519, local.key_spki, wall_now()));
    devices_->put(batch.devices.back());
  }
  return batch.empty() ? Result<void>() : store_->commit(batch);
}

Result<void> HubImpl::open_webhooks() {
  Result<std::vector<store::WebhookRow>> rows = store_->load_webhooks();
  if (!rows) return fail(rows, "reading the pool's webhooks");
  Result<std::vector<store::DeliveryRow>> waiting = store_->load_deliveries();
  if (!waiting) return fail(waiting, "reading the webhooks' messages");
  webhooks_ =
      std::make_unique<Webhooks>(loop_, *engine_, *devices_, *views_, options_, std::move(*rows), std::move(*waiting));
  engine_->record_to(*webhooks_);
  return {};
}

Result<void> HubImpl::make_engine() {
  engine_ = std::make_unique<Engine>(loop_, store_worker_, *store_);
  views_ = std::make_unique<Views>(loop_, *engine_, *devices_, *accounts_, sessions_);
  watchers_ = std::make_unique<Watchers>(loop_, *views_, *devices_, invitations_);
  logs_ = std::make_unique<LogRelay>(*engine_, *blobs_, workers_);
  engine_->observe(*watchers_);
  if (Result<void> opened = open_webhooks(); !opened) return opened;
  engine_->observe(*logs_);
  sweeper_ = std::make_unique<Sweeper>(loop_, workers_, *engine_, *blobs_, options_.sweeps);
  engine_->observe(*sweeper_);
  access_ = std::make_unique<BlobAccess>(loop_, workers_, *engine_, *devices_, *environments_, *blobs_,
                                         options_.sweeps.grace);
  engine_->observe(*access_);
  make_swarms();
  audiences_ = std::make_unique<Audiences>(*engine_, *devices_, *accounts_, *watchers_);
  engine_->observe(*audiences_);
  watchers_->show_apps([this](DeviceId device) { return audiences_->shown_to(device); });
  tunnels_ = std::make_unique<Tunnels>(loop_);
  web_doors_ = std::make_unique<WebDoors>(*tunnels_);
  drive_ = std::make_unique<drive::Drive>(loop_, workers_, options_.drive);
  webdav_ = std::make_unique<drive::WebDav>(*drive_);
  tus_ = std::make_unique<drive::Tus>(*drive_);
  sync_ = std::make_unique<drive::SyncServer>(*drive_);
  spaces_ = std::make_unique<space::Server>(options_.directory / "spaces", workers_);
  copy_source_ = std::make_unique<drive::CopySource>(loop_, *drive_);
  drive_->guard([this] { return may_change_drive(); });
  survey_ = std::make_unique<drive::Survey>(loop_, *drive_);
  results_ = std::make_unique<DriveResults>(loop_, workers_, *engine_, *blobs_, *drive_, *devices_, *accounts_,
                                            [this](JobId job, DeviceId owner) { watchers_->job_changed(job, owner); });
  views_->describe_results_by([this](v1::Job& job) { results_->describe(job); });
  engine_->observe(*results_);
  thumbnails_ = std::make_unique<drive::Thumbnails>(loop_, *drive_, options_.pictures);
  photos_ = std::make_unique<drive::Photos>(loop_, *drive_, *thumbnails_);
  guests_ = std::make_unique<drive::Guests>(*drive_);
  engine_->observe(*tunnels_);
  engine_->observe(*web_doors_);
  token_watch_ = std::make_unique<TokenWatch>(*devices_, sessions_);
  metrics_ = std::make_unique<Metrics>(loop_, *engine_, *devices_, sessions_, *blobs_);
  engine_->observe(*metrics_);
  engine_->on_commit([this](std::size_t rows, Duration took) { metrics_->committed(rows, took); });
  gangs_ = std::make_unique<GangNetworks>(*engine_);
  engine_->observe(*gangs_);
  engine_->on_gang_network([this](AttemptId attempt, const LiveJob& job) { return gangs_->member(attempt, job); });
  engine_->on_failure(options_.on_failure);
  const Result<store::AuditRow> last_line = store_->last_audit();
  if (!last_line) return fail(last_line, "reading the pool's audit log");
  audit_ = std::make_unique<AuditLog>(*engine_, *last_line);
  shares_ = std::make_unique<ShareHistory>(loop_, *engine_);
  if (Result<void> restored = engine_->restore(); !restored) return restored;
  // By a person's word, by a witness's or because the other one ended: nobody else is there to note it.
  if (held_.takes_over) audit_->note({.device_name = held_.self.name}, "hub.take-over", held_.self.name);
  parts_ = std::unique_ptr<Parts>(new Parts{
      loop_,       workers_,   options_,  *identity_,   *engine_,          *devices_,  *accounts_, *environments_,
      *schedules_, *webhooks_, sessions_, invitations_, *views_,           *watchers_, *logs_,     *blobs_,
      *access_,    *audit_,    *shares_,  *drive_,      pairing_answered_, loop_.now()});
  parts_->audiences = audiences_.get();
  const Result<std::vector<store::AudienceRow>> audiences = store_->load_audiences();
  if (!audiences) return fail(audiences, "reading whom the pool's apps are shared with");
  const Result<std::vector<store::WatchLinkRow>> watch_links = store_->load_watch_links();
  if (!watch_links) return fail(watch_links, "reading the pool's watch links");
  audiences_->restore(*audiences, *watch_links);
  whep_door_ = std::make_unique<WhepDoor>(*parts_, *tunnels_);
  return {};
}

Result<void> HubImpl::make_dispatcher() {
  dispatcher_ = std::make_unique<net::Dispatcher>(
      [this](const net::RequestHead& head, const std::string& address) { return authorize(*parts_, head, address); },
      [this](const net::Caller& caller, net::Cuttable& connection, bool begins) {
        if (begins)
          sessions_.enter(caller.device, connection);
        else
          sessions_.leave(caller.device, connection);
        watchers_->device_changed(caller.device);
      });
  dispatcher_->observe([this](const net::AnsweredCall& call) { metrics_->answered(call); });
  for (const auto add :
       {add_pairing_methods, add_device_methods, add_job_methods, add_node_methods, add_blob_methods,
        add_environment_methods, add_workspace_methods, add_account_methods, add_booking_methods, add_schedule_methods,
        add_webhook_methods, add_audit_methods, add_usage_methods, add_operator_methods, add_hub_methods}) {
    add(*dispatcher_, *parts_);
  }
  add_app_methods(*dispatcher_, *parts_, apps_, *web_doors_);
  add_drive_methods(*dispatcher_, *parts_, listings_, *survey_);
  add_private_folder_methods(*dispatcher_, *parts_);
  add_audience_methods(*dispatcher_, *parts_);
  add_photo_methods(*dispatcher_, *parts_, *photos_);
  add_link_methods(*dispatcher_, *parts_, *guests_, guest_tries_);
  guest_door_ = std::make_unique<GuestDoor>(*parts_, *guests_, guest_tries_, *webdav_, *tus_, *thumbnails_, listings_);
  return {};
}

Result<void> HubImpl::listen() {
  net::ServerOptions listening{.address = options_.address,
                               .port = options_.port != 0 ? options_.port : earlier_port(options_),
                               .max_connections_per_address = 2'000};
  const auto handler = [this](net::Exchange& exchange) { return serve(exchange); };
  const auto tls = net::TlsContext::server(*identity_);
  Result<std::unique_ptr<net::Server>> server = net::Server::listen(loop_, listening, tls, handler);
  if (!server && options_.port == 0 && listening.port != 0) {
    listening.port = 0;
    server = net::Server::listen(loop_, listening, tls, handler);
  }
  if (!server) return std::unexpected(server.error());
  server_ = std::move(*server);
  parts_->port = server_->port();
  parts_->results = results_.get();
  sweeper_->start();
  loop_.spawn(learn_job_data());
  token_watch_->start(loop_);
  guest_door_->start();
  whep_door_->start();
  web_doors_->start(*parts_, tls);
  scheduler_ = std::make_unique<Scheduler>(*parts_);
  scheduler_->start();
  webhooks_->start();
  results_->start();
  metrics_->start();
  gangs_->start(loop_);
  shares_->start();
  if (Result<void> kept = write_whole(options_.directory / "certificate.pem", tls->certificate_pem()); !kept) {
    return kept;
  }
  log_info("hub listens",
           {{"address", options_.address}, {"port", parts_->port}, {"identity", to_hex(identity_->public_key())}});
  join_circle();
  return write_endpoint(options_, parts_->port, identity_->public_key(), false);
}

void HubImpl::make_swarms() {
  swarms_ = std::make_unique<Swarms>(loop_, workers_, *engine_, *devices_, *blobs_, *identity_, link_hosts(options_));
  engine_->observe(*swarms_);
  engine_->name_data([this](const v1::Blob& blob) { return swarms_->name_of(blob); });
}

net::Async<void> HubImpl::learn_job_data() {
  co_await restore_job_data(workers_, *engine_, *blobs_, [this] { return stopping_; });
  job_data_known_ = true;
  job_data_learnt_.notify();
}

void HubImpl::join_circle() {
  replicas_ = std::make_unique<Replicas>(loop_, workers_, *blobs_);
  store::HubRow self = held_.self;
  self.endpoints = endpoints_text(options_, parts_->port);
  circle_ = std::make_unique<Circle>(loop_, store_worker_, *store_, std::move(self), *engine_, *devices_, *replicas_,
                                     held_.pair, Circle::Events{options_.on_failure, options_.on_change, [this] {
                                                                  return copy_source_->hand_over(kSettleLimit);
                                                                }});
  parts_->circle = circle_.get();
  parts_->copies = copy_source_.get();
  parts_->replicas = replicas_.get();
  parts_->pair = held_.pair;
  parts_->swarms = swarms_.get();
  parts_->metrics = metrics_.get();
  circle_->start(std::move(held_.meeting));
}

net::Async<void> HubImpl::serve(net::Exchange& exchange) {
  const net::RequestHead& head = exchange.head();
  const std::string_view route = route_of(head.path);
  metrics_->requested(route);
  if (route == "call") co_return co_await dispatcher_->handle(exchange);
  if (route == "metrics") co_return co_await serve_metrics(exchange);
  if (route == "hub" && held_.routes != nullptr && co_await held_.routes->serve(exchange)) co_return;
  if (route == "hub" && circle_->is_of_copy(head)) co_return co_await copy_source_->serve(exchange);
  if (route == "page" || route == "hub") co_return co_await serve_page(exchange, options_.page);
  if (route == "drive") co_return co_await serve_drive(exchange, *parts_, *webdav_);
  if (route == "link") co_return co_await guest_door_->serve(exchange);
  if (route == "whep") co_return co_await whep_door_->serve(exchange);
  if (route == "upload") co_return co_await serve_drive(exchange, *parts_, *tus_);
  if (route == "thumb") co_return co_await serve_drive(exchange, *parts_, *thumbnails_);
  if (route == "sync") co_return co_await serve_drive(exchange, *parts_, *sync_);
  const bool node = route == "session";
  Result<net::Caller> caller = authorize(*parts_, head, exchange.peer_address());
  if (!caller) {
    co_await exchange.reply(net::text_response(401, caller.error().message));
  } else if (node) {
    co_await serve_node(exchange, *caller);
  } else if (route == "forward") {
    co_await tunnels_->serve_device(exchange, *parts_, *caller);
  } else if (route == "tunnel") {
    co_await tunnels_->serve_node(exchange, *parts_, *caller);
  } else if (route == "space") {
    const Entered entered(sessions_, caller->device, exchange.connection());
    const std::optional<std::string> named = net::query_value(head.query, "node");
    if (named) co_return co_await serve_node_space(exchange, *parts_, *tunnels_, *named, *caller);
    co_await spaces_->serve(exchange, fmt::format("{}", caller->device.value));
  } else {
    co_await serve_blob(exchange, *parts_, *caller);
  }
}

// For whoever is shown the whole pool: a person's device of ring home or a token of that ring, which a monitoring
// system sends as it is.
net::Async<void> HubImpl::serve_metrics(net::Exchange& exchange) {
  const net::RequestHead& head = exchange.head();
  if (head.method != "GET") co_return (void) co_await exchange.reply(net::text_response(405, "only GET"));
  const Result<net::Caller> caller = authorize_machine(*parts_, head, exchange.peer_address());
  if (!caller) {
    net::Response response = net::text_response(401, caller.error().message);
    response.headers.add("WWW-Authenticate", "Bearer");
    co_return (void) co_await exchange.reply(std::move(response));
  }
  if (caller->level < net::AccessLevel::kMember || !devices_->visible_to(caller->device).is_whole()) {
    co_return (void) co_await exchange.reply(
        net::text_response(403, "metrics are for a person's device or a token, of ring home"));
  }
  net::Response response;
  response.body = metrics_->text(server_->connections());
  response.headers.add("Content-Type", "text/plain; version=0.0.4; charset=utf-8");
  response.headers.add("Cache-Control", "no-store");
  co_await exchange.reply(std::move(response));
}

net::Async<void> HubImpl::serve_node(net::Exchange& exchange, const net::Caller& caller) {
  const store::DeviceRow* device = devices_->find_active(caller.device);
  if (device == nullptr || device->role != v1::ROLE_NODE || !exchange.head().headers.has("authorization")) {
    co_await exchange.reply(net::text_response(403, "only a node that joined may open a node's session"));
    co_return;
  }
  const std::string address = exchange.peer_address();
  Result<std::unique_ptr<net::WebSocket>> socket =
      co_await exchange.accept_websocket(kNodeProtocol, NodeSession::kMaxFrameBytes);
  if (!socket) co_return;
  {
    const Entered entered(sessions_, caller.device, exchange.connection());
    NodeSession session(loop_, *engine_, *logs_, *views_, *access_, *swarms_, *tunnels_, apps_, caller.device,
                        caller.device_name, address, **socket);
    co_await session.run();
  }
  devices_->seen(caller.device, wall_now());
}

Result<void> HubImpl::may_change_drive() const {
  if (copy_source_->is_handing_over()) {
    return fail(Code::kUnavailable, "the drive is being handed over to another PC: try again in some seconds");
  }
  if (held_.pair == nullptr || held_.pair->is_surely_holder()) return {};
  return fail(Code::kUnavailable,
              "neither the hub that stands by nor the witness answers, so another PC may have the drive by now");
}

// Whoever hands the pool over by ending leaves nothing of the drive behind.
net::Async<void> HubImpl::settle_drive() {
  bool settled = true;
  if (circle_->has_living_partner() && !circle_->has_handed_over()) {
    const Result<void> done = co_await copy_source_->hand_over(kSettleAtEnd);
    settled = done.has_value();
    if (!done) log_warning("the pool stays this PC's: " + done.error().message);
  }
  copy_source_->stop();
  drive_settled_ = settled;
}

net::Async<void> HubImpl::stop() {
  stopping_ = true;
  co_await settle_drive();
  server_.reset();
  tunnels_->stop();
  co_await web_doors_->stop();
  co_await scheduler_->stop();
  co_await webhooks_->stop();
  co_await results_->stop();
  co_await watchers_->stop();
  co_await sweeper_->stop();
  co_await token_watch_->stop();
  co_await guest_door_->stop();
  co_await whep_door_->stop();
  co_await metrics_->stop();
  co_await shares_->stop();
  co_await gangs_->stop();
  co_await circle_->stop();
  co_await replicas_->stop();
  while (!job_data_known_) co_await job_data_learnt_.wait();
  co_await engine_->stop();
  const Result<void> released = co_await store_worker_.run([this] {
    if (!drive_settled_) store_->note_files(false);
    return store_->release();
  });
  if (!released) log_warning("the hold on the pool runs out by itself: " + released.error().message);
}

}  // namespace

std::uint16_t earlier_port(const Options& options) {
  std::ifstream stream(options.directory / "endpoint.json");
  const std::string text((std::istreambuf_iterator<char>(stream)), std::istreambuf_iterator<char>());
  const std::size_t at = text.find("\"port\":");
  const unsigned long port = at == std::string::npos ? 0 : std::strtoul(text.c_str() + at + 7, nullptr, 10);
  return port > 65535 ? std::uint16_t{0} : static_cast<std::uint16_t>(port);
}

Result<void> write_endpoint(const Options& options, std::uint16_t port, const std::string& identity, bool stands_by) {
  return write_whole(options.directory / "endpoint.json",
                     fmt::format("{{\"port\": {}, \"identity\": \"{}\", \"pid\": {}, \"stands_by\": {}}}\n", port,
                                 to_hex(identity), getpid(), stands_by));
}

Result<std::unique_ptr<Hub>> start_holder(net::Loop& loop, const Options& options, Held held) {
  auto hub = std::make_unique<HubImpl>(loop, options, std::move(held));
  if (Result<void> started = hub->start(); !started) return std::unexpected(started.error());
  return hub;
}

Result<std::unique_ptr<Hub>> Hub::start(net::Loop& loop, const Options& options) {
  return start_shared_hub(loop, options);
}

}  // namespace hearth::hub
