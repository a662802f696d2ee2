#include "cli/space_door.h"

#include <charconv>

#include <fmt/format.h>

#include "base/bytes.h"
#include "base/sizes.h"
#include "cli/backup_text.h"
#include "cli/values.h"
#include "net/crypto.h"
#include "net/percent.h"
#include "net/tls.h"

namespace hearth::cli {
namespace {

constexpr std::size_t kMaxBodyBytes = 256 * kMiB;  // either way; restic's packs are 16 MiB and somewhat more
constexpr std::size_t kSecretBytes = 24;
constexpr std::string_view kUser = "hearth";
constexpr std::string_view kBasic = "Basic ";

// "507 Insufficient Storage: the granted space is full\n" as its sentence.
std::string sentence_of(const net::Response& response) {
  std::string text = plain(response.body.substr(0, response.body.find('\n')));
  const std::size_t colon = text.find(": ");
  return colon == std::string::npos ? text : text.substr(colon + 2);
}

std::optional<std::uint64_t> length_of(const net::Response& response) {
  const std::string_view text = response.headers.get("content-length");
  std::uint64_t length = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), length);
  if (text.empty() || error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return length;
}

}  // namespace

std::filesystem::path SpaceDoor::directory_of(const Home& home, const std::string& where) {
  return home.hub() / "backup-accounts" / to_hex(net::sha256(where)).substr(0, 16);
}

Result<std::unique_ptr<SpaceDoor>> SpaceDoor::open(const Home& home, const std::string& where) {
  const bool is_node = node_of_target(where).has_value();
  Result<std::unique_ptr<Client>> client = Client::open(home, is_node ? home.cli() : directory_of(home, where));
  if (!client && is_node) return std::unexpected(client.error());
  if (!client && client.error().code == Code::kNotFound) {
    return fail(Code::kNotFound,
                fmt::format("{}: this PC is not paired with that one; its owner makes a link by \"hearth "
                            "invite --ring friend\", and then: hearth drive backup --to LINK",
                            plain(where)));
  }
  if (!client) return std::unexpected(client.error());
  std::unique_ptr<SpaceDoor> door(new SpaceDoor(std::move(*client), where));
  if (Result<void> greeted = door->greet(); !greeted) return std::unexpected(greeted.error());
  if (Result<void> listens = door->listen(); !listens) return std::unexpected(listens.error());
  return door;
}

SpaceDoor::SpaceDoor(std::unique_ptr<Client> client, std::string where)
    : client_(std::move(client)), where_(std::move(where)), password_(to_hex(net::random_bytes(kSecretBytes))) {}

SpaceDoor::~SpaceDoor() {
  if (!thread_.joinable()) return;
  client_->loop().stop();
  thread_.join();
  server_.reset();
}

// Whether the other side is there, and has granted something.
Result<void> SpaceDoor::greet() {
  const net::RequestHead head{.method = "GET", .path = "/config"};
  const Result<net::Response> response = client_->loop().run_until_done(pass_on(head, "", false));
  if (!response) {
    const bool is_away =
        response.error().code == Code::kUnavailable || response.error().code == Code::kDeadlineExceeded;
    return fail(is_away ? Code::kUnavailable : response.error().code,
                fmt::format("{}: it cannot be reached now ({})", plain(where_), response.error().message));
  }
  if (response->status == 200 || response->status == 404) return {};
  if (response->status == 403 && node_of_target(where_)) {
    return fail(Code::kPermissionDenied,
                fmt::format("{0}: its owner lets this pool store nothing there yet; on that PC: hearth drive "
                            "grant-space pool SIZE; and then: hearth drive backup --to {0}",
                            plain(where_)));
  }
  if (response->status == 403) {
    return fail(Code::kPermissionDenied,
                fmt::format("{0}: no space is granted to this PC there; its owner grants some by: hearth drive "
                            "grant-space DEVICE SIZE, where DEVICE is \"{1} backup\", or as \"hearth devices\" shows "
                            "it; and then: hearth drive backup --to {0}",
                            plain(where_), plain(host_name())));
  }
  const Code code = response->status == 400 ? Code::kNotFound : Code::kUnavailable;
  return fail(code, fmt::format("{}: {}", plain(where_), sentence_of(*response)));
}

