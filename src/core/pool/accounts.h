// Who has had how much: what orders accounts of one class, and what they may have at most.
//
// An account's share is the largest of its parts of the pool's cores, memory and GPUs that it has leased now (dominant
// resource fairness: Ghodsi et al., NSDI 2011); but not what is frozen on PCs that their owners need, since it gets
// nothing from that. Its limits count that, too: it may go on any time. Its score is that share and the mean of it over
// the recent past, which fades with a half-life, divided by its weight. The smallest score goes first.
//
// A firm is an account too: what its accounts have leased, it has. Firms, and accounts that are of none, are ordered
// among each other; within a firm its accounts are.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>

#include "base/ids.h"
#include "base/time.h"
#include "core/pool/pool.h"

namespace hearth::pool {

struct House;

inline constexpr std::size_t kClassCount = 4;

struct Account {
  AccountTerms terms;
  Resources used;            // leased
  Resources frozen;          // of that, on PCs that their owners need now
  Resources promised;        // for which nodes drain
  std::uint64_t share = 0;   // of the pool, in billionths
  std::uint64_t recent = 0;  // its fading mean
  std::uint64_t score = 0;
  std::uint32_t queues = 0;                     // that point here
  Account* firm = nullptr;                      // null: it is of none
  std::uint32_t members = 0;                    // accounts that are of it
  std::array<House*, kClassCount> houses = {};  // of the fair queue, by rank: only where top() is this one

  Account& top() { return firm != nullptr ? *firm : *this; }
  const Account& top() const { return firm != nullptr ? *firm : *this; }

  // Whether it, and its firm, may have so much more. A limit of zero is none.
  bool may_have(const Resources& more) const;
  // The same of itself alone.
  bool is_within_limits(const Resources& more) const;
  // Whether the smallest task is too much by its own limit.
  bool is_full() const;
};

// The order of scores changes only where these say so.
class Accounts {
 public:
  explicit Accounts(Duration half_life) : half_life_(half_life) {}

  Account& get(AccountId id);
  const Account* find(AccountId id) const;
  std::map<AccountId, Account>& all() { return accounts_; }
  const std::map<AccountId, Account>& all() const { return accounts_; }

  void set_terms(const AccountTerms& terms);
  void forget_terms(AccountId id);  // it is as any other from now on

  void charge(Account& account, const Resources& needs);
  void refund(Account& account, const Resources& needs);
  void freeze(Account& account, const Resources& needs);
  void thaw(Account& account, const Resources& needs);
  void promise(Account& account, const Resources& needs);
  void take_back_promise(Account& account, const Resources& needs);
  // Its score, were all that it was promised, and this, leased to it.
  std::uint64_t score_with(const Account& account, const Resources& more) const;
  // Forgets one that uses nothing, has used nothing lately, and of which nothing is said.
  void drop_if_idle(const Account& account);

  // What the connected nodes offer. True: so much has changed that every score is another.
  bool set_capacity(const Resources& capacity);
  // Lets the past fade. True: scores are others.
  bool age(Time now);
  std::optional<Time> next_aging() const;

 private:
  std::uint64_t share_of(const Resources& used) const;
  void rescore(Account& account) const;
  template <class Change>
  void count(Account& account, Change change);
  void join(Account& account, Account* firm);  // null: none

  Duration half_life_;
  std::map<AccountId, Account> accounts_;
  Resources capacity_;
  std::optional<Time> next_aging_;
};

}  // namespace hearth::pool
