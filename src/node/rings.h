// What this PC's owner admits the tasks of each ring to, and at which level of isolation they run. A guest has no say
// in it, and neither has the hub.
//
// The "rings" of policy.json:
//
//   {"rings": {"friend": {"isolation": "fence", "host_files": false, "gpu": true, "net": "listed"},
//              "stranger": {"isolation": "none"}}}
//
// "isolation": "fence", "oci" or "microvm"; "none": its tasks do not run here. "host_files": they see this PC's own
// /usr where their job names no environment. "net": "none"; "listed": the hosts that their job lists; "full": the
// Internet too. "gang_network": tasks that run at once reach each other, by a network of their own. What is absent or
// null: home has the fence, the host's files, the GPUs and networks for gangs; friend and member have the fence;
// strangers have microVMs. Strangers have less than that only with "may_share_my_kernel": true. Beside "rings", the
// runtime of the level "oci", at most 1024 bytes: "oci_runtime": "runsc --network=none".
#pragma once

#include <array>
#include <optional>
#include <set>
#include <string>
#include <string_view>

#include "base/result.h"
#include "core/admission.h"
#include "hearth/v1/jobs.pb.h"
#include "sandbox/sandbox.h"

namespace hearth::node {

struct RingTerms {
  std::optional<sandbox::Level> level;  // none: its tasks do not run here
  bool host_files = false;
  bool gpu = false;
  bool listed_hosts = false;
  bool full_network = false;
  bool gang_network = false;
  bool operator==(const RingTerms&) const = default;
};

class Rings {
 public:
  Rings();  // as an owner has it who said nothing

  // Errors: kInvalidArgument (which field, what is allowed).
  static Result<Rings> parse(std::string_view policy_json);

  const RingTerms& of(Ring ring) const { return terms_[static_cast<std::size_t>(ring) - 1]; }
  RingTerms& of(Ring ring) { return terms_[static_cast<std::size_t>(ring) - 1]; }
  std::set<sandbox::Level> levels() const;                         // those that are wanted
  const std::string& oci_runtime() const { return oci_runtime_; }  // see sandbox::Host::use_oci_runtime()

  // What is granted where only the levels in `had` are to be had. A microVM has neither network nor GPU, and nothing of
  // the host's files.
  Admission admission(const std::set<sandbox::Level>& had) const;

 private:
  std::array<RingTerms, kRings.size()> terms_;
  std::string oci_runtime_;
};

// The hub places tasks by what the node grants, but the node does not rely on that. Errors: kPermissionDenied, with
// what the owner may do.
Result<void> check_admitted(const v1::JobSpec& spec, Ring ring, const Admission& granted);

}  // namespace hearth::node
