// Two hubs that keep one pool's records, each in a file of its own, and a third PC that bears witness: which of the two
// may hold the pool, and when the one that holds it may tell anybody what it has written.
//
// The holder writes, and its partner has each commit before anybody hears of it. If the partner does not confirm one,
// the holder goes on only once the witness has noted that it is *alone*; while that is noted the partner may not take
// over, since it lacks what was said meanwhile. The partner takes over with the witness's word alone, which begins a
// new epoch; from then on neither of them confirms anything of the old one.
//
// No clock decides what is safe; time only says when it is worth asking. Without a witness the holder goes on at once,
// and only a person lets the partner take over.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "base/time.h"

namespace hearth::succession {

// Hubs are named by their public keys.
inline constexpr Duration kSilence = seconds(5);  // of the holder, before its partner may take over

// What the witness keeps. It is on its disk before it is told to anybody.
struct Register {
  std::uint64_t version = 0;  // counts changes
  std::uint64_t epoch = 0;    // 0: nothing was noted yet
  std::string holder;
  bool alone = true;  // the partner lacks something that was said
  bool operator==(const Register&) const = default;
};

// A hub's word that it holds the pool.
struct Claim {
  std::uint64_t epoch = 0;
  std::string holder;
  bool alone = true;
  std::uint64_t revoked = 0;  // words up to this version do not count for it any more
};

class Witness {
 public:
  Witness(Register kept, Time now) : register_(std::move(kept)), heard_(now) {}

  // Both: true if the register has changed.
  bool on_claim(const Claim& claim, Time now);
  // A partner asks to take over from whoever holds `epoch`; it may if the register says so then.
  bool on_bid(const std::string& hub, std::uint64_t epoch, Time now);

  const Register& standing() const { return register_; }

 private:
  Register register_;
  Time heard_;  // the holder; after a start: as if it had just spoken
};

// What a hub has heard of the witness. Words may arrive late.
class Hearing {
 public:
  void hear(const Register& word);
  // We are about to say that we are not alone any more: what was said of that before counts no more.
  void revoke() { revoked_ = word_ ? word_->version : 0; }

  const std::optional<Register>& word() const { return word_; }
  std::uint64_t revoked() const { return revoked_; }
  bool says_alone(std::uint64_t epoch, const std::string& holder) const;

 private:
  std::optional<Register> word_;
  std::uint64_t revoked_ = 0;
};

// What a hub knows of its own standing, from its file.
struct Standing {
  std::uint64_t epoch = 0;  // 0: it has no pool yet
  std::string holder;
  bool released = false;  // the holder has handed the pool over: it speaks no more under this epoch
};

// What a hub knows besides, when it asks itself what to do.
struct View {
  std::string self;
  Standing own;
  bool has_partner = false;
  std::optional<Standing> partner;  // what it said last; none: it does not answer
  bool has_witness = false;
  Hearing witness;
  bool ordered = false;  // a person says: take over
};

enum class Step : std::uint8_t {
  kStandBy,
  kHold,      // under the epoch that it has
  kTakeOver,  // under next_epoch()
  kBid,       // stand by, and ask the witness
  kClaim,     // stand by until the witness has noted that we are alone
};

// For a hub that does not hold the pool: when it starts, and as long as it stands by.
Step next_step(const View& view);
std::uint64_t next_epoch(const View& view);

enum class Speech : std::uint8_t {
  kSpeak,
  kClaim,  // once the witness has noted that we are alone
  kEnd,    // another hub holds the pool
};

// For the holder: whether what it has just written may be told. `confirmed`: the partner has it.
Speech may_speak(const View& view, bool confirmed);

}  // namespace hearth::succession
