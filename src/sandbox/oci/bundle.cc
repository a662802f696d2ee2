#include "sandbox/oci/bundle.h"

#include <set>

#include <sys/resource.h>

#include <nlohmann/json.hpp>

#include "sandbox/oci/task.h"

namespace hearth::sandbox::oci {
namespace {

using Json = nlohmann::ordered_json;

constexpr unsigned kGuestId = 65534;  // in the container, in the bubble, and to the kernel where the node is root's

Json tmpfs(const char* where, const std::string& size) {
  return {{"destination", where},
          {"type", "tmpfs"},
          {"source", "tmpfs"},
          {"options", {"nosuid", "nodev", "mode=1777", "size=" + size}}};
}

Json bind(const std::string& source, const std::string& where, const char* access) {
  return {{"destination", where}, {"type", "bind"}, {"source", source}, {"options", {"rbind", "nosuid", access}}};
}

Json mounts(const LaunchOrder& order) {
  const std::string scratch = std::to_string(order.limits.scratch_bytes);
  Json list = Json::array();
  list.push_back({{"destination", "/proc"}, {"type", "proc"}, {"source", "proc"}, {"options", {"nosuid", "nodev"}}});
  list.push_back({{"destination", "/dev"},
                  {"type", "tmpfs"},
                  {"source", "tmpfs"},
                  {"options", {"nosuid", "strictatime", "mode=755", "size=64k"}}});
  list.push_back({{"destination", "/dev/pts"},
                  {"type", "devpts"},
                  {"source", "devpts"},
                  {"options", {"nosuid", "noexec", "newinstance", "ptmxmode=0666", "mode=0620"}}});
  list.push_back(tmpfs("/dev/shm", scratch));
  list.push_back(order.tmp.empty() ? tmpfs("/tmp", scratch) : bind(kTmp, "/tmp", "rw"));
  list.push_back(bind(kThings, "/dev/hearth", "ro"));
  list.push_back(bind("/job", "/job", "rw"));
  if (!order.workspace.empty()) list.push_back(bind("/workspace", "/workspace", "rw"));
  if (!order.network_directory.empty()) list.push_back(bind("/run/hearth", "/run/hearth", "ro"));
  std::set<std::string> nodes;
  bool has_gpu_files = false;
  for (const Gpu& gpu : order.command.gpus) {
    nodes.insert(gpu.device_nodes.begin(), gpu.device_nodes.end());
    has_gpu_files = has_gpu_files || !gpu.files.empty();
  }
  if (has_gpu_files) list.push_back(bind(kGpuFiles, kGpuFiles, "ro"));
  for (const std::string& node : nodes) list.push_back(bind(node, node, "rw"));
  return list;
}

Json rlimits(const ResourceLimits& limits) {
  Json list = Json::array();
  for (const auto& [resource, limit] : limits) {
    const char* name = resource == RLIMIT_NOFILE  ? "RLIMIT_NOFILE"
                       : resource == RLIMIT_CORE  ? "RLIMIT_CORE"
                       : resource == RLIMIT_CPU   ? "RLIMIT_CPU"
                       : resource == RLIMIT_NPROC ? "RLIMIT_NPROC"
                       : resource == RLIMIT_DATA  ? "RLIMIT_DATA"
                                                  : nullptr;
    if (name != nullptr) list.push_back({{"type", name}, {"hard", limit.rlim_max}, {"soft", limit.rlim_cur}});
  }
  return list;
}

Json process(const LaunchOrder& order) {
  Json none = Json::array();
  return {{"terminal", false},
          {"user", {{"uid", kGuestId}, {"gid", kGuestId}}},
          {"args", {kInitProgram}},
          {"env", Json::array()},
          {"cwd", "/job"},
          {"capabilities",
           {{"bounding", none}, {"effective", none}, {"inheritable", none}, {"permitted", none}, {"ambient", none}}},
          {"rlimits", rlimits(order.resource_limits)},
          {"noNewPrivileges", true}};
}

// Control groups are not named: the sandbox's own holds the runtime with all that it starts. A network that the guest
// has is the bubble's, in which nobody else is.
Json linux_part(const LaunchOrder& order) {
  Json namespaces = Json::array();
  for (const char* type : {"user", "mount", "pid", "ipc", "uts", "cgroup"}) namespaces.push_back({{"type", type}});
  if (order.setup.network.kind == Network::Kind::kNone) namespaces.push_back({{"type", "network"}});
  const Json mapping = Json::array({{{"containerID", kGuestId}, {"hostID", kGuestId}, {"size", 1}}});
  return {{"namespaces", namespaces},
          {"uidMappings", mapping},
          {"gidMappings", mapping},
          {"rootfsPropagation", "private"},
          {"maskedPaths",
           {"/proc/acpi", "/proc/asound", "/proc/kcore", "/proc/keys", "/proc/latency_stats", "/proc/scsi",
            "/proc/timer_list"}},
          {"readonlyPaths", {"/proc/bus", "/proc/fs", "/proc/irq", "/proc/sys", "/proc/sysrq-trigger", "/dev"}}};
}

}  // namespace

Result<std::string> bundle_config(const LaunchOrder& order) {
  const Json config = {
      {"ociVersion", "1.0.2"}, {"process", process(order)}, {"root", {{"path", kRoot}, {"readonly", true}}},
      {"hostname", "job"},     {"mounts", mounts(order)},   {"linux", linux_part(order)}};
  try {
    return config.dump();
  } catch (const Json::type_error&) {
    return fail(Code::kInvalidArgument,
                "a GPU's device node has a name that is no UTF-8, which no OCI bundle can hold");
  }
}

}  // namespace hearth::sandbox::oci
