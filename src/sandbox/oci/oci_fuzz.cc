// Whatever a task's fields are: the bundle is JSON that gives the container every namespace and no right, and names no
// path of the host; the task comes out of its packing as it went in.
#include <cstdint>
#include <cstdlib>
#include <filesystem>
#include <set>
#include <string>

#include <fcntl.h>
#include <fuzzer/FuzzedDataProvider.h>
#include <sys/resource.h>

#include <nlohmann/json.hpp>

#include "base/check.h"
#include "sandbox/oci/bundle.h"
#include "sandbox/oci/runtime_listener.h"
#include "sandbox/oci/task.h"

namespace {

using namespace hearth::sandbox;
using Json = nlohmann::json;

constexpr const char* kHostPath = "/host of the node/";

// A plain directory instead of a mount.
struct Place {
  Place() {
    std::string name = std::filesystem::temp_directory_path() / "hearth-fuzz-XXXXXX";
    CHECK(::mkdtemp(name.data()) != nullptr);
    path = name;
  }
  ~Place() { std::filesystem::remove_all(path); }
  std::filesystem::path path;
};

// As Box lets them through: without NUL.
std::string word(FuzzedDataProvider& input) {
  std::string text = input.ConsumeRandomLengthString(64);
  std::erase(text, '\0');
  return text;
}

Command command_of(FuzzedDataProvider& input) {
  Command command;
  command.argv.push_back("x" + word(input));
  while (input.ConsumeBool() && command.argv.size() < 8) command.argv.push_back(word(input));
  while (input.ConsumeBool() && command.variables.size() < 8) {
    std::string name = word(input);
    command.variables.emplace_back(std::move(name), word(input));
  }
  while (input.ConsumeBool() && command.gpus.size() < 2) {
    command.gpus.push_back(
        {.device_nodes = {"/dev/" + word(input)}, .files = {{word(input), "/run/gpu/" + word(input)}}});
  }
  return command;
}

void check_process(const Json& process) {
  CHECK(process["noNewPrivileges"] == true && process["terminal"] == false);
  CHECK(process["user"]["uid"] == 65534 && process["user"]["gid"] == 65534);
  CHECK(process["args"] == Json::array({oci::kInitProgram}) && process["env"].empty());
  CHECK(process["capabilities"].size() == 5);
  for (const Json& set : process["capabilities"]) CHECK(set.is_array() && set.empty());
}

void check_mounts(const Json& mounts, const Command& command) {
  std::set<std::string> sources = {oci::kThings, "/job", "/workspace", "/run/hearth", kGpuFiles, oci::kTmp};
  for (const Gpu& gpu : command.gpus) sources.insert(gpu.device_nodes.begin(), gpu.device_nodes.end());
  for (const Json& mount : mounts) {
    if (mount["type"] == "bind") CHECK(sources.contains(mount["source"].get<std::string>()));
    if (mount["type"] != "bind") CHECK(!mount["source"].get<std::string>().contains('/'));
  }
}

void check_config(const std::string& text, const LaunchOrder& order) {
  const Json config = Json::parse(text);
  CHECK(config["root"]["readonly"] == true);
  check_process(config["process"]);
  check_mounts(config["mounts"], order.command);
  std::set<std::string> namespaces;
  for (const Json& each : config["linux"]["namespaces"]) {
    CHECK(each.size() == 1);  // a new one: no path to join
    namespaces.insert(each["type"].get<std::string>());
  }
  std::set<std::string> all = {"user", "mount", "pid", "ipc", "uts", "cgroup", "network"};
  if (order.setup.network.kind != Network::Kind::kNone) all.erase("network");
  CHECK(namespaces == all);
  CHECK(!config["linux"].contains("cgroupsPath") && !config.contains("hooks"));
  CHECK(!text.contains(kHostPath));
}

// What the runtime and process 1 say: the program's words come out whole or not at all.
void check_listener(FuzzedDataProvider& input) {
  RuntimeListener listener("program");
  std::string printed;
  const auto print = [&printed](Stream, std::string_view piece) { printed += piece; };
  std::string said;
  for (int i = 0; i < 4; ++i) {
    std::string piece = input.ConsumeRandomLengthString(128);
    if (input.ConsumeBool()) piece += oci::kBegins;
    if (input.ConsumeBool()) piece += oci::kFailed;
    said += piece;
    listener.hear(Stream::kStderr, piece, print);
  }
  Exit exit;
  listener.conclude({.exit_code = 0, .kill_wanted = false}, print, exit);
  CHECK(said.ends_with(printed));
  CHECK(exit.started || !exit.message.empty());
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static const Place place;
  static WorkingDirectory directory(std::make_unique<Mount>(place.path, Mount::Borrowed{}),
                                    hearth::Fd(::open(place.path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC)),
                                    GuestUser{});
  oci::parse_task({reinterpret_cast<const char*>(data), size});
  FuzzedDataProvider input(data, size);
  const Command command = command_of(input);
  const Limits limits{.scratch_bytes = input.ConsumeIntegral<std::uint64_t>()};
  const ResourceLimits resource_limits = {
      {input.ConsumeIntegralInRange(0, 20), {.rlim_cur = 1, .rlim_max = input.ConsumeIntegral<rlim_t>()}}};
  const Setup setup{
      .level = Level::kOci,
      .network = {.kind = input.PickValueInArray({Network::Kind::kNone, Network::Kind::kProxy, Network::Kind::kFull})}};
  const std::string host = kHostPath;
  const std::string workspace = input.ConsumeBool() ? host + "workspace" : "";
  const std::string tmp = input.ConsumeBool() ? host + "tmp" : "";
  const std::string root = host + word(input);
  const LaunchOrder order{.command = command,
                          .limits = limits,
                          .resource_limits = resource_limits,
                          .setup = setup,
                          .root = root,
                          .workspace = workspace,
                          .tmp = tmp,
                          .directory = directory,
                          .network_directory = input.ConsumeBool() ? host + "network" : ""};
  const auto config = oci::bundle_config(order);
  CHECK(config || !command.gpus.empty());
  if (config) check_config(*config, order);
  const oci::Task task{.argv = command.argv, .variables = command.variables};
  CHECK(oci::parse_task(oci::pack_task(task)) == task);
  check_listener(input);
  return 0;
}
