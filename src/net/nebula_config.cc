#include "net/nebula_config.h"

#include <algorithm>

namespace hearth::net {
namespace {

constexpr std::size_t kMaxPem = 4096;

// Nothing that could end the block that it stands in.
bool is_pem(std::string_view text) {
  if (!text.starts_with("-----BEGIN NEBULA ") || !text.ends_with("-----\n") || text.size() > kMaxPem) return false;
  return std::ranges::all_of(text, [](char c) {
    return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '+' || c == '/' ||
           c == '=' || c == '-' || c == ' ' || c == '\n';
  });
}

std::string block(std::string_view key, std::string_view text) {
  std::string out = "  " + std::string(key) + ": |\n";
  for (std::size_t start = 0; start < text.size();) {
    const std::size_t end = std::min(text.find('\n', start), text.size());
    out += "    " + std::string(text.substr(start, end - start)) + "\n";
    start = end + 1;
  }
  return out;
}

std::string pki(const std::string& authority, const NebulaIdentity& identity) {
  return "pki:\n" + block("ca", authority) + block("cert", identity.certificate) + block("key", identity.key);
}

// Whoever is of the gang reaches whoever is of it; nobody else has a certificate.
constexpr const char* kOpen =
    "firewall:\n"
    "  outbound: [{port: any, proto: any, host: any}]\n"
    "  inbound: [{port: any, proto: any, host: any}]\n"
    "logging: {level: info, format: json}\n";

bool is_ipv4(std::string_view text) {
  return !text.empty() && text.size() <= 15 &&
         std::ranges::all_of(text, [](char c) { return (c >= '0' && c <= '9') || c == '.'; });
}

}  // namespace

GangPlan plan_gang(std::uint64_t job) {
  constexpr std::uint64_t kThird = 254;
  const auto second = static_cast<std::uint32_t>(64 + job / kThird % 128);
  const auto third = static_cast<std::uint32_t>(1 + job % kThird);
  return {.network = (10U << 24) | (second << 16) | (third << 8)};
}

std::string format_ipv4(std::uint32_t address) {
  std::string text;
  for (int shift = 24; shift >= 0; shift -= 8) {
    text += (text.empty() ? "" : ".") + std::to_string((address >> shift) & 0xff);
  }
  return text;
}

std::string lighthouse_config(const LighthouseConfig& config) {
  return pki(config.authority, config.identity) +
         "lighthouse: {am_lighthouse: true}\n"
         "relay: {am_relay: true}\n"
         "listen: {host: 0.0.0.0, port: " +
         std::to_string(config.port) +
         "}\n"
         "tun: {disabled: true}\n" +
         kOpen;
}

// No addresses of its own are told: the carrier's are the same everywhere. What the lighthouse sees is.
Result<std::string> member_config(const MemberConfig& config) {
  if (!is_pem(config.authority) || !is_pem(config.identity.certificate) || !is_pem(config.identity.key)) {
    return fail(Code::kInvalidArgument, "the certificates of its gang's network are malformed");
  }
  if (config.plan.network >> 24 != 10 || (config.plan.network & 0xff) != 0) {
    return fail(Code::kInvalidArgument, "the addresses of its gang's network are none of 10.0.0.0/8");
  }
  if (!is_ipv4(config.lighthouse) || config.lighthouse_port == 0) {
    return fail(Code::kInvalidArgument, "where its gang's lighthouse is is not known");
  }
  const std::string lighthouse = format_ipv4(config.plan.lighthouse());
  return pki(config.authority, config.identity) + "static_host_map: {\"" + lighthouse + "\": [\"" + config.lighthouse +
         ":" + std::to_string(config.lighthouse_port) +
         "\"]}\n"
         "lighthouse: {am_lighthouse: false, interval: 10, hosts: [\"" +
         lighthouse +
         "\"], local_allow_list: {\"0.0.0.0/0\": false, \"::/0\": false}}\n"
         "relay: {relays: [\"" +
         lighthouse +
         "\"], use_relays: true}\n"
         "punchy: {punch: true, respond: true, delay: 1s}\n"
         "listen: {host: 0.0.0.0, port: " +
         std::to_string(config.port) +
         "}\n"
         "tun: {dev: " +
         config.device + ", mtu: 1300, drop_multicast: true}\n" + kOpen;
}

}  // namespace hearth::net
