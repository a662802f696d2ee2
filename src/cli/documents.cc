#include "cli/documents.h"

#include <algorithm>
#include <limits>

#include <fmt/format.h>
#include <google/protobuf/message.h>
#include <google/protobuf/util/json_util.h>
#include <nlohmann/json.hpp>

#include "base/check.h"
#include "cli/output.h"

namespace hearth::cli {
namespace {

using nlohmann::json;

constexpr int kIndent = 2;

Result<json> parse_object(std::string_view text) {
  json value = json::parse(text, nullptr, false);
  if (value.is_discarded() || !value.is_object()) return fail(Code::kDataLoss, "this is no JSON object");
  return value;
}

Error wrong_field(const char* name, const char* wanted) {
  return Error{Code::kDataLoss, fmt::format("\"{}\" must be {}", name, wanted)};
}

bool absent(const json& object, const char* name) { return !object.contains(name) || object[name].is_null(); }

// The getters leave `out` alone if the field is absent.
Result<void> get_bool(const json& object, const char* name, bool& out) {
  if (absent(object, name)) return {};
  if (!object[name].is_boolean()) return std::unexpected(wrong_field(name, "true or false"));
  out = object[name].get<bool>();
  return {};
}

Result<void> get_count(const json& object, const char* name, std::uint64_t most, std::uint64_t& out) {
  if (absent(object, name)) return {};
  if (!object[name].is_number_unsigned() || object[name].get<std::uint64_t>() > most) {
    return std::unexpected(wrong_field(name, "a whole number in range"));
  }
  out = object[name].get<std::uint64_t>();
  return {};
}

Result<void> get_text(const json& object, const char* name, std::string& out) {
  if (absent(object, name)) return {};
  if (!object[name].is_string()) return std::unexpected(wrong_field(name, "a text"));
  out = object[name].get<std::string>();
  return {};
}

// The first failure of several getters, if any.
Result<void> all(std::initializer_list<Result<void>> results) {
  for (const Result<void>& result : results) {
    if (!result) return result;
  }
  return {};
}

// A small file's value by `parse`, or the default if there is no such file.
template <class Value>
Result<Value> load(const std::filesystem::path& file, Result<Value> (*parse)(std::string_view)) {
  const Result<std::string> text = read_small_file(file);
  if (!text && text.error().code == Code::kNotFound) return Value{};
  if (!text) return std::unexpected(text.error());
  Result<Value> value = parse(*text);
  if (!value) return fail(value, file.string());
  return value;
}

std::string dump(const nlohmann::ordered_json& value) {
  return value.dump(kIndent, ' ', false, nlohmann::ordered_json::error_handler_t::replace);
}

}  // namespace

constexpr std::uint64_t kMostDriveRate = 1ULL << 40;

Result<Config> parse_config(std::string_view text) {
  const Result<json> object = parse_object(text);
  if (!object) return std::unexpected(object.error());
  Config config;
  std::uint64_t port = config.port;
  const Result<void> read = all({get_bool(*object, "hub", config.hub), get_text(*object, "address", config.address),
                                 get_count(*object, "port", 65535, port), get_text(*object, "name", config.name),
                                 get_text(*object, "store", config.store),
                                 get_count(*object, "drive_rate", kMostDriveRate, config.drive_rate)});
  if (!read) return std::unexpected(read.error());
  if (!absent(*object, "slurm")) {
    const json& slurm = (*object)["slurm"];
    if (!slurm.is_object()) return std::unexpected(wrong_field("slurm", "an object"));
    config.slurm.emplace();
    const Result<void> named =
        all({get_text(slurm, "partition", config.slurm->partition), get_text(slurm, "account", config.slurm->account)});
    if (!named) return std::unexpected(named.error());
  }
  config.port = static_cast<std::uint16_t>(port);
  return config;
}

std::string format_config(const Config& config) {
  nlohmann::ordered_json object = {
      {"hub", config.hub}, {"address", config.address}, {"port", config.port}, {"name", config.name}};
  if (!config.store.empty()) object["store"] = config.store;
  if (config.drive_rate != 0) object["drive_rate"] = config.drive_rate;
  if (config.slurm) object["slurm"] = {{"partition", config.slurm->partition}, {"account", config.slurm->account}};
  return dump(object) + "\n";
}

Result<Config> load_config(const Home& home) { return load(home.config(), &parse_config); }

Result<HubEndpoint> parse_endpoint_file(std::string_view text) {
  const Result<json> object = parse_object(text);
  if (!object) return std::unexpected(object.error());
  std::uint64_t port = 0;
  std::uint64_t process = 0;
  bool stands_by = false;
  const Result<void> read = all({get_count(*object, "port", 65535, port),
                                 get_count(*object, "pid", std::numeric_limits<std::int32_t>::max(), process),
                                 get_bool(*object, "stands_by", stands_by)});
  if (!read) return std::unexpected(read.error());
  return HubEndpoint{static_cast<std::uint16_t>(port), static_cast<int>(process), stands_by};
}

namespace {

constexpr std::uint64_t kMostSeconds = 30ULL * 86'400;

// The getters for what may be absent.
Result<void> get_optional(const json& object, const char* name, std::uint64_t most, std::optional<std::uint64_t>& out) {
  std::uint64_t value = 0;
  const Result<void> read = get_count(object, name, most, value);
  if (read && !absent(object, name)) out = value;
  return read;
}

Result<void> get_optional(const json& object, const char* name, std::optional<bool>& out) {
  bool value = false;
  const Result<void> read = get_bool(object, name, value);
  if (read && !absent(object, name)) out = value;
  return read;
}

Result<void> get_optional(const json& object, const char* name, std::optional<std::string>& out) {
  std::string value;
  const Result<void> read = get_text(object, name, value);
  if (read && !absent(object, name)) out = value;
  return read;
}

Result<void> get_owner_first(const json& policy, OwnerFirst& out) {
  if (absent(policy, "owner_first")) return {};
  const json& object = policy["owner_first"];
  if (!object.is_object()) return std::unexpected(wrong_field("owner_first", "an object"));
  return all({get_optional(object, "mode", out.mode),
              get_optional(object, "quiet_seconds", kMostSeconds, out.quiet_seconds),
              get_optional(object, "patience_seconds", kMostSeconds, out.patience_seconds),
              get_optional(object, "grace_seconds", kMostSeconds, out.grace_seconds),
              get_optional(object, "on_battery", out.on_battery), get_optional(object, "on_metered", out.on_metered),
              get_optional(object, "on_busy", out.on_busy), get_optional(object, "max_celsius", 150, out.max_celsius),
              get_optional(object, "max_price", out.max_price), get_optional(object, "tariff", out.tariff)});
}

nlohmann::ordered_json owner_first_json(const OwnerFirst& owner) {
  nlohmann::ordered_json object = nlohmann::ordered_json::object();
  const auto put = [&object](const char* name, const auto& value) {
    if (value) object[name] = *value;
  };
  put("mode", owner.mode);
  put("quiet_seconds", owner.quiet_seconds);
  put("patience_seconds", owner.patience_seconds);
  put("grace_seconds", owner.grace_seconds);
  put("on_battery", owner.on_battery);
  put("on_metered", owner.on_metered);
  put("on_busy", owner.on_busy);
  put("max_celsius", owner.max_celsius);
  put("max_price", owner.max_price);
  put("tariff", owner.tariff);
  return object;
}

Result<void> get_rings(const json& policy, std::map<std::string, RingPolicy>& out) {
  if (absent(policy, "rings")) return {};
  const json& object = policy["rings"];
  if (!object.is_object()) return std::unexpected(wrong_field("rings", "an object"));
  for (const auto& [name, one] : object.items()) {
    if (std::ranges::find(kRingNames, name) == kRingNames.end() || !one.is_object()) {
      return std::unexpected(wrong_field("rings", "an object of objects: home, friend, member, stranger"));
    }
    RingPolicy& ring = out[name];
    const Result<void> read =
        all({get_optional(one, "isolation", ring.isolation), get_optional(one, "host_files", ring.host_files),
             get_optional(one, "gpu", ring.gpu), get_optional(one, "gang_network", ring.gang_network),
             get_optional(one, "net", ring.net), get_bool(one, "may_share_my_kernel", ring.may_share_my_kernel)});
    if (!read) return read;
  }
  return {};
}

nlohmann::ordered_json ring_json(const RingPolicy& ring) {
  nlohmann::ordered_json object = nlohmann::ordered_json::object();
  if (ring.isolation) object["isolation"] = *ring.isolation;
  if (ring.host_files) object["host_files"] = *ring.host_files;
  if (ring.gpu) object["gpu"] = *ring.gpu;
  if (ring.gang_network) object["gang_network"] = *ring.gang_network;
  if (ring.net) object["net"] = *ring.net;
  if (ring.may_share_my_kernel) object["may_share_my_kernel"] = true;
  return object;
}

Result<void> get_tasks(const json& status, std::vector<RunningHere>& out) {
  if (absent(status, "tasks")) return {};
  constexpr std::size_t kMostTasks = 1'000;
  const json& list = status["tasks"];
  if (!list.is_array() || list.size() > kMostTasks) return std::unexpected(wrong_field("tasks", "a list"));
  for (const json& one : list) {
    if (!one.is_object()) return std::unexpected(wrong_field("tasks", "a list of objects"));
    RunningHere task;
    std::uint64_t since = 0;
    constexpr auto kMost = static_cast<std::uint64_t>(std::numeric_limits<std::int64_t>::max());
    const Result<void> read =
        all({get_count(one, "job", kMost, task.job), get_count(one, "task", kMost, task.task),
             get_text(one, "owner", task.owner), get_count(one, "since_unix_millis", kMost, since),
             get_bool(one, "frozen", task.frozen)});
    if (!read) return read;
    task.since.unix_millis = static_cast<std::int64_t>(since);
    out.push_back(std::move(task));
  }
  return {};
}

// Labels are flags, numbers or texts; written as they are typed.
Result<void> get_labels(const json& policy, std::map<std::string, std::string>& out) {
  if (absent(policy, "labels")) return {};
  const json& object = policy["labels"];
  if (!object.is_object()) return std::unexpected(wrong_field("labels", "an object"));
  for (const auto& [name, value] : object.items()) {
    if (!value.is_boolean() && !value.is_number() && !value.is_string()) {
      return std::unexpected(wrong_field("labels", "true, false, a number or a text each"));
    }
    out[name] = value.is_string() ? value.get<std::string>() : value.dump();
  }
  return {};
}

json label_json(const std::string& text) {
  const json value = json::parse(text, nullptr, false);
  return value.is_boolean() || value.is_number() ? value : json(text);
}

}  // namespace

Result<Policy> parse_policy(std::string_view text) {
  const Result<json> object = parse_object(text);
  if (!object) return std::unexpected(object.error());
  Policy policy;
  std::uint64_t cores = 0;
  std::uint64_t memory = 0;
  std::uint64_t disk = 0;
  std::uint64_t workspaces = 0;
  std::uint64_t swarm_rate = 0;
  std::string hours;
  constexpr std::uint64_t kMostBytes = std::numeric_limits<std::int64_t>::max();
  const Result<void> read =
      all({get_count(*object, "cores", 1'000'000, cores), get_count(*object, "memory_bytes", kMostBytes, memory),
           get_count(*object, "disk_bytes", kMostBytes, disk),
           get_count(*object, "workspace_bytes", kMostBytes, workspaces), get_text(*object, "hours", hours),
           get_bool(*object, "draining", policy.draining), get_owner_first(*object, policy.owner_first),
           get_rings(*object, policy.rings), get_text(*object, "oci_runtime", policy.oci_runtime),
           get_labels(*object, policy.labels), get_text(*object, "swarm", policy.swarm),
           get_count(*object, "swarm_bytes_per_second", kMostBytes, swarm_rate)});
  if (!read) return std::unexpected(read.error());
  if (!absent(*object, "cores")) policy.cores = cores;
  if (!absent(*object, "memory_bytes")) policy.memory_bytes = memory;
  if (!absent(*object, "disk_bytes")) policy.disk_bytes = disk;
  if (!absent(*object, "workspace_bytes")) policy.workspace_bytes = workspaces;
  if (swarm_rate > 0) policy.swarm_bytes_per_second = swarm_rate;
  if (!absent(*object, "watts")) {
    if (!(*object)["watts"].is_number()) return std::unexpected(wrong_field("watts", "a number"));
    policy.watts = (*object)["watts"].get<double>();
  }
  if (hours.empty()) return policy;
  const Result<Hours> parsed = parse_hours("\"hours\"", hours);
  if (!parsed) return fail(Code::kDataLoss, parsed.error().message);
  policy.hours = *parsed;
  return policy;
}

std::string format_policy(const Policy& policy) {
  nlohmann::ordered_json object = nlohmann::ordered_json::object();
  if (policy.cores) object["cores"] = *policy.cores;
  if (policy.memory_bytes) object["memory_bytes"] = *policy.memory_bytes;
  if (policy.disk_bytes) object["disk_bytes"] = *policy.disk_bytes;
  if (policy.workspace_bytes) object["workspace_bytes"] = *policy.workspace_bytes;
  if (policy.hours) object["hours"] = format_hours(*policy.hours);
  for (const auto& [name, ring] : policy.rings) {
    if (ring != RingPolicy{}) object["rings"][name] = ring_json(ring);
  }
  if (!policy.oci_runtime.empty()) object["oci_runtime"] = policy.oci_runtime;
  for (const auto& [name, value] : policy.labels) object["labels"][name] = label_json(value);
  if (policy.watts) object["watts"] = *policy.watts;
  if (!policy.swarm.empty()) object["swarm"] = policy.swarm;
  if (policy.swarm_bytes_per_second) object["swarm_bytes_per_second"] = *policy.swarm_bytes_per_second;
  object["draining"] = policy.draining;
  if (policy.owner_first != OwnerFirst{}) object["owner_first"] = owner_first_json(policy.owner_first);
  return dump(object) + "\n";
}

Result<Policy> load_policy(const Home& home) { return load(home.policy(), &parse_policy); }

Result<NodeStatus> parse_node_status(std::string_view text) {
  const Result<json> object = parse_object(text);
  if (!object) return std::unexpected(object.error());
  NodeStatus status;
  constexpr std::uint64_t kMost = 1'000'000;
  const Result<void> read =
      all({get_bool(*object, "connected", status.connected), get_count(*object, "held", kMost, status.held),
           get_count(*object, "running", kMost, status.running), get_bool(*object, "drained", status.drained),
           get_bool(*object, "heeds_owner", status.heeds_owner), get_bool(*object, "frozen", status.frozen),
           get_bool(*object, "stopped", status.stopped), get_text(*object, "closed_reason", status.closed_reason),
           get_tasks(*object, status.tasks)});
  if (!read) return std::unexpected(read.error());
  const auto freeze = object->find("freeze_millis");
  if (freeze != object->end() && freeze->is_number_unsigned()) status.freeze_millis = freeze->get<std::uint64_t>();
  return status;
}

HubEndpoint endpoint_of(const Home& home) {
  const Result<std::string> text = read_small_file(home.endpoint());
  if (!text) return {};
  return parse_endpoint_file(*text).value_or(HubEndpoint());
}

std::string message_json(const google::protobuf::Message& message) {
  google::protobuf::util::JsonPrintOptions options;
  options.add_whitespace = true;
  options.always_print_primitive_fields = true;
  options.preserve_proto_field_names = true;
  std::string text;
  CHECK(google::protobuf::util::MessageToJsonString(message, &text, options).ok());
  return text;
}

std::string object_json(const std::vector<std::pair<std::string, JsonValue>>& fields) {
  nlohmann::ordered_json object = nlohmann::ordered_json::object();
  for (const auto& [name, value] : fields) {
    std::visit([&object, &name](const auto& held) { object[name] = held; }, value);
  }
  return dump(object) + "\n";
}

std::string plan_json(const std::vector<PlanRow>& rows) {
  nlohmann::ordered_json list = nlohmann::ordered_json::array();
  for (const PlanRow& row : rows) {
    nlohmann::ordered_json job = {{"name", row.name}};
    if (row.job != 0) job["job_id"] = std::to_string(row.job);
    job["tasks"] = row.tasks;
    job["needs"] = row.needs;
    job["when"] = row.when.empty() ? "success" : row.when;
    job["program"] = row.program;
    list.push_back(std::move(job));
  }
  return dump({{"jobs", list}}) + "\n";
}

std::string findings_json(const std::vector<Finding>& findings) {
  nlohmann::ordered_json list = nlohmann::ordered_json::array();
  for (const Finding& finding : findings) {
    list.push_back({{"name", finding.name},
                    {"ok", finding.ok},
                    {"required", finding.required},
                    {"detail", finding.detail},
                    {"remedy", finding.remedy}});
  }
  return dump({{"findings", list}}) + "\n";
}

std::string findings_text(const std::vector<Finding>& findings) {
  std::size_t width = 0;
  for (const Finding& finding : findings) width = std::max(width, display_width(finding.name));
  std::string text;
  for (const Finding& finding : findings) {
    const std::string mark = finding.ok ? "ok  " : finding.required ? "FAIL" : "note";
    const std::string padding(width - display_width(finding.name), ' ');
    text += fmt::format("{}  {}{}  {}\n", mark, finding.name, padding, plain(finding.detail));
    if (!finding.ok && !finding.remedy.empty()) {
      text += fmt::format("      {}  mend it: {}\n", std::string(width, ' '), plain(finding.remedy));
    }
  }
  return text;
}

}  // namespace hearth::cli
