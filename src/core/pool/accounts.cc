#include "core/pool/accounts.h"

#include <algorithm>
#include <utility>

#include "base/check.h"

namespace hearth::pool {
namespace {

constexpr std::uint64_t kWhole = 1'000'000'000;
constexpr std::uint64_t kUsualWeight = 100;

// The past fades in steps, 64 of which halve it: 2^(-1/64).
constexpr std::int64_t kStepsPerHalfLife = 64;
constexpr std::uint64_t kKeptPerStep = 989'228'013;
constexpr std::uint64_t kForgotten = 1'000;  // a millionth of the pool
constexpr int kMostSteps = 64 * 32;          // after which nothing is left

std::uint64_t part_of(std::uint64_t used, std::uint64_t total) {
  if (used == 0) return 0;
  if (used >= total) return kWhole;
  return static_cast<std::uint64_t>(static_cast<unsigned __int128>(used) * kWhole / total);
}

bool differ_much(std::uint64_t a, std::uint64_t b) { return (a > b ? a - b : b - a) > std::max(a, b) / 16; }

bool is_within(std::uint64_t sum, std::uint64_t most) { return most == 0 || sum <= most; }

}  // namespace

bool Account::may_have(const Resources& more) const {
  return is_within_limits(more) && (firm == nullptr || firm->is_within_limits(more));
}

bool Account::is_within_limits(const Resources& more) const {
  const Resources& most = terms.most;
  return is_within(std::uint64_t{used.cores} + more.cores, most.cores) &&
         is_within(used.memory_bytes + more.memory_bytes, most.memory_bytes) &&
         is_within(std::uint64_t{used.gpus} + more.gpus, most.gpus);
}

bool Account::is_full() const { return !is_within_limits({.cores = 1}); }

Account& Accounts::get(AccountId id) {
  const auto [entry, is_new] = accounts_.try_emplace(id);
  if (is_new) entry->second.terms.id = id;
  return entry->second;
}

const Account* Accounts::find(AccountId id) const {
  const auto entry = accounts_.find(id);
  return entry == accounts_.end() ? nullptr : &entry->second;
}

void Accounts::set_terms(const AccountTerms& terms) {
  Account& account = get(terms.id);
  account.terms = terms;
  account.terms.is_set = true;
  rescore(account);
  join(account, terms.firm == AccountId{} ? nullptr : &get(terms.firm));
}

// What it holds goes along; what it held lately stays with the firm.
void Accounts::join(Account& account, Account* firm) {
  if (firm == &account) firm = nullptr;
  Account* before = std::exchange(account.firm, firm);
  if (before == firm) return;
  if (before != nullptr) {
    before->used = before->used - account.used;
    before->frozen = before->frozen - account.frozen;
    before->promised = before->promised - account.promised;
    --before->members;
    rescore(*before);
  }
  if (firm == nullptr) return;
  firm->used = firm->used + account.used;
  firm->frozen = firm->frozen + account.frozen;
  firm->promised = firm->promised + account.promised;
  ++firm->members;
  rescore(*firm);
}

void Accounts::forget_terms(AccountId id) {
  const auto entry = accounts_.find(id);
  if (entry == accounts_.end()) return;
  join(entry->second, nullptr);
  entry->second.terms = {.id = id};
  rescore(entry->second);
  drop_if_idle(entry->second);
}

std::uint64_t Accounts::share_of(const Resources& used) const {
  return std::max({part_of(used.cores, capacity_.cores), part_of(used.memory_bytes, capacity_.memory_bytes),
                   part_of(used.gpus, capacity_.gpus)});
}

void Accounts::rescore(Account& account) const {
  account.share = share_of(account.used - account.frozen);
  account.score = (account.share + account.recent) * kUsualWeight / account.terms.weight;
}

std::uint64_t Accounts::score_with(const Account& account, const Resources& more) const {
  const std::uint64_t share = share_of(account.used - account.frozen + account.promised + more);
  return (share + account.recent) * kUsualWeight / account.terms.weight;
}

void Accounts::promise(Account& account, const Resources& needs) {
  account.promised = account.promised + needs;
  if (account.firm != nullptr) account.firm->promised = account.firm->promised + needs;
}

void Accounts::take_back_promise(Account& account, const Resources& needs) {
  account.promised = account.promised - needs;
  if (account.firm != nullptr) account.firm->promised = account.firm->promised - needs;
}

void Accounts::charge(Account& account, const Resources& needs) {
  count(account, [&](Account& each) { each.used = each.used + needs; });
}

void Accounts::refund(Account& account, const Resources& needs) {
  CHECK(account.used.cores >= needs.cores);
  count(account, [&](Account& each) { each.used = each.used - needs; });
}

void Accounts::freeze(Account& account, const Resources& needs) {
  count(account, [&](Account& each) { each.frozen = each.frozen + needs; });
}

void Accounts::thaw(Account& account, const Resources& needs) {
  CHECK(account.frozen.cores >= needs.cores);
  count(account, [&](Account& each) { each.frozen = each.frozen - needs; });
}

// Of it, and of its firm.
template <class Change>
void Accounts::count(Account& account, Change change) {
  for (Account* each : {&account, account.firm}) {
    if (each == nullptr) continue;
    change(*each);
    rescore(*each);
  }
}

void Accounts::drop_if_idle(const Account& account) {
  const bool is_idle = account.used.cores == 0 && account.queues == 0 && account.recent == 0 && account.members == 0;
  if (is_idle && !account.terms.is_set) accounts_.erase(AccountId{account.terms.id});
}

bool Accounts::set_capacity(const Resources& capacity) {
  const bool changed = differ_much(capacity.cores, capacity_.cores) ||
                       differ_much(capacity.memory_bytes, capacity_.memory_bytes) ||
                       differ_much(capacity.gpus, capacity_.gpus);
  if (!changed) return false;
  capacity_ = capacity;
  for (auto& [id, account] : accounts_) rescore(account);
  return true;
}

bool Accounts::age(Time now) {
  const Duration step = half_life_ / kStepsPerHalfLife;
  if (!next_aging_) next_aging_ = now + step;
  int steps = 0;
  while (*next_aging_ <= now && steps < kMostSteps) {
    next_aging_ = *next_aging_ + step;
    ++steps;
  }
  if (*next_aging_ <= now) next_aging_ = now + step;
  if (steps == 0) return false;
  for (auto entry = accounts_.begin(); entry != accounts_.end();) {
    Account& account = (entry++)->second;
    for (int i = 0; i < steps && account.recent != account.share; ++i) {
      account.recent = (account.recent * kKeptPerStep + account.share * (kWhole - kKeptPerStep)) / kWhole;
      if (account.share == 0 && account.recent < kForgotten) account.recent = 0;
    }
    rescore(account);
    drop_if_idle(account);
  }
  return true;
}

std::optional<Time> Accounts::next_aging() const {
  if (accounts_.empty()) return std::nullopt;
  return next_aging_;
}

}  // namespace hearth::pool
