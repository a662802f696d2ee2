#include "hub/why.h"

#include <array>
#include <ctime>

#include <fmt/format.h>

#include "base/bytes.h"

namespace hearth::hub {
namespace {

std::string plural(std::uint32_t count, std::string_view noun) {
  return fmt::format("{} {}{}", count, noun, count == 1 ? "" : "s");
}

std::string job_list(const std::vector<JobId>& jobs) {
  std::string text;
  for (const JobId job : jobs) text += fmt::format("{}{}", text.empty() ? "" : ", ", job.value);
  return text;
}

// "2026-11-27 15:00", by the hub's clock.
std::string calendar_text(WallTime at) {
  const std::time_t second = at.unix_millis / 1000;
  std::tm parts{};
  std::array<char, 32> text{};
  ::localtime_r(&second, &parts);
  return {text.data(), std::strftime(text.data(), text.size(), "%Y-%m-%d %H:%M", &parts)};
}

// What none of the nodes that are large enough admits, and what can be done.
std::string denial(const pool::Why& why, Ring ring, const v1::WorkspaceUse& workspace) {
  const std::string_view name = name_of(ring);
  const auto none = [&](std::string_view what, std::string_view advice) {
    return fmt::format("none of the {} large enough {} of ring {}{}", plural(why.nodes, "node"), what, name, advice);
  };
  const auto allow = [&](std::string_view option) {
    return fmt::format("; their owners may, on that PC: hearth limit --for {} {}", name, option);
  };
  if (why.lacking.holds(ring, Right::kRun)) {
    return none("takes tasks",
                allow(ring == Ring::kStranger ? "--isolation microvm (it needs KVM)" : "--isolation fence") +
                    "; where they do and it fails there, why is told by: hearth nodes");
  }
  if (why.lacking.holds(ring, Right::kHostFiles)) {
    return none("shows its own programs to tasks",
                ": name an environment (hearth run --env NAME, see hearth env list)" + allow("--host-files yes"));
  }
  if (why.lacking.holds(ring, Right::kGpu)) return none("lets its GPUs be used by tasks", allow("--gpu yes"));
  if (why.lacking.holds(ring, Right::kListedHosts)) return none("gives the network to tasks", allow("--net listed"));
  if (why.lacking.holds(ring, Right::kFullNetwork)) return none("gives the Internet to tasks", allow("--net full"));
  if (why.lacking.holds(ring, Right::kGangNetwork)) {
    return none("makes networks for gangs of tasks",
                ": it needs nebula and passt (apt install nebula passt; see hearth doctor) and tasks behind the fence" +
                    (ring == Ring::kHome ? std::string() : allow("--gang-network yes")));
  }
  if (workspace.bytes() > 0) {
    return fmt::format(
        "none of the {} large enough has {} left for its workspace {}: remove one (hearth workspace rm), ask for less "
        "(--workspace {}:SIZE), or on that PC: hearth limit --workspaces SIZE",
        plural(why.nodes, "node"), format_bytes(workspace.bytes()), workspace.name(), workspace.name());
  }
  return none("admits all that it asks for at once to tasks", "; see: hearth nodes --json");
}

std::string in_words(const Resources& resources) {
  std::string text = fmt::format("{}, {} of memory and {}", plural(resources.cores, "core"),
                                 format_bytes(resources.memory_bytes), plural(resources.gpus, "GPU"));
  if (resources.gpu_memory_bytes > 0) text += fmt::format(" of {}", format_bytes(resources.gpu_memory_bytes));
  if (resources.disk_bytes > 0) text += fmt::format(", with {} of disk", format_bytes(resources.disk_bytes));
  return text;
}

// What has a limit alone.
std::string quota_in_words(const Resources& most) {
  std::string text;
  const auto add = [&](const std::string& part) { text += (text.empty() ? "" : ", ") + part; };
  if (most.cores > 0) add(plural(most.cores, "core"));
  if (most.memory_bytes > 0) add(format_bytes(most.memory_bytes) + " of memory");
  if (most.gpus > 0) add(plural(most.gpus, "GPU"));
  return text;
}

std::string workspace_in_use(const Parts& parts, const pool::Why& why, const LiveJob& live) {
  const pool::JobRequest& request = live.row.request;
  const JobId ahead = why.jobs.front();
  if (ahead == request.id) return fmt::format("its tasks use its workspace {} one after the other", request.workspace);
  if (parts.engine.pool().user_of({request.owner, request.workspace}) == ahead) {
    return fmt::format("its workspace {} is in use by job {}", request.workspace, ahead.value);
  }
  return fmt::format("its workspace {} serves one task at a time, and job {} comes first", request.workspace,
                     ahead.value);
}

std::string full(const Parts& parts, const pool::Why& why, const LiveJob& live) {
  const store::AccountRow* row = parts.accounts.find(why.full);
  const std::string name = row != nullptr ? row->name : parts.devices.name(live.row.request.owner);
  const std::string_view what = row != nullptr && row->is_firm ? "the firm" : "account";
  const Resources& needs = live.row.request.per_task;
  const auto beyond = [](std::uint64_t asked, std::uint64_t most) { return most > 0 && asked > most; };
  if (row != nullptr && (beyond(needs.cores, row->most.cores) || beyond(needs.memory_bytes, row->most.memory_bytes) ||
                         beyond(needs.gpus, row->most.gpus))) {
    return fmt::format(
        "a task needs {}, and {} {} may use {} at once; ask for less, or an owner allows more: hearth account set {}",
        in_words(needs), what, name, quota_in_words(row->most), name);
  }
  return fmt::format("{} {} uses as much as it may: hearth account", what, name);
}

std::string booked(const Parts& parts, const pool::Why& why, const LiveJob& live) {
  const std::string nodes = plural(why.nodes, "node") + " could take it, but ";
  const auto booking = parts.engine.bookings().find(why.booking);
  if (booking == parts.engine.bookings().end()) return nodes + "all are booked";
  const store::BookingRow& row = booking->second;
  const bool is_known = parts.devices.visible_to(live.row.request.owner).is_whole();
  const std::string whom = is_known ? parts.accounts.name(row.account) : "others";
  const std::string until = calendar_text(row.until);
  if (row.from > wall_now()) {
    return fmt::format("{}{} kept for {} from {} until {}; what is known to end before, by its --time, may run there",
                       nodes, why.nodes == 1 ? "it is" : "all are", whom, calendar_text(row.from), until);
  }
  return fmt::format("{}{} kept for {} until {}{}", nodes, why.nodes == 1 ? "it is" : "all are", whom,
                     why.nodes == 1 ? "" : "the first one ends, at ", until);
}

std::string unmet_condition(const pool::Why& why) {
  std::string text = fmt::format("no node meets its condition, of {} large enough", plural(why.nodes, "node"));
  for (const auto& [part, nodes] : why.unmet) {
    if (nodes > 0) text += fmt::format("; {} on {}", part, nodes == why.nodes ? "none" : fmt::format("{} not", nodes));
  }
  return text + "; what nodes say of themselves: hearth nodes --attributes";
}

std::string all_closed(const pool::Why& why) {
  const std::string nodes = plural(why.nodes, "node") + " could take it, but ";
  const std::string_view they_are = why.nodes == 1 ? "it is" : "all are";
  constexpr std::string_view kUncordon = "cordoned or drained by the pool's owner (hearth node uncordon)";
  constexpr std::string_view kClosed = "closed to guests now, and why is told by: hearth nodes";
  if (why.cordoned == why.nodes) return fmt::format("{}{} {}", nodes, they_are, kUncordon);
  if (why.cordoned == 0) return fmt::format("{}{} {}", nodes, they_are, kClosed);
  return fmt::format("{}{} of them {} {}, and the others are {}", nodes, why.cordoned, why.cordoned == 1 ? "is" : "are",
                     kUncordon, kClosed);
}

}  // namespace

std::string sentence(const Parts& parts, const pool::Why& why, const LiveJob& live) {
  const Resources& needs = live.row.request.per_task;
  switch (why.cause) {
    case pool::Cause::kEnded:
      return "it has ended";
    case pool::Cause::kRunning:
      if (why.copies == 0) return "nothing waits: all its unfinished tasks are running";
      return fmt::format(
          "nothing waits: all its unfinished tasks are running; of {} that run for much longer than the others took a "
          "copy runs as well, and whichever succeeds first counts: hearth job {}",
          why.copies, live.row.request.id.value);
    case pool::Cause::kWaitsForJobs:
      if (why.jobs.empty()) return "it runs after jobs that have not ended yet";
      return fmt::format("it runs after {} {}, not yet ended", why.jobs.size() == 1 ? "job" : "jobs",
                         job_list(why.jobs));
    case pool::Cause::kNoNode:
      return "no node is connected; on the PC that should work for this pool: hearth up, or hearth join LINK";
    case pool::Cause::kTooLarge:
      return fmt::format("a task needs {}; the largest connected node{} offers {}{}", in_words(needs),
                         why.nodes > 0 ? " that meets its condition" : "", in_words(why.largest_offer),
                         needs.disk_bytes > why.largest_offer.disk_bytes
                             ? "; a PC lends half of what its owner allows of its disk: hearth limit --disk SIZE there"
                             : "");
    case pool::Cause::kNodesClosed:
      return all_closed(why);
    case pool::Cause::kBusy:
      return why.jobs.empty() ? fmt::format("{} could take it, all busy now", plural(why.nodes, "node"))
                              : fmt::format("{} could take it, all busy now with job {}", plural(why.nodes, "node"),
                                            job_list(why.jobs));
    case pool::Cause::kNotAdmitted:
      return denial(why, live.row.ring, live.spec.workspace());
    case pool::Cause::kWorkspaceAway:
      return fmt::format("its workspace {} is on {}, which is away", live.row.request.workspace,
                         parts.devices.name(why.node));
    case pool::Cause::kWorkspaceInUse:
      return workspace_in_use(parts, why, live);
    case pool::Cause::kNotMet:
      return unmet_condition(why);
    case pool::Cause::kQuota:
      return full(parts, why, live);
    case pool::Cause::kGang:
      return fmt::format("its {} tasks run all at once, and there is room for {} now{}", live.row.request.tasks,
                         why.room_for, why.jobs.empty() ? "" : ", beside job " + job_list(why.jobs));
    case pool::Cause::kBooked:
      return booked(parts, why, live);
    case pool::Cause::kBackoff:
      return fmt::format("its last attempt failed; the next starts in {:.0f} s", why.wait.seconds());
  }
  return "";
}

}  // namespace hearth::hub
