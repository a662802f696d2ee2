// What a task may do only on nodes whose owners admit it, by how far whoever it runs for is trusted. Unlike Resources
// it is not used up.
#pragma once

#include <algorithm>
#include <array>
#include <compare>
#include <cstdint>
#include <initializer_list>
#include <string_view>

#include "base/ids.h"
#include "core/resources.h"

namespace hearth {

// How far somebody is trusted. A pool's owners say it of each device, the owner of each node what it means there. As
// hearth.v1.Ring.
enum class Ring : std::uint8_t { kHome = 1, kFriend, kMember, kStranger };
inline constexpr std::array kRings = {Ring::kHome, Ring::kFriend, Ring::kMember, Ring::kStranger};

constexpr std::string_view name_of(Ring ring) {
  constexpr std::array<std::string_view, kRings.size()> kNames = {"home", "friend", "member", "stranger"};
  return kNames[static_cast<std::size_t>(ring) - 1];
}

enum class Right : std::uint8_t {
  kRun,          // to run there at all
  kHostFiles,    // to see the node's own /usr: its job names no environment
  kGpu,          // to use a GPU's driver
  kListedHosts,  // to reach the hosts that its job lists, through the node's proxy
  kFullNetwork,  // to reach the Internet
  kGangNetwork,  // to reach the other tasks of its gang, by a network of its own
};
inline constexpr std::array kRights = {Right::kRun,         Right::kHostFiles,   Right::kGpu,
                                       Right::kListedHosts, Right::kFullNetwork, Right::kGangNetwork};

// Rights by ring: those that a task needs, all of one ring, or those that a node grants. And workspaces, which lie on
// the owner's disk and are for home alone.
class Admission {
 public:
  std::uint64_t workspace_bytes = 0;  // of the job's workspace; of all workspaces that a node keeps. 0: none

  constexpr Admission() = default;
  constexpr Admission(Ring ring, std::initializer_list<Right> rights) {
    for (const Right right : rights) add(ring, right);
  }

  constexpr auto operator<=>(const Admission&) const = default;

  constexpr void add(Ring ring, Right right) { bits_ |= bit(ring, right); }
  constexpr bool holds(Ring ring, Right right) const { return (bits_ & bit(ring, right)) != 0; }
  constexpr bool is_granted_by(const Admission& offered) const {
    return (bits_ & ~offered.bits_) == 0 && workspace_bytes <= offered.workspace_bytes;
  }
  // What of this is not granted.
  constexpr Admission operator-(const Admission& granted) const {
    return {bits_ & ~granted.bits_, workspace_bytes > granted.workspace_bytes ? workspace_bytes : 0};
  }
  constexpr Admission operator|(const Admission& other) const {
    return {bits_ | other.bits_, std::max(workspace_bytes, other.workspace_bytes)};
  }
  constexpr Admission of(Ring ring) const {
    return {bits_ & (kRingBits << shift(ring)), ring == Ring::kHome ? workspace_bytes : 0};
  }
  constexpr Admission with_workspaces(std::uint64_t bytes) const { return {bits_, bytes}; }
  constexpr bool empty() const { return *this == Admission(); }

 private:
  constexpr Admission(std::uint32_t bits, std::uint64_t workspaces) : workspace_bytes(workspaces), bits_(bits) {}
  static constexpr unsigned shift(Ring ring) { return (static_cast<unsigned>(ring) - 1) * 8; }
  static constexpr std::uint32_t bit(Ring ring, Right right) {
    return 1U << (shift(ring) + static_cast<unsigned>(right));
  }
  static constexpr std::uint32_t kRingBits = 0xff;

  std::uint32_t bits_ = 0;
};

// Conditions that jobs ask of nodes, as bits: those that a task needs, or those that a node meets. Which bit stands for
// which condition is the pool's affair.
class Conditions {
 public:
  static constexpr std::size_t kMost = 256;

  constexpr auto operator<=>(const Conditions&) const = default;

  constexpr void set(std::size_t bit, bool value = true) {
    const std::uint64_t mask = std::uint64_t{1} << (bit % 64);
    words_[bit / 64] = value ? words_[bit / 64] | mask : words_[bit / 64] & ~mask;
  }
  constexpr bool are_met_by(const Conditions& met) const {
    for (std::size_t i = 0; i < words_.size(); ++i) {
      if ((words_[i] & ~met.words_[i]) != 0) return false;
    }
    return true;
  }

 private:
  std::array<std::uint64_t, kMost / 64> words_{};
};

// What a task needs, or what a node has to give.
struct Terms {
  Resources resources;
  Admission admission;
  NodeId node = {};                  // of a task whose workspace lies somewhere: that node alone will do
  std::uint64_t workspace_room = 0;  // by how much its workspace is to grow, or all of a new one's
  Conditions conditions = {};
  // Of a node: the account or firm that it is kept for, see pool/bookings.h. Of a task: its account, and that one's
  // firm, if nodes are kept for them.
  AccountId kept_for = {};
  AccountId kept_for_firm = {};

  constexpr bool operator==(const Terms&) const = default;

  // Whether a task may go where nodes are kept for this account.
  constexpr bool may_use(AccountId kept) const {
    return kept == AccountId{} || kept == kept_for || kept == kept_for_firm;
  }

  constexpr bool fits_in(const Terms& room) const {
    return resources.fits_in(room.resources) && admission.is_granted_by(room.admission) &&
           (node == NodeId{} || node == room.node) && workspace_room <= room.workspace_room &&
           conditions.are_met_by(room.conditions) && may_use(room.kept_for);
  }
};

}  // namespace hearth
