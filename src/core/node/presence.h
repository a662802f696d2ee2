// Whether guests may use this PC now, or its owner needs it. Pure: what was seen around the PC and the time in, a
// verdict out.
//
// The owner is at the PC from the first sign of them until a quiet spell has passed without any; what cannot be told
// counts as a sign. On a PC without a seat (no screen and keyboard anybody sits at) nobody is disturbed, so that rule
// does not apply there unless its owner says so. Battery, heat, price and metered links are rules of their own.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "base/time.h"

namespace hearth::node {

enum class OwnerFirstMode : std::uint8_t { kAuto, kOn, kOff };

// What the owner asked for; `hearth limit` writes it.
struct OwnerFirst {
  OwnerFirstMode mode = OwnerFirstMode::kAuto;  // whether the owner's presence counts; auto: on a PC with a seat
  Duration quiet = minutes(5);                  // without a sign of the owner, before guests go on
  Duration patience = minutes(30);              // of a frozen task, before it goes back to the queue
  Duration grace = seconds(30);                 // of a frozen task that holds a GPU, before it is stopped
  bool on_battery = false;                      // guests may run on battery
  bool on_metered = false;                      // something new may start on a metered link
  bool on_busy = false;                         // guests may run while other programs want for the processor
  std::uint32_t max_celsius = 85;               // 0: heat is not looked at
  std::optional<std::uint64_t> max_price;       // in thousandths of the tariff's unit; dearer electricity stops guests
  bool operator==(const OwnerFirst&) const = default;
};

// What was seen at one look around. An empty optional: nothing here can tell.
struct Surroundings {
  bool has_seat = false;         // somebody may sit at this PC
  std::optional<Duration> idle;  // since the last input of anybody at a seat
  bool inhibited = false;        // somebody watches or presents something: the screen is kept awake
  std::optional<double>
      pressure;  // 0 to 1: part of the last seconds in which programs other than guests wanted for CPU
  std::optional<bool> on_battery;
  std::optional<bool> metered;
  std::optional<std::int32_t> celsius;  // of the hottest zone
  std::optional<std::uint64_t> price;   // now, in thousandths of the tariff's unit
};

enum class Verdict : std::uint8_t { kOpen, kNothingNew, kFrozen };

class Presence {
 public:
  void on_policy(const OwnerFirst& policy, Time now);
  void on_surroundings(const Surroundings& seen, Time now);
  void tick(Time now);
  std::optional<Time> next_deadline() const;

  Verdict verdict() const { return verdict_; }
  // "its owner is at the PC", "on battery"; empty if open.
  const std::string& reason() const { return reason_; }
  // When what froze the guests can have begun at the earliest: the last look that did not show it.
  Time frozen_since() const { return frozen_since_; }
  // Whether the owner's presence counts here: by policy, and by whether there is a seat.
  bool heeds_owner() const;

 private:
  void note_signs(Time now);
  void judge(Time now);
  std::string reason_to_freeze(Time now);
  std::string owner_reason(Time now) const;
  std::string heat_reason();
  bool is_stale(Time now) const;

  OwnerFirst policy_;
  std::optional<Surroundings> seen_;
  Time seen_at_;
  Time judged_at_;
  std::optional<Time> last_open_look_;
  std::optional<Time> last_sign_;      // of the owner
  std::optional<Time> last_pressure_;  // by other programs
  bool hot_ = false;
  Verdict verdict_ = Verdict::kOpen;
  std::string reason_;
  Time frozen_since_;
};

}  // namespace hearth::node
