#include "node/gang_network.h"

#include <cstring>

#include "net/crypto.h"
#include "net/nebula_config.h"

namespace hearth::node {
namespace {

constexpr std::size_t kMaxSecret = 128;

// Beyond the ports that services have, and where pasta asks this PC's kernel for the same one.
std::uint16_t some_port() {
  std::uint16_t random = 0;
  const std::string bytes = net::random_bytes(sizeof random);
  std::memcpy(&random, bytes.data(), sizeof random);
  return static_cast<std::uint16_t>(20'000 + random % 40'000);
}

std::string host_name(std::uint32_t rank) { return "host-" + std::to_string(rank); }

}  // namespace

Result<sandbox::Overlay> make_overlay(const v1::GangNetwork& way, std::uint32_t rank, const std::string& hub,
                                      std::uint16_t port) {
  if (way.size() == 0 || way.size() > net::kMaxGangNetwork || rank >= way.size() || way.port() > 65'535 ||
      way.secret().size() > kMaxSecret) {
    return fail(Code::kInvalidArgument, "what the hub says of its gang's network is malformed");
  }
  const net::GangPlan plan{.network = way.network()};
  sandbox::Overlay overlay{.address = plan.member(rank), .prefix_bits = net::kGangPrefix, .port = port};
  overlay.reaches_loopback = hub.starts_with("127.");
  Result<std::string> config =
      net::member_config({.plan = plan,
                          .authority = way.authority(),
                          .identity = {.certificate = way.certificate(), .key = way.key()},
                          .device = sandbox::kOverlayDevice,
                          .lighthouse = overlay.reaches_loopback ? sandbox::kCarrierGateway : hub,
                          .lighthouse_port = static_cast<std::uint16_t>(way.port()),
                          .port = port});
  if (!config) return std::unexpected(config.error());
  overlay.config = std::move(*config);
  overlay.host_name = host_name(rank);
  overlay.hosts = "127.0.0.1 localhost\n::1 localhost\n";
  for (std::uint32_t other = 0; other < way.size(); ++other) {
    overlay.hosts += net::format_ipv4(plan.member(other)) + " " + host_name(other) + "\n";
  }
  return overlay;
}

std::vector<std::pair<std::string, std::string>> gang_variables(const v1::GangNetwork& way, std::uint32_t rank) {
  const net::GangPlan plan{.network = way.network()};
  std::string addresses;
  for (std::uint32_t other = 0; other < way.size(); ++other) {
    addresses += (other == 0 ? "" : ",") + net::format_ipv4(plan.member(other));
  }
  return {{"HEARTH_GANG_RANK", std::to_string(rank)},
          {"HEARTH_GANG_SIZE", std::to_string(way.size())},
          {"HEARTH_GANG_ADDRESS", net::format_ipv4(plan.member(rank))},
          {"HEARTH_GANG_ADDRESSES", addresses},
          {"HEARTH_GANG_SECRET", way.secret()}};
}

net::Async<Result<std::optional<sandbox::Overlay>>> prepare_overlay(const v1::JobSpec& spec, const v1::GangNetwork& way,
                                                                    TaskId task, std::shared_ptr<HubLink> link,
                                                                    egress::Resolver& resolver, Time due) {
  if (!spec.net_gang()) co_return std::nullopt;
  if (way.size() == 0 || !link) {
    co_return fail(Code::kFailedPrecondition,
                   "the hub made no network for its gang; on the hub's PC: apt install nebula, and see its log");
  }
  const std::string host = link->session.account().endpoint.host;
  Result<std::vector<asio::ip::address>> found = co_await resolver.resolve(host, due);
  if (!found) co_return fail(found, "looking for the hub " + host);
  std::string hub;
  for (const asio::ip::address& address : *found) {
    if (hub.empty() && address.is_v4()) hub = address.to_string();
  }
  if (hub.empty()) {
    co_return fail(Code::kFailedPrecondition, "the network of a gang needs IPv4, and the hub " + host + " has none");
  }
  Result<sandbox::Overlay> overlay = make_overlay(way, task.index, hub, some_port());
  if (!overlay) co_return std::unexpected(overlay.error());
  co_return std::optional(std::move(*overlay));
}

}  // namespace hearth::node
