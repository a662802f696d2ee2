// Who has had how much: what orders accounts of one class, and what they may have at most.
//
// An account's share is the largest of its parts of the pool's cores, memory and GPUs that it has leased now (dominant
// resource fairness: Ghodsi et al., NSDI 2011). Its score is that share and the mean of it over the recent past, which
// fades with a half-life, divided by its weight. The smallest score goes first.
#pragma once

#include <cstdint>
#include <map>
#include <optional>

#include "base/ids.h"
#include "base/time.h"
#include "core/pool/pool.h"

namespace hearth::pool {

struct Account {
  AccountTerms terms;
  Resources used;            // leased
  std::uint64_t share = 0;   // of the pool, in billionths
  std::uint64_t recent = 0;  // its fading mean
  std::uint64_t score = 0;
  std::uint32_t queues = 0;  // that point here

  // Whether it may have so much more. A limit of zero is none.
  bool may_have(const Resources& more) const;
  // Whether the smallest task is too much.
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
  // Forgets one that uses nothing, has used nothing lately, and of which nothing is said.
  void drop_if_idle(const Account& account);

  // What the connected nodes offer. True: so much has changed that every score is another.
  bool set_capacity(const Resources& capacity);
  // Lets the past fade. True: scores are others.
  bool age(Time now);
  std::optional<Time> next_aging() const;

 private:
  void rescore(Account& account) const;

  Duration half_life_;
  std::map<AccountId, Account> accounts_;
  Resources capacity_;
  std::optional<Time> next_aging_;
};

}  // namespace hearth::pool
