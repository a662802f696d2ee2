#include "core/pool/audiences.h"

#include <charconv>

#include "base/bytes.h"

namespace hearth::pool {
namespace {

bool is(const Beholder& who, AccountId person) {
  return person.value == who.device.value || (who.account != AccountId{} && person == who.account);
}

std::optional<std::uint64_t> counted(std::string_view text, std::uint64_t most) {
  std::uint64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  const bool is_plain = error == std::errc() && end == text.data() + text.size() && !text.starts_with('0');
  return is_plain && value <= most ? std::optional(value) : std::nullopt;
}

}  // namespace

std::string to_text(WatchLinkId id) { return std::to_string(id.job.value) + "-" + std::to_string(id.number); }

std::optional<WatchLinkId> parse_watch_link_id(std::string_view text) {
  const std::size_t dash = text.find('-');
  if (dash == std::string_view::npos) return std::nullopt;
  const auto job = counted(text.substr(0, dash), UINT64_MAX);
  const auto number = counted(text.substr(dash + 1), UINT32_MAX);
  if (!job || !number) return std::nullopt;
  return WatchLinkId{{*job}, static_cast<std::uint32_t>(*number)};
}

Result<void> Audience::let_in(AccountId person, Terms terms) {
  if (!people_.contains(person) && people_.size() >= kMost) {
    return fail(Code::kResourceExhausted,
                "an app is shared with " + std::to_string(kMost) + " people at most: first take it back from some");
  }
  people_[person] = terms;
  if (controller_ == person && !terms.may_control) controller_.reset();
  return {};
}

bool Audience::take_back(AccountId person) {
  if (controller_ == person) controller_.reset();
  return people_.erase(person) > 0;
}

Result<void> Audience::pass(AccountId person) {
  const auto found = people_.find(person);
  if (found == people_.end() || !found->second.may_control) {
    return fail(Code::kFailedPrecondition,
                "the controller goes to people alone with whom the app is shared to control");
  }
  controller_ = person;
  return {};
}

AppRight Audience::right_of(const Beholder& who) const {
  if (controller_ && is(who, *controller_)) return AppRight::kControl;
  if (who.is_its) return controller_ ? AppRight::kWatch : AppRight::kControl;
  const bool is_let_in =
      people_.contains({who.device.value}) || (who.account != AccountId{} && people_.contains(who.account));
  return is_let_in ? AppRight::kWatch : AppRight::kNone;
}

Result<std::uint32_t> Audience::add_link(WatchLink link) {
  if (link.label.size() > kMaxLabelBytes || !is_plain_utf8(link.label)) {
    return fail(Code::kInvalidArgument, "label: at most 100 bytes of text, without control characters");
  }
  if (link.most_players < 1 || link.most_players > kMostPlayers) {
    return fail(Code::kInvalidArgument, "max_players: 1 to 6 at the same time");
  }
  const Duration life = milliseconds(link.expires.unix_millis - link.made.unix_millis);
  if (life <= Duration{} || life > kMaxLife) {
    return fail(Code::kInvalidArgument, "seconds: until it runs out, at most 30 days");
  }
  if (links_.size() >= kMostLinks) {
    return fail(Code::kResourceExhausted, "an app has 8 watch links at most: first take one of them back");
  }
  link.number = links_.empty() ? 1 : links_.rbegin()->first + 1;
  const std::uint32_t number = link.number;
  links_.emplace(number, std::move(link));
  return number;
}

bool Audience::drop_run_out(WallTime now) {
  return std::erase_if(links_, [now](const auto& one) { return one.second.expires <= now; }) > 0;
}

bool Audience::drop_made_by(DeviceId maker) {
  return std::erase_if(links_, [maker](const auto& one) { return one.second.maker == maker; }) > 0;
}

Result<const WatchLink*> Audience::admit(std::uint32_t number, std::string_view secret_hash, WallTime now) const {
  const auto found = links_.find(number);
  const bool fits = found != links_.end() && found->second.expires > now &&
                    equal_constant_time(found->second.secret_hash, secret_hash);
  if (fits) return &found->second;
  return fail(Code::kUnauthenticated,
              "no watch link has this address and this token: it was taken back, has run out, or its app has ended, or "
              "the token is another link's");
}

}  // namespace hearth::pool
