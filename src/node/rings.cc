#include "node/rings.h"

#include <fmt/format.h>
#include <nlohmann/json.hpp>

namespace hearth::node {
namespace {

using Json = nlohmann::json;
using sandbox::Level;

constexpr std::size_t kMaxRuntimeBytes = 1024;

std::unexpected<Error> refuse(Ring ring, std::string_view field, std::string_view allowed) {
  return fail(Code::kInvalidArgument,
              fmt::format("policy.json: \"rings.{}.{}\" must be {}", name_of(ring), field, allowed));
}

Result<void> read_flag(const Json& object, Ring ring, const char* field, bool& out) {
  const auto found = object.find(field);
  if (found == object.end() || found->is_null()) return {};
  if (!found->is_boolean()) return refuse(ring, field, "true or false");
  out = found->get<bool>();
  return {};
}

Result<void> read_level(const Json& object, Ring ring, std::optional<Level>& out) {
  const auto found = object.find("isolation");
  if (found == object.end() || found->is_null()) return {};
  out = found->is_string() ? sandbox::level_named(found->get<std::string>()) : std::nullopt;
  if (out || *found == "none") return {};
  return refuse(ring, "isolation", R"("fence", "oci", "microvm" or "none")");
}

Result<void> read_net(const Json& object, Ring ring, RingTerms& out) {
  const auto found = object.find("net");
  if (found == object.end() || found->is_null()) return {};
  if (*found != "none" && *found != "listed" && *found != "full") {
    return refuse(ring, "net", R"("none", "listed" or "full")");
  }
  out.listed_hosts = *found != "none";
  out.full_network = *found == "full";
  return {};
}

Result<void> read_ring(const Json& object, Ring ring, RingTerms& out) {
  if (!object.is_object()) {
    return fail(Code::kInvalidArgument, fmt::format("policy.json: \"rings.{}\" must be an object", name_of(ring)));
  }
  bool may_share_kernel = false;
  Result<void> read = read_level(object, ring, out.level);
  if (read) read = read_net(object, ring, out);
  if (read) read = read_flag(object, ring, "host_files", out.host_files);
  if (read) read = read_flag(object, ring, "gpu", out.gpu);
  if (read) read = read_flag(object, ring, "gang_network", out.gang_network);
  if (read) read = read_flag(object, ring, "may_share_my_kernel", may_share_kernel);
  if (!read) return read;
  if (ring == Ring::kStranger && out.level && out.level != Level::kMicroVm && !may_share_kernel) {
    return refuse(ring, "isolation", "\"microvm\" or \"none\", unless \"may_share_my_kernel\" is true");
  }
  return {};
}

// What one right is called, and how an owner grants it.
std::string denial(Ring ring, Right right) {
  const std::string_view name = name_of(ring);
  const auto advice = [&](std::string_view what, std::string_view option) {
    return fmt::format(
        "this PC's owner does not let tasks of ring {0} {1} so far; on that PC it is allowed by: hearth "
        "limit --for {0} {2}",
        name, what, option);
  };
  switch (right) {
    case Right::kRun:
      return advice("run", ring == Ring::kStranger ? "--isolation microvm" : "--isolation fence");
    case Right::kHostFiles:
      return advice("see its own programs, so the job needs an environment (hearth run --env NAME)",
                    "--host-files yes");
    case Right::kGpu:
      return advice("use its GPUs", "--gpu yes");
    case Right::kListedHosts:
      return advice("reach the network", "--net listed");
    case Right::kFullNetwork:
      return advice("reach the Internet", "--net full");
    case Right::kGangNetwork:
      return advice("have a network of their own", "--gang-network yes");
  }
  return "";
}

}  // namespace

Rings::Rings() {
  of(Ring::kHome) = {.level = Level::kFence, .host_files = true, .gpu = true, .gang_network = true};
  of(Ring::kFriend) = {.level = Level::kFence};
  of(Ring::kMember) = {.level = Level::kFence};
  of(Ring::kStranger) = {.level = Level::kMicroVm};
}

Result<Rings> Rings::parse(std::string_view policy_json) {
  const Json policy = Json::parse(policy_json, nullptr, false);
  if (!policy.is_object()) return fail(Code::kInvalidArgument, "policy.json is no JSON object");
  Rings rings;
  if (const auto runtime = policy.find("oci_runtime"); runtime != policy.end() && !runtime->is_null()) {
    if (runtime->is_string()) rings.oci_runtime_ = runtime->get<std::string>();
    if (!runtime->is_string() || rings.oci_runtime_.size() > kMaxRuntimeBytes) {
      return fail(Code::kInvalidArgument,
                  "policy.json: \"oci_runtime\" must be a program and its arguments, at most 1024 bytes");
    }
  }
  const auto given = policy.find("rings");
  if (given == policy.end() || given->is_null()) return rings;
  if (!given->is_object()) return fail(Code::kInvalidArgument, "policy.json: \"rings\" must be an object");
  for (const Ring ring : kRings) {
    const auto found = given->find(name_of(ring));
    if (found == given->end() || found->is_null()) continue;
    if (Result<void> read = read_ring(*found, ring, rings.of(ring)); !read) return std::unexpected(read.error());
  }
  return rings;
}

std::set<Level> Rings::levels() const {
  std::set<Level> wanted;
  for (const RingTerms& terms : terms_) {
    if (terms.level) wanted.insert(*terms.level);
  }
  return wanted;
}

Admission Rings::admission(const std::set<Level>& had) const {
  Admission granted;
  for (const Ring ring : kRings) {
    const RingTerms& terms = of(ring);
    if (!terms.level || !had.contains(*terms.level)) continue;
    granted.add(ring, Right::kRun);
    if (terms.level == Level::kMicroVm) continue;
    if (terms.host_files) granted.add(ring, Right::kHostFiles);
    if (terms.gpu) granted.add(ring, Right::kGpu);
    if (terms.listed_hosts) granted.add(ring, Right::kListedHosts);
    if (terms.full_network) granted.add(ring, Right::kFullNetwork);
    if (terms.gang_network && terms.level == Level::kFence) granted.add(ring, Right::kGangNetwork);
  }
  return granted;
}

Result<void> check_admitted(const v1::JobSpec& spec, Ring ring, const Admission& granted) {
  const auto needs = [&](Right right) {
    switch (right) {
      case Right::kRun:
        return true;
      case Right::kHostFiles:
        return spec.environment().empty() || spec.environment() == "host";
      case Right::kGpu:
        return spec.resources().gpus() > 0;
      case Right::kListedHosts:
        return spec.net_hosts_size() > 0;
      case Right::kFullNetwork:
        return spec.net_full();
      case Right::kGangNetwork:
        return spec.net_gang();
    }
    return true;
  };
  if (spec.has_workspace() && ring != Ring::kHome) {
    return fail(Code::kPermissionDenied, "workspaces lie on the owner's disk and are for ring home alone");
  }
  for (const Right right : kRights) {
    if (needs(right) && !granted.holds(ring, right)) return fail(Code::kPermissionDenied, denial(ring, right));
  }
  return {};
}

}  // namespace hearth::node
