// What nebula 1.6 is told for a network that lasts as long as one gang. Pure text.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "net/nebula.h"

namespace hearth::net {

// Of the 254 addresses of its /24: members from 1, the hub's lighthouse the last. A lighthouse tells members where the
// others are, and relays between those that cannot reach each other.
struct GangPlan {
  std::uint32_t network = 0;  // 10.x.y.0, the first byte the highest

  std::uint32_t member(std::uint32_t rank) const { return network + rank + 1; }
  std::uint32_t lighthouse() const { return network + 254; }
};
inline constexpr int kGangPrefix = 24;
inline constexpr std::uint32_t kMaxGangNetwork = 200;

// Networks of jobs that run at the same time differ, as far as there are networks.
GangPlan plan_gang(std::uint64_t job);

std::string format_ipv4(std::uint32_t address);  // "10.64.3.1"

struct LighthouseConfig {
  std::string authority;
  NebulaIdentity identity;
  std::uint16_t port = 0;  // UDP, on all of the hub's addresses
};
std::string lighthouse_config(const LighthouseConfig& config);

struct MemberConfig {
  GangPlan plan;
  std::string authority;
  NebulaIdentity identity;
  std::string device;      // the name of the network device
  std::string lighthouse;  // where to find it: IPv4 address
  std::uint16_t lighthouse_port = 0;
  std::uint16_t port = 0;  // UDP, to send from
};
// Errors: kInvalidArgument if what came from elsewhere is not what it should be.
Result<std::string> member_config(const MemberConfig& config);

}  // namespace hearth::net
