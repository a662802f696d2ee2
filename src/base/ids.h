// Names of things, each a type of its own, so that one cannot be taken for another.
#pragma once

#include <compare>
#include <cstdint>
#include <string>

namespace hearth {

// A device of the pool: a number that the hub gives at pairing and never gives again. 0: none.
struct DeviceId {
  std::uint64_t value = 0;
  constexpr auto operator<=>(const DeviceId&) const = default;
};

// A node is a device that offers resources.
using NodeId = DeviceId;

// Whose use counts together in the fair share: people's, a firm's. One that was made for a single device has its
// number.
struct AccountId {
  std::uint64_t value = 0;
  constexpr auto operator<=>(const AccountId&) const = default;
};

// Nodes that are kept for an account for a while: counts up from 1. 0: none.
struct BookingId {
  std::uint64_t value = 0;
  constexpr auto operator<=>(const BookingId&) const = default;
};

// A job of the pool: counts up from 1. 0: none.
struct JobId {
  std::uint64_t value = 0;
  constexpr auto operator<=>(const JobId&) const = default;
};

// One task of a job: index 0 to tasks - 1.
struct TaskId {
  JobId job;
  std::uint32_t index = 0;
  constexpr auto operator<=>(const TaskId&) const = default;
};

// A workspace: the name is its device's own, so that two devices' workspaces of one name are two.
struct WorkspaceId {
  DeviceId owner;
  std::string name;
  auto operator<=>(const WorkspaceId&) const = default;
};

// One placement of a task. Epochs of a task count up from 1; only the newest one counts.
struct AttemptId {
  TaskId task;
  std::uint32_t epoch = 0;
  constexpr auto operator<=>(const AttemptId&) const = default;
};

}  // namespace hearth
