#include "cli/client.h"

#include <csignal>

#include <fmt/format.h>

#include "cli/documents.h"
#include "net/loopback.h"

namespace hearth::cli {
namespace {

constexpr unsigned kWorkers = 4;

bool has_own_hub(const Home& home) {
  std::error_code failure;
  const Result<Config> config = load_config(home);
  return config && config->hub && std::filesystem::exists(home.config(), failure);
}

}  // namespace

Result<std::unique_ptr<Client>> Client::open(const Home& home, const std::filesystem::path& directory) {
  Result<account::Account> account = account::load_account(directory);
  if (!account && account.error().code == Code::kNotFound) {
    if (has_own_hub(home)) return fail(Code::kNotFound, "this PC's hub is not up; start it with: hearth up");
    if (const Result<account::Account> node = account::load_account(home.node()); node) {
      return fail(Code::kNotFound,
                  fmt::format("this PC works for the pool at {}; to use that pool from here too, pair it by the link "
                              "that \"hearth invite\" shows there: hearth pair LINK",
                              node->endpoint.text()));
    }
    return fail(Code::kNotFound,
                "this PC belongs to no pool yet; make it a family server with: hearth up; or pair it with one by the "
                "link that \"hearth invite\" shows there: hearth pair LINK");
  }
  if (!account) return std::unexpected(account.error());
  Result<net::IdentityKey> key = net::IdentityKey::load_or_create(directory / "identity.pem");
  if (!key) return std::unexpected(key.error());
  std::unique_ptr<Client> client(new Client(home, std::move(*account), std::move(*key)));
  // Where it cannot be kept it is learnt again.
  client->session_.on_change(
      [directory](const account::Account& changed) { (void)account::save_account(directory, changed); });
  return client;
}

Client::Client(Home home, account::Account account, net::IdentityKey key)
    : home_(std::move(home)),
      workers_(kWorkers),
      key_(std::move(key)),
      session_(loop_, workers_, std::move(account), key_) {}

void Client::on_end(std::function<void(int)> end) {
  struct sigaction now = {};
  const bool is_ignored = ::sigaction(SIGHUP, nullptr, &now) == 0 && now.sa_handler == SIG_IGN;
  if (!is_ignored) loop_.on_signal({SIGHUP}, end);
  loop_.on_signal({SIGINT, SIGTERM}, std::move(end));
}

Error Client::explain(Error error) const {
  const net::Endpoint& endpoint = session_.account().endpoint;
  if (error.code == Code::kUnavailable && (endpoint.host == "localhost" || net::is_loopback(endpoint.host)) &&
      !Lock::holder(home_)) {
    error.message = "this PC's hub is not up; start it with: hearth up";
  } else if (error.code == Code::kUnavailable && Lock::holder(home_) && endpoint_of(home_).stands_by) {
    error.message =
        "this PC's hub stands by, and the one that holds the pool does not answer. If its PC is lost or off, let this "
        "one take over with: hearth standby promote";
  } else if (error.code == Code::kUnavailable || error.code == Code::kDeadlineExceeded) {
    error.message = fmt::format(
        "the hub of pool \"{}\" at {} does not answer ({}); check that its PC is on and up (\"hearth status\" there) "
        "and that this one is on the same network",
        session_.account().pool_name, endpoint.text(), error.message);
  }
  return error;
}

bool is_passing(const Error& error) {
  return error.code == Code::kUnavailable || error.code == Code::kDeadlineExceeded || error.code == Code::kAborted;
}

}  // namespace hearth::cli
