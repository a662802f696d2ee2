#include "core/succession/succession.h"

#include <algorithm>

namespace hearth::succession {

bool Witness::on_claim(const Claim& claim, Time now) {
  const bool is_holder = claim.epoch == register_.epoch && claim.holder == register_.holder;
  if (!is_holder && claim.epoch <= register_.epoch) return false;
  heard_ = now;
  const bool counts = !claim.alone || register_.version > claim.revoked;
  if (is_holder && claim.alone == register_.alone && counts) return false;
  register_ = {register_.version + 1, claim.epoch, claim.holder, claim.alone};
  return true;
}

bool Witness::on_bid(const std::string& hub, std::uint64_t epoch, Time now) {
  if (epoch != register_.epoch || epoch == 0 || hub == register_.holder) return false;
  if (register_.alone || now - heard_ < kSilence) return false;
  register_ = {register_.version + 1, epoch + 1, hub, true};
  heard_ = now;
  return true;
}

void Hearing::hear(const Register& word) {
  if (!word_ || word.version > word_->version) word_ = word;
}

bool Hearing::says_alone(std::uint64_t epoch, const std::string& holder) const {
  return word_ && word_->version > revoked_ && word_->epoch == epoch && word_->holder == holder && word_->alone;
}

namespace {

// Somebody knows of a newer holder than this hub's own file.
bool is_outdated(const View& view) {
  const Standing& own = view.own;
  if (view.has_partner && view.partner) {
    if (view.partner->epoch > own.epoch) return true;
    if (view.partner->epoch == own.epoch && view.partner->holder != own.holder) return true;
  }
  return view.has_witness && view.witness.word() && view.witness.word()->epoch > own.epoch;
}

bool has_witness_word(const View& view) {
  const std::optional<Register>& word = view.witness.word();
  return view.has_witness && word && word->epoch == view.own.epoch + 1 && word->holder == view.self;
}

Step step_of_partner(const View& view) {
  if (view.own.released || has_witness_word(view)) return Step::kTakeOver;
  return view.has_witness && !view.partner ? Step::kBid : Step::kStandBy;
}

}  // namespace

Step next_step(const View& view) {
  if (view.own.epoch == 0) return Step::kStandBy;
  const bool was_holder = view.own.holder == view.self;
  if (!view.has_partner) return was_holder ? Step::kHold : Step::kStandBy;
  if (view.ordered) return Step::kTakeOver;
  if (!was_holder) return step_of_partner(view);
  if (is_outdated(view) || view.own.released) return Step::kStandBy;
  if (view.partner || !view.has_witness) return Step::kHold;
  return view.witness.says_alone(view.own.epoch, view.self) ? Step::kHold : Step::kClaim;
}

std::uint64_t next_epoch(const View& view) {
  std::uint64_t newest = view.own.epoch;
  if (view.has_partner && view.partner) newest = std::max(newest, view.partner->epoch);
  if (has_witness_word(view) && newest < view.witness.word()->epoch) return view.witness.word()->epoch;
  if (view.has_witness && view.witness.word()) newest = std::max(newest, view.witness.word()->epoch);
  return newest + 1;
}

Speech may_speak(const View& view, bool confirmed) {
  if (is_outdated(view)) return Speech::kEnd;
  if (confirmed || !view.has_partner || !view.has_witness) return Speech::kSpeak;
  return view.witness.says_alone(view.own.epoch, view.self) ? Speech::kSpeak : Speech::kClaim;
}

}  // namespace hearth::succession
