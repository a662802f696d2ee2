// Whom an app is shared with besides those whose it is, and which of all of them has its controller: one side at a time
// uses an app, the others watch. Pure.
//
//   Audience audience;                                      // those whose app it is have the controller
//   audience.let_in(mia, {.may_control = true});
//   audience.pass(mia);
//   audience.right_of({.device = phone, .account = mia})    // kControl
#pragma once

#include <cstdint>
#include <map>
#include <optional>

#include "base/ids.h"
#include "base/result.h"

namespace hearth::pool {

enum class AppRight : std::uint8_t { kNone, kWatch, kControl };

// A device that wants to see or use an app.
struct Beholder {
  DeviceId device;
  AccountId account = {};  // that it is in; 0: none
  bool is_its = false;     // the app is this device's, or the device runs the pool
};

class Audience {
 public:
  static constexpr std::size_t kMost = 32;

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

  const std::map<AccountId, Terms>& people() const { return people_; }
  std::optional<AccountId> controller() const { return controller_; }  // none: those whose app it is

  bool operator==(const Audience&) const = default;

 private:
  std::map<AccountId, Terms> people_;
  std::optional<AccountId> controller_;  // one of them who may control it
};

}  // namespace hearth::pool
