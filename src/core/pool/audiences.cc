#include "core/pool/audiences.h"

#include <string>

namespace hearth::pool {
namespace {

bool is(const Beholder& who, AccountId person) {
  return person.value == who.device.value || (who.account != AccountId{} && person == who.account);
}

}  // namespace

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

}  // namespace hearth::pool
