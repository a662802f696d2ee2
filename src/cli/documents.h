// Everything that is JSON here: the small files of HOME, and what --json prints.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include "base/result.h"
#include "cli/cli.h"
#include "cli/home.h"
#include "cli/values.h"

namespace google::protobuf {
class Message;
}

namespace hearth::cli {

// HOME/config.json
struct Config {
  bool hub = true;  // false: this PC is a node of another's hub
  std::string address = "0.0.0.0";
  std::uint16_t port = 7443;
  std::string name;
  std::string store;                // a PostgreSQL URL; empty: hub/pool.db
  std::uint64_t drive_rate = 0;     // bytes a second at which a copy of the drive comes; 0: no limit
  std::optional<SlurmStart> slurm;  // that the node is, of another's hub; nothing: it is this PC
  bool operator==(const Config&) const = default;
};
Result<Config> parse_config(std::string_view text);
std::string format_config(const Config& config);
Result<Config> load_config(const Home& home);  // the defaults if there is none

// HOME/hub/endpoint.json
struct HubEndpoint {
  std::uint16_t port = 0;
  int process = 0;
  bool stands_by = false;
};
Result<HubEndpoint> parse_endpoint_file(std::string_view text);

// When the owner of this PC needs it: the "owner_first" of policy.json (node/policy.h); what is absent is as the node
// has it by default.
struct OwnerFirst {
  std::optional<std::string> mode;  // "auto", "on", "off"
  std::optional<std::uint64_t> quiet_seconds;
  std::optional<std::uint64_t> patience_seconds;
  std::optional<std::uint64_t> grace_seconds;
  std::optional<bool> on_battery;
  std::optional<bool> on_metered;
  std::optional<bool> on_busy;
  std::optional<std::uint64_t> max_celsius;
  std::optional<std::string> max_price;
  std::optional<std::string> tariff;  // the file's text
  bool operator==(const OwnerFirst&) const = default;
};

// What the owner of this PC admits a ring's tasks to: one of the "rings" of policy.json (node/rings.h); what is absent
// is as the node has it by default.
struct RingPolicy {
  std::optional<std::string> isolation;  // "fence", "oci", "microvm", "none"
  std::optional<bool> host_files;
  std::optional<bool> gpu;
  std::optional<bool> gang_network;
  std::optional<std::string> net;  // "none", "listed", "full"
  bool may_share_my_kernel = false;
  bool operator==(const RingPolicy&) const = default;
};

// HOME/node/policy.json: {"cores": 4, "memory_bytes": 8589934592, "disk_bytes": 21474836480,
// "workspace_bytes": 5368709120, "hours": "22:00-07:00", "rings": {"friend": {"net": "listed"}},
// "oci_runtime": "crun", "draining": false}; what is absent or null is not limited, or as node/policy.h has it.
struct Policy {
  std::optional<std::uint64_t> cores;
  std::optional<std::uint64_t> memory_bytes;
  std::optional<std::uint64_t> disk_bytes;
  std::optional<std::uint64_t> workspace_bytes;
  std::optional<Hours> hours;
  std::map<std::string, RingPolicy> rings;    // by name, see kRingNames
  std::string oci_runtime;                    // of the level "oci", with its arguments; empty: crun
  std::map<std::string, std::string> labels;  // what the node says of itself; "true", "3" and the like are no texts
  std::optional<double> watts;
  std::string swarm;  // "lan", "anywhere", "off"; empty: "lan"
  std::optional<std::uint64_t> swarm_bytes_per_second;
  bool draining = false;
  OwnerFirst owner_first;
  bool operator==(const Policy&) const = default;
};
Result<Policy> parse_policy(std::string_view text);
std::string format_policy(const Policy& policy);
Result<Policy> load_policy(const Home& home);  // no limits if there is none

// A task that runs on this PC, and for whom.
struct RunningHere {
  std::uint64_t job = 0;
  std::uint64_t task = 0;
  std::string owner;
  WallTime since;
  bool frozen = false;
};

// HOME/node/status.json, as far as it is of interest here.
struct NodeStatus {
  bool connected = false;
  std::uint64_t held = 0;  // attempts that the node has not handed over yet
  std::uint64_t running = 0;
  bool drained = false;
  bool heeds_owner = false;
  bool frozen = false;
  bool stopped = false;
  std::string closed_reason;
  std::optional<std::uint64_t> freeze_millis;
  std::vector<RunningHere> tasks;
};
Result<NodeStatus> parse_node_status(std::string_view text);

// As this home's hub last wrote it; zeros: it did not.
HubEndpoint endpoint_of(const Home& home);

// A message in protobuf's canonical JSON with the schema's field names, defaults included: stable for scripts.
std::string message_json(const google::protobuf::Message& message);

// {"name": value, ...} in the given order.
using JsonValue = std::variant<bool, std::int64_t, std::string, std::vector<std::string>>;
std::string object_json(const std::vector<std::pair<std::string, JsonValue>>& fields);

// One job of a plan; `job` is 0 where it was not submitted.
struct PlanRow {
  std::string name;
  std::uint64_t job = 0;
  std::uint32_t tasks = 1;
  std::vector<std::string> needs;
  std::string when;
  std::vector<std::string> program;
};
std::string plan_json(const std::vector<PlanRow>& rows);

std::string findings_json(const std::vector<Finding>& findings);
std::string findings_text(const std::vector<Finding>& findings);  // for people

}  // namespace hearth::cli
