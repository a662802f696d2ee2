#include "sandbox/cdi.h"

#include <algorithm>

#include <yaml-cpp/yaml.h>

namespace hearth::sandbox {
namespace {

constexpr std::size_t kMaxDevices = 256;
constexpr std::size_t kMaxEntries = 1024;
constexpr std::size_t kMaxTextBytes = 4096;

// Thrown within this file only: the YAML library throws too, and one catch turns both into a Result.
struct Refused {
  Error error;
};

[[noreturn]] void refuse(const std::string& field, const std::string& why, Code code = Code::kInvalidArgument) {
  throw Refused{{code, "\"" + field + "\" " + why}};
}

std::string text_of(const YAML::Node& node, const std::string& field) {
  if (!node.IsDefined() || node.IsNull()) return {};
  if (!node.IsScalar()) refuse(field, "must be a text");
  std::string text = node.Scalar();
  if (text.size() > kMaxTextBytes) refuse(field, "is longer than 4096 bytes", Code::kResourceExhausted);
  if (text.find('\0') != std::string::npos) refuse(field, "holds a NUL character");
  return text;
}

bool is_safe_absolute(const std::string& path) {
  return path.starts_with('/') && !(path + "/").contains("/../") && path.find('\n') == std::string::npos;
}

std::string path_of(const YAML::Node& node, const std::string& field) {
  std::string path = text_of(node, field);
  if (!is_safe_absolute(path)) refuse(field, "must be an absolute path without '..', not '" + path + "'");
  return path;
}

// The entries of a list that may be absent.
std::vector<YAML::Node> entries(const YAML::Node& node, const std::string& field, std::size_t most = kMaxEntries) {
  if (!node.IsDefined() || node.IsNull()) return {};
  if (!node.IsSequence()) refuse(field, "must be a list");
  if (node.size() > most) refuse(field, "has more than " + std::to_string(most) + " entries", Code::kResourceExhausted);
  return {node.begin(), node.end()};
}

YAML::Node member(const YAML::Node& object, const char* name, const std::string& field) {
  if (!object.IsMap()) refuse(field, "must be an object");
  return object[name];
}

// "nvidia-cdi-hook create-symlinks --link TARGET::PATH", "... update-ldcache --folder FOLDER": both are given as
// "--option value" or "--option=value". Linker folders need no answer: libraries are shown in one of ours.
void read_hook(const YAML::Node& hook, CdiEdits& edits) {
  std::vector<std::string> arguments;
  for (const YAML::Node& argument : entries(member(hook, "args", "hooks"), "args")) {
    arguments.push_back(text_of(argument, "args"));
  }
  if (std::ranges::find(arguments, "create-symlinks") == arguments.end()) return;
  constexpr std::string_view kOption = "--link";
  for (std::size_t i = 0; i < arguments.size(); ++i) {
    std::string value;
    if (arguments[i] == kOption && i + 1 < arguments.size()) value = arguments[i + 1];
    if (arguments[i].starts_with(std::string(kOption) + "=")) value = arguments[i].substr(kOption.size() + 1);
    const std::size_t middle = value.find("::");
    if (middle == std::string::npos) continue;
    std::string path = value.substr(middle + 2);
    if (is_safe_absolute(path)) edits.links.emplace_back(value.substr(0, middle), std::move(path));
  }
}

CdiEdits read_edits(const YAML::Node& node) {
  CdiEdits edits;
  if (!node.IsDefined() || node.IsNull()) return edits;
  for (const YAML::Node& entry : entries(member(node, "deviceNodes", "containerEdits"), "deviceNodes")) {
    const YAML::Node host_path = member(entry, "hostPath", "deviceNodes");
    edits.device_nodes.push_back(path_of(host_path.IsDefined() ? host_path : entry["path"], "deviceNodes.path"));
  }
  for (const YAML::Node& entry : entries(node["mounts"], "mounts")) {
    edits.mounts.push_back({.host_path = path_of(member(entry, "hostPath", "mounts"), "mounts.hostPath"),
                            .container_path = path_of(entry["containerPath"], "mounts.containerPath")});
  }
  for (const YAML::Node& entry : entries(node["env"], "env")) {
    std::string text = text_of(entry, "env");
    const std::size_t equals = text.find('=');
    if (equals == std::string::npos || equals == 0) refuse("env", "must be NAME=VALUE, not '" + text + "'");
    edits.variables.emplace_back(text.substr(0, equals), text.substr(equals + 1));
  }
  for (const YAML::Node& entry : entries(node["hooks"], "hooks")) read_hook(entry, edits);
  return edits;
}

CdiSpec read_spec(const YAML::Node& root) {
  CdiSpec spec;
  spec.kind = text_of(member(root, "kind", "the specification"), "kind");
  if (!spec.kind.contains('/')) refuse("kind", "must be VENDOR/CLASS like \"nvidia.com/gpu\", not '" + spec.kind + "'");
  for (const YAML::Node& entry : entries(root["devices"], "devices", kMaxDevices)) {
    CdiDevice device{.name = text_of(member(entry, "name", "devices"), "devices.name"),
                     .edits = read_edits(entry["containerEdits"])};
    if (device.name.empty()) refuse("devices.name", "must not be empty");
    spec.devices.push_back(std::move(device));
  }
  spec.edits = read_edits(root["containerEdits"]);
  return spec;
}

}  // namespace

Result<CdiSpec> parse_cdi(std::string_view text) {
  if (text.size() > kMaxCdiBytes) return fail(Code::kResourceExhausted, "it is larger than 1 MiB");
  try {
    return read_spec(YAML::Load(std::string(text)));
  } catch (const Refused& refused) {
    return std::unexpected(refused.error);
  } catch (const YAML::Exception& broken) {
    return fail(Code::kInvalidArgument, std::string("it is no YAML: ") + broken.what());
  }
}

}  // namespace hearth::sandbox
