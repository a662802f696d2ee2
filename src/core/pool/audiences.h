// Whom an app is shared with besides those whose it is, and which of all of them has its controller: one side at a time
// uses an app, the others watch. Watch links let other programs than Hearth's page watch it, whoever runs them. Pure.
//
//   Audience audience;                                      // those whose app it is have the controller
//   audience.let_in(mia, {.may_control = true});
//   audience.pass(mia);
//   audience.right_of({.device = phone, .account = mia})    // kControl
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>

#include "base/ids.h"
#include "base/result.h"
#include "base/time.h"

namespace hearth::pool {

enum class AppRight : std::uint8_t { kNone, kWatch, kControl };

// A device that wants to see or use an app.
struct Beholder {
  DeviceId device;
  AccountId account = {};  // that it is in; 0: none
  bool is_its = false;     // the app is this device's, or the device runs the pool
};

// One of an app's watch links; no secret. Spelt "JOB-NUMBER".
struct WatchLinkId {
  JobId job;
  std::uint32_t number = 0;
  auto operator<=>(const WatchLinkId&) const = default;
};
std::string to_text(WatchLinkId id);
std::optional<WatchLinkId> parse_watch_link_id(std::string_view text);

// By which players watch an app, and never more than that.
struct WatchLink {
  std::uint32_t number = 0;  // of the app's links
  std::string secret_hash;   // SHA-256 of its secret, which is kept nowhere
  std::string label;         // for people; may be empty
  DeviceId maker;
  WallTime made;
  WallTime expires;
  std::uint32_t most_players = 1;  // at the same time

  bool operator==(const WatchLink&) const = default;
};

class Audience {
 public:
  static constexpr std::size_t kMost = 32;
  static constexpr std::size_t kMostLinks = 8;
  static constexpr std::size_t kMaxLabelBytes = 100;
  static constexpr std::uint32_t kMostPlayers = 6;  // of a link
  static constexpr Duration kMaxLife = minutes(30LL * 24 * 60);

  struct Terms {
    bool may_control = false;  // the controller may be passed to this person
    bool operator==(const Terms&) const = default;
  };

  // A person is an account, or a device by its number. Whoever may only watch from now on loses the controller. Errors:
  // kResourceExhausted.
  Result<void> let_in(AccountId person, Terms terms);
  // And the controller, if this person has it. False: it was not shared with them.
  bool take_back(AccountId person);
  // Errors: kFailedPrecondition (the person may not control it).
  Result<void> pass(AccountId person);
  // Back to those whose app it is.
  void return_controller() { controller_.reset(); }

  AppRight right_of(const Beholder& who) const;
  // Whether the controller may be passed on by this device.
  bool may_pass(const Beholder& who) const { return who.is_its || right_of(who) == AppRight::kControl; }

  // A new one, whose number this gives. Errors: kInvalidArgument (label, players, time), kResourceExhausted.
  Result<std::uint32_t> add_link(WatchLink link);
  void restore_link(const WatchLink& link) { links_[link.number] = link; }
  // False: there was none.
  bool revoke_link(std::uint32_t number) { return links_.erase(number) > 0; }
  // Those that have run out, or that this device made. False: there are none.
  bool drop_run_out(WallTime now);
  bool drop_made_by(DeviceId maker);
  // For whoever has the secret of that hash. Errors: kUnauthenticated, whatever is wrong: who has no secret is not told
  // which apps there are.
  Result<const WatchLink*> admit(std::uint32_t number, std::string_view secret_hash, WallTime now) const;

  const std::map<std::uint32_t, WatchLink>& links() const { return links_; }
  bool is_empty() const { return people_.empty() && links_.empty(); }

  const std::map<AccountId, Terms>& people() const { return people_; }
  std::optional<AccountId> controller() const { return controller_; }  // none: those whose app it is

  bool operator==(const Audience&) const = default;

 private:
  std::map<AccountId, Terms> people_;
  std::optional<AccountId> controller_;  // one of them who may control it
  std::map<std::uint32_t, WatchLink> links_;
};

}  // namespace hearth::pool
