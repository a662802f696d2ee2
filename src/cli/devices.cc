// Pairing and devices.
#include <algorithm>
#include <set>

#include <poll.h>
#include <unistd.h>

#include <fmt/format.h>

#include "base/bytes.h"
#include "cli/client.h"
#include "cli/commands.h"
#include "cli/documents.h"
#include "cli/output.h"
#include "cli/pairing.h"
#include "cli/qr.h"
#include "cli/values.h"

namespace hearth::cli {
namespace {

constexpr Duration kPollPending = milliseconds(400);

std::string role_name(v1::Role role, v1::Ring ring) {
  switch (role) {
    case v1::ROLE_NODE:
      return "node";
    case v1::ROLE_MEMBER:
      return ring == v1::RING_HOME ? "member" : "guest";
    case v1::ROLE_OPERATOR:
      return "operator";
    case v1::ROLE_OWNER:
      return "owner";
    default:
      return "?";
  }
}

Result<v1::Role> parse_role(std::string_view option, const std::string& text) {
  if (text == "member") return v1::ROLE_MEMBER;
  if (text == "operator") return v1::ROLE_OPERATOR;
  if (text == "owner") return v1::ROLE_OWNER;
  return fail(Code::kInvalidArgument,
              fmt::format("{} {}: member, operator or owner is allowed{}", option, plain(text),
                          text == "guest" ? "; a guest is a member of another ring than home (see: hearth devices "
                                            "ring)"
                                          : ""));
}

// A line that somebody types; empty at the end of the input. Reads byte by byte: nothing beyond the line is taken.
std::string read_line(Duration limit) {
  std::string line;
  pollfd input = {.fd = STDIN_FILENO, .events = POLLIN, .revents = 0};
  constexpr std::size_t kMostLine = 256;
  while (line.size() < kMostLine && ::poll(&input, 1, static_cast<int>(limit.micros / 1000)) > 0) {
    char c = 0;
    if (::read(STDIN_FILENO, &c, 1) != 1 || c == '\n') break;
    line += c;
  }
  return line;
}

// "https://192.168.1.7:7443/" of a link.
std::string page_of(const std::string& link) { return link.substr(0, link.find('#')); }

Result<void> answer(Client& client, const v1::PendingPairing& pending, bool allow) {
  v1::AllowRequest request;
  request.set_pairing_id(pending.pairing_id());
  request.set_allow(allow);
  const Result<v1::AllowReply> reply = client.call<v1::AllowReply>("hearth.v1.DeviceService/Allow", request);
  if (!reply) return std::unexpected(reply.error());
  return {};
}

// Asks about one device. Gives whether it was let in.
Result<bool> ask_about(Client& client, const v1::PendingPairing& pending, Duration limit) {
  static_cast<void>(
      write_all(STDERR_FILENO, fmt::format("{} ({}, as {}, ring {}) shows {} - allow? [y/N] ", plain(pending.name()),
                                           plain(pending.address()), role_name(pending.role(), pending.ring()),
                                           ring_name(pending.ring()), spaced_digits(pending.digits()))));
  const std::string line = read_line(limit);
  const bool allow = line == "y" || line == "Y" || line == "yes";
  const Result<void> answered = answer(client, pending, allow);
  if (!answered && answered.error().code == Code::kNotFound) {
    say("it does not wait any more: somebody else answered, or it took too long");
    return false;
  }
  if (!answered) return std::unexpected(answered.error());
  say(fmt::format("{} {}", plain(pending.name()), allow ? "is in" : "was refused"));
  return allow;
}

Result<v1::ListDevicesReply> fetch_devices(Client& client) {
  return client.call<v1::ListDevicesReply>("hearth.v1.DeviceService/List", v1::ListDevicesRequest());
}

// "this one", "online", "away, runs out in 12 d 3 h"
std::string state_of(const v1::Device& device, WallTime now) {
  const std::string state = device.is_this() ? "this one" : device.online() ? "online" : "away";
  if (!device.has_expires()) return state;
  const std::int64_t left = device.expires().unix_millis() - now.unix_millis;
  return left <= 0 ? "has run out" : state + ", runs out in " + format_duration(milliseconds(left));
}

std::string seen_text(const v1::Device& device, WallTime now) {
  if (device.online()) return "now";
  return device.has_last_seen() ? format_age({device.last_seen().unix_millis()}, now) : "never";
}

void print_devices(const v1::ListDevicesReply& reply) {
  const WallTime now = wall_now();
  Table devices({{"NAME"}, {"ROLE"}, {"RING"}, {"STATE"}, {"LAST SEEN"}, {"PAIRED"}});
  for (const v1::Device& device : reply.devices()) {
    devices.add({device.name(), role_name(device.role(), device.ring()) + (device.is_token() ? " (token)" : ""),
                 std::string(ring_name(device.ring())), state_of(device, now), seen_text(device, now),
                 format_age({device.paired().unix_millis()}, now)});
  }
  print(devices.text());
  if (reply.own_only()) say("a device that is not of ring home is shown no others");
  if (reply.pending().empty()) return;
  Table pending({{"WAITS TO COME IN"}, {"AS"}, {"RING"}, {"CODE"}, {"FROM"}});
  for (const v1::PendingPairing& waiting : reply.pending()) {
    pending.add({waiting.name(), role_name(waiting.role(), waiting.ring()), std::string(ring_name(waiting.ring())),
                 spaced_digits(waiting.digits()), waiting.address()});
  }
  print("\n" + pending.text());
  say("let one in with: hearth devices allow CODE");
}

std::string without_spaces(std::string text) {
  std::erase(text, ' ');
  return text;
}

Result<v1::PendingPairing> find_pending(const v1::ListDevicesReply& reply, const std::string& code_or_name) {
  std::vector<v1::PendingPairing> found;
  for (const v1::PendingPairing& pending : reply.pending()) {
    if (pending.digits() == without_spaces(code_or_name) || pending.name() == code_or_name) found.push_back(pending);
  }
  if (found.size() == 1) return found.front();
  if (found.size() > 1) {
    return fail(Code::kInvalidArgument,
                fmt::format("{}: {} devices of this name wait; give the code that the right one shows",
                            plain(code_or_name), found.size()));
  }
  return fail(Code::kNotFound, fmt::format("{}: no device of this code or name waits; those that do: hearth devices",
                                           plain(code_or_name)));
}

}  // namespace

std::string spaced_digits(std::string_view digits) {
  const std::size_t half = digits.size() / 2;
  return fmt::format("{} {}", digits.substr(0, half), digits.substr(half));
}

void show_invitation(const Context& context, const v1::InviteReply& invitation) {
  if (context.json) return print(message_json(invitation));
  if (invitation.links().empty()) return say("this PC has no network address that a phone could reach");
  const std::string& best = invitation.links(0);
  std::string text = "Scan this with a phone, or open the link on it:\n\n";
  const Result<std::string> code = qr_text(best, is_terminal(STDOUT_FILENO) ? QrStyle::kColoured : QrStyle::kPlain);
  if (code) text += *code + "\n";
  text += fmt::format("  {}\n", best);
  for (int i = 1; i < invitation.links_size(); ++i)
    text += fmt::format("  {}  (another address)\n", invitation.links(i));
  text +=
      fmt::format("\nWithout a camera: open {} and type {}\n", page_of(best), spaced_digits(invitation.typed_code()));
  text += fmt::format(
      "Another PC: hearth pair LINK (to use the pool), hearth join LINK (to work for it)\n"
      "Good for one device, for {} s.\n",
      invitation.expires_in_seconds());
  print(text);
}

Result<int> wait_for_device(Client& client, Duration limit) {
  say("waiting for the device (Ctrl-C ends the waiting only) ...");
  const Time end = client.loop().now() + limit;
  std::set<std::string> asked;
  while (client.loop().now() < end) {
    const Result<v1::ListDevicesReply> reply = fetch_devices(client);
    if (!reply) return std::unexpected(reply.error());
    for (const v1::PendingPairing& pending : reply->pending()) {
      if (!asked.insert(pending.pairing_id()).second) continue;
      const Result<bool> allowed = ask_about(client, pending, limit);
      if (!allowed) return std::unexpected(allowed.error());
      if (*allowed) return 0;
    }
    client.loop().run_until_done(net::sleep_for(kPollPending));
  }
  say("no device came; a new invitation: hearth invite");
  return 1;
}

Result<int> invite(const Context& context, const InviteOptions& options) {
  v1::InviteRequest request;
  const Result<v1::Role> role = parse_role("--role", options.role);
  if (!role) return std::unexpected(role.error());
  request.set_role(*role);
  if (!options.ring.empty()) {
    const Result<v1::Ring> ring = parse_ring("--ring", options.ring);
    if (!ring) return std::unexpected(ring.error());
    request.set_ring(*ring);
  }
  const Result<std::unique_ptr<Client>> client = Client::open(context.home, context.home.cli());
  if (!client) return std::unexpected(client.error());
  const Result<v1::InviteReply> reply = (*client)->call<v1::InviteReply>("hearth.v1.DeviceService/Invite", request);
  if (!reply) return std::unexpected(reply.error());
  show_invitation(context, *reply);
  if (options.no_wait || context.json || !is_terminal(STDIN_FILENO)) {
    say("when the device shows its six digits, let it in with: hearth devices allow CODE");
    return 0;
  }
  return wait_for_device(**client, seconds(reply->expires_in_seconds()));
}

Result<int> list_devices(const Context& context) {
  const Result<std::unique_ptr<Client>> client = Client::open(context.home, context.home.cli());
  if (!client) return std::unexpected(client.error());
  const Result<v1::ListDevicesReply> reply = fetch_devices(**client);
  if (!reply) return std::unexpected(reply.error());
  if (context.json) {
    print(message_json(*reply));
  } else {
    print_devices(*reply);
  }
  return 0;
}

Result<int> answer_device(const Context& context, const std::string& code_or_name, bool allow) {
  const Result<std::unique_ptr<Client>> client = Client::open(context.home, context.home.cli());
  if (!client) return std::unexpected(client.error());
  const Result<v1::ListDevicesReply> reply = fetch_devices(**client);
  if (!reply) return std::unexpected(reply.error());
  const Result<v1::PendingPairing> pending = find_pending(*reply, code_or_name);
  if (!pending) return std::unexpected(pending.error());
  const Result<void> answered = answer(**client, *pending, allow);
  if (!answered) return std::unexpected(answered.error());
  say(fmt::format("{} {}", plain(pending->name()), allow ? "is in" : "was refused"));
  if (context.json) print(object_json({{"name", pending->name()}, {"allowed", allow}}));
  return 0;
}

namespace {

Result<v1::Device> find_device(Client& client, const std::string& name) {
  const Result<v1::ListDevicesReply> reply = fetch_devices(client);
  if (!reply) return std::unexpected(reply.error());
  const auto device = std::ranges::find(reply->devices(), name, &v1::Device::name);
  if (device != reply->devices().end()) return *device;
  return fail(Code::kNotFound, fmt::format("{}: no device of this name; all of them: hearth devices", plain(name)));
}

}  // namespace

Result<int> set_ring(const Context& context, const std::string& name, const std::string& ring) {
  const Result<v1::Ring> wanted = parse_ring("RING", ring);
  if (!wanted) return std::unexpected(wanted.error());
  const Result<std::unique_ptr<Client>> client = Client::open(context.home, context.home.cli());
  if (!client) return std::unexpected(client.error());
  const Result<v1::Device> device = find_device(**client, name);
  if (!device) return std::unexpected(device.error());
  v1::SetRingRequest request;
  request.set_device_id(device->id());
  request.set_ring(*wanted);
  const Result<v1::SetRingReply> done = (*client)->call<v1::SetRingReply>("hearth.v1.DeviceService/SetRing", request);
  if (!done) return std::unexpected(done.error());
  say(device->role() == v1::ROLE_NODE
          ? fmt::format("{} is of ring {} from now on: as a node it fetches {}", plain(name), ring,
                        *wanted == v1::RING_HOME ? "whatever the pool has" : "what its tasks need, and nothing else")
          : fmt::format("the jobs that {} asks for from now on are trusted as {}", plain(name), ring));
  if (context.json) print(object_json({{"name", name}, {"ring", ring}}));
  return 0;
}

Result<int> set_role(const Context& context, const std::string& name, const std::string& role) {
  const Result<v1::Role> wanted = parse_role("ROLE", role);
  if (!wanted) return std::unexpected(wanted.error());
  const Result<std::unique_ptr<Client>> client = Client::open(context.home, context.home.cli());
  if (!client) return std::unexpected(client.error());
  const Result<v1::Device> device = find_device(**client, name);
  if (!device) return std::unexpected(device.error());
  v1::SetRoleRequest request;
  request.set_device_id(device->id());
  request.set_role(*wanted);
  const Result<v1::SetRoleReply> done = (*client)->call<v1::SetRoleReply>("hearth.v1.DeviceService/SetRole", request);
  if (!done) return std::unexpected(done.error());
  say(fmt::format("{} has the role {} from now on", plain(name), role));
  if (context.json) print(object_json({{"name", name}, {"role", role}}));
  return 0;
}

Result<int> revoke_device(const Context& context, const std::string& name) {
  const Result<std::unique_ptr<Client>> client = Client::open(context.home, context.home.cli());
  if (!client) return std::unexpected(client.error());
  const Result<v1::Device> device = find_device(**client, name);
  if (!device) return std::unexpected(device.error());
  v1::RevokeRequest request;
  request.set_device_id(device->id());
  const Result<v1::RevokeReply> revoked = (*client)->call<v1::RevokeReply>("hearth.v1.DeviceService/Revoke", request);
  if (!revoked) return std::unexpected(revoked.error());
  say(fmt::format("{} is out", plain(name)));
  if (context.json) print(object_json({{"name", name}, {"revoked", true}}));
  return 0;
}

Result<account::Account> pair_device(const std::filesystem::path& directory, const std::string& link_text,
                                     const std::string& name, bool as_node) {
  const Result<account::PairingLink> link = account::parse_link(link_text);
  if (!link) return std::unexpected(link.error());
  if (Result<void> made = make_directory(directory); !made) return std::unexpected(made.error());
  const Result<net::IdentityKey> key = net::IdentityKey::load_or_create(directory / "identity.pem");
  if (!key) return std::unexpected(key.error());
  const auto show = [](const std::string& digits) {
    say(fmt::format("this PC shows {}; allow it at the pool's PC if that shows the same (\"hearth devices allow {}\")",
                    spaced_digits(digits), digits));
  };
  net::Loop loop;
  net::Workers workers(1);
  const std::string shown_name = name.empty() ? host_name() : name;
  Result<account::Account> account =
      loop.run_until_done(account::pair(loop, workers, *link, *key, shown_name, as_node, show));
  if (!account) return account;
  if (Result<void> saved = account::save_account(directory, *account); !saved) return std::unexpected(saved.error());
  return account;
}

Result<int> pair(const Context& context, const PairOptions& options) {
  const Result<Config> config = load_config(context.home);
  if (!config) return std::unexpected(config.error());
  if (config->hub && Lock::holder(context.home)) {
    return fail(Code::kFailedPrecondition,
                "this PC's command line belongs to its own pool; pair another one with: hearth pair LINK --home DIR");
  }
  const Result<account::Account> account = pair_device(context.home.cli(), options.link, options.name, false);
  if (!account) return std::unexpected(account.error());
  say(fmt::format("paired with {} at {}; try: hearth status", plain(account->pool_name), account->endpoint.text()));
  if (context.json) print(object_json({{"pool", account->pool_name}, {"endpoint", account->endpoint.text()}}));
  return 0;
}

}  // namespace hearth::cli
