#include "core/node/presence.h"

#include <algorithm>

namespace hearth::node {
namespace {

constexpr Duration kStale = seconds(10);          // looks come several times a second
constexpr double kMuchPressure = 0.3;             // of the time; an idle desktop has about 0.01
constexpr Duration kPressureSpell = seconds(30);  // without it, before guests go on
constexpr std::uint32_t kCoolerBy = 10;           // before guests go on, so that they do not go on and off

std::string thousandths_text(std::uint64_t amount) {
  std::string text = std::to_string(amount / 1000);
  std::string rest = std::to_string(1000 + amount % 1000).substr(1);
  rest.erase(rest.find_last_not_of('0') + 1);
  return rest.empty() ? text : text + "." + rest;
}

}  // namespace

bool Presence::heeds_owner() const {
  if (policy_.mode != OwnerFirstMode::kAuto) return policy_.mode == OwnerFirstMode::kOn;
  return seen_ && seen_->has_seat;
}

// Who looks may be stuck in the very program that would tell.
bool Presence::is_stale(Time now) const { return !seen_ || seen_at_ + kStale <= now; }

void Presence::on_policy(const OwnerFirst& policy, Time now) {
  policy_ = policy;
  if (verdict_ != Verdict::kFrozen) last_open_look_ = now;
  judge(now);
}

void Presence::on_surroundings(const Surroundings& seen, Time now) {
  seen_ = seen;
  seen_at_ = now;
  note_signs(now);
  judge(now);
  if (verdict_ != Verdict::kFrozen) last_open_look_ = now;
}

void Presence::tick(Time now) { judge(now); }

void Presence::note_signs(Time now) {
  const Time sign = seen_->idle && !seen_->inhibited ? now - *seen_->idle : now;
  last_sign_ = last_sign_ ? std::max(*last_sign_, sign) : sign;
  if (seen_->pressure && *seen_->pressure >= kMuchPressure) last_pressure_ = now;
}

std::string Presence::owner_reason(Time now) const {
  if (!heeds_owner()) return "";
  if (is_stale(now)) return "whether its owner is at the PC cannot be told";
  if (seen_->inhibited) return "its owner watches or presents something";
  if (last_sign_ && *last_sign_ + policy_.quiet > now) {
    return seen_->idle ? "its owner is at the PC" : "whether its owner is at the PC cannot be told";
  }
  if (!policy_.on_busy && last_pressure_ && *last_pressure_ + kPressureSpell > now)
    return "its owner's programs need the processor";
  return "";
}

std::string Presence::heat_reason() {
  if (policy_.max_celsius == 0 || !seen_->celsius) {
    hot_ = false;
    return "";
  }
  const auto limit = static_cast<std::int32_t>(policy_.max_celsius);
  const auto cool = limit - static_cast<std::int32_t>(std::min(kCoolerBy, policy_.max_celsius));
  if (*seen_->celsius >= limit) hot_ = true;
  if (*seen_->celsius <= cool) hot_ = false;
  return hot_ ? "too hot (" + std::to_string(*seen_->celsius) + " °C)" : "";
}

std::string Presence::reason_to_freeze(Time now) {
  if (std::string reason = owner_reason(now); !reason.empty()) return reason;
  if (!seen_) return "";
  if (!policy_.on_battery && seen_->on_battery.value_or(false)) return "on battery";
  if (std::string reason = heat_reason(); !reason.empty()) return reason;
  if (policy_.max_price && seen_->price && *seen_->price > *policy_.max_price) {
    return "electricity costs " + thousandths_text(*seen_->price) + ", more than " +
           thousandths_text(*policy_.max_price);
  }
  return "";
}

void Presence::judge(Time now) {
  judged_at_ = now;
  const Verdict before = verdict_;
  reason_ = reason_to_freeze(now);
  verdict_ = reason_.empty() ? Verdict::kOpen : Verdict::kFrozen;
  if (verdict_ == Verdict::kOpen && !policy_.on_metered && seen_ && seen_->metered.value_or(false)) {
    verdict_ = Verdict::kNothingNew;
    reason_ = "on a metered link";
  }
  if (verdict_ == Verdict::kFrozen && before != Verdict::kFrozen) frozen_since_ = last_open_look_.value_or(now);
}

std::optional<Time> Presence::next_deadline() const {
  if (!heeds_owner()) return std::nullopt;
  std::optional<Time> next;
  const auto consider = [&](Time at) {
    if (at > judged_at_) next = next ? std::min(*next, at) : at;
  };
  if (verdict_ == Verdict::kFrozen) {
    if (last_sign_) consider(*last_sign_ + policy_.quiet);
    if (last_pressure_) consider(*last_pressure_ + kPressureSpell);
  } else if (seen_) {
    consider(seen_at_ + kStale);
  }
  return next;
}

}  // namespace hearth::node