Result<void> SpaceDoor::listen() {
  const net::IdentityKey key = net::IdentityKey::generate();
  const std::shared_ptr<const net::TlsContext> tls = net::TlsContext::server(key);
  certificate_ = tls->certificate_pem();
  Result<std::unique_ptr<net::Server>> server =
      net::Server::listen(client_->loop(), {.address = "127.0.0.1", .port = 0}, tls,
                          [this](net::Exchange& exchange) { return serve(exchange); });
  if (!server) return std::unexpected(server.error());
  server_ = std::move(*server);
  thread_ = std::thread([this] { client_->loop().run(); });
  return {};
}

std::string SpaceDoor::repository() const {
  return fmt::format("rest:https://{}:{}@127.0.0.1:{}/", kUser, password_, server_->port());
}

std::optional<Error> SpaceDoor::refusal() const {
  const std::lock_guard<std::mutex> guard(mutex_);
  return refusal_;
}

void SpaceDoor::forget_refusal() {
  const std::lock_guard<std::mutex> guard(mutex_);
  refusal_.reset();
}

void SpaceDoor::note(const net::RequestHead& head, const net::Response& response) {
  const bool is_full = response.status == 507;
  const bool is_refused = response.status == 403 && head.method == "DELETE";
  if (!is_full && !is_refused) return;
  const std::lock_guard<std::mutex> guard(mutex_);
  refusal_ = Error{is_full ? Code::kResourceExhausted : Code::kPermissionDenied,
                   fmt::format("{}: {}", plain(where_), sentence_of(response))};
}

net::Async<Result<net::Response>> SpaceDoor::pass_on(const net::RequestHead& head, std::string body, bool fresh) {
  const Result<std::string> token = co_await client_->session().token(fresh);
  if (!token) co_return std::unexpected(token.error());
  net::Headers headers;
  headers.add("authorization", "Bearer " + *token);
  for (const char* name : {"range", "accept", "content-type"}) {
    if (head.headers.has(name)) headers.add(name, std::string(head.headers.get(name)));
  }
  const std::optional<std::string_view> node = node_of_target(where_);
  const std::string target = "/space" + head.path + (node ? "?node=" + net::percent_encoded(*node) : "");
  co_return co_await client_->session().client().request(head.method, target, std::move(headers), std::move(body),
                                                         kMaxBodyBytes);
}

net::Async<void> SpaceDoor::serve(net::Exchange& exchange) {
  const net::RequestHead& head = exchange.head();
  const std::string_view shown = head.headers.get("authorization");
  const std::optional<std::string> given =
      shown.starts_with(kBasic) ? from_base64(shown.substr(kBasic.size())) : std::nullopt;
  if (!given || !equal_constant_time(*given, fmt::format("{}:{}", kUser, password_))) {
    co_return (void) co_await exchange.reply(net::text_response(401, "this door is restic's"));
  }
  if (head.path.find_first_not_of("abcdefghijklmnopqrstuvwxyz0123456789/") != std::string::npos) {
    co_return (void) co_await exchange.reply(net::text_response(404, "restic asks for nothing of that name"));
  }
  Result<std::string> body = co_await exchange.read_whole_body(kMaxBodyBytes);
  if (!body) co_return (void) co_await exchange.reply(net::text_response(400, body.error().message));
  Result<net::Response> response = co_await pass_on(head, *body, false);
  // A hub that started again knows no session.
  if (response && response->status == 401) response = co_await pass_on(head, std::move(*body), true);
  if (!response) co_return (void) co_await exchange.reply(net::text_response(502, response.error().message));
  note(head, *response);
  if (head.method == "HEAD") {
    if (co_await exchange.start(response->status, {}, length_of(*response).value_or(0))) {
      (void)co_await exchange.finish();
    }
    co_return;
  }
  net::Response reply{.status = response->status, .headers = {}, .body = std::move(response->body)};
  for (const char* name : {"Content-Type", "Content-Range"}) {
    if (response->headers.has(name)) reply.headers.add(name, std::string(response->headers.get(name)));
  }
  (void)co_await exchange.reply(std::move(reply));
}

}  // namespace hearth::cli
