#include "core/pool/fair_queue.h"

#include <algorithm>
#include <limits>
#include <tuple>

#include "base/check.h"

namespace hearth::pool {
namespace {

std::optional<JobTurn> head_of(const Queue& queue) {
  if (queue.jobs.empty()) return std::nullopt;
  return queue.jobs.begin()->first;
}

constexpr std::array kClasses = {PriorityClass::kUrgent, PriorityClass::kNormal, PriorityClass::kBatch,
                                 PriorityClass::kScavenger};
static_assert(kClasses.size() == kClassCount);

}  // namespace

JobTurn turn_of(const Job& job) {
  const std::int64_t deadline = job.request.deadline_millis;
  return {deadline > 0 ? deadline : std::numeric_limits<std::int64_t>::max(), job.request.id};
}

FairQueue::Rank FairQueue::rank_of(PriorityClass priority) {
  return static_cast<Rank>(PriorityClass::kUrgent) - static_cast<Rank>(priority);
}

ShapeKey FairQueue::key_of(const Job& job) {
  return {job.needs(), job.request.priority, job.request.gang ? job.request.tasks : 0, job.request.limit};
}

bool FairQueue::BySize::operator()(const ShapeKey& a, const ShapeKey& b) const {
  const Resources& x = a.needs.resources;
  const Resources& y = b.needs.resources;
  return std::tie(x.cores, x.memory_bytes, x.gpus, x.gpu_memory_bytes, x.disk_bytes, a.priority, a.gang,
                  a.needs.admission, a.needs.conditions, a.needs.node, a.needs.workspace_room, a.needs.kept_for,
                  a.needs.kept_for_firm, a.limit) < std::tie(y.cores, y.memory_bytes, y.gpus, y.gpu_memory_bytes,
                                                             y.disk_bytes, b.priority, b.gang, b.needs.admission,
                                                             b.needs.conditions, b.needs.node, b.needs.workspace_room,
                                                             b.needs.kept_for, b.needs.kept_for_firm, b.limit);
}

bool FairQueue::may_have(const Queue& queue) {
  const ShapeKey& key = queue.shape->key;
  return queue.party->account->may_have(key.needs.resources * std::max(key.gang, 1U));
}

Party& FairQueue::party_of(const Job& job) {
  const AccountId account = job.account();
  Party& party = parties_[{rank_of(job.request.priority), account}];
  party.priority = job.request.priority;
  party.account = &accounts_.get(account);
  if (party.house == nullptr) enter_house(party);
  return party;
}

void FairQueue::add(Job& job, Time now) {
  const ShapeKey key = key_of(job);
  Shape& shape = shapes_[key];
  shape.key = key;
  const auto [entry, is_new] = shape.queues.try_emplace(job.account());
  Queue& queue = entry->second;
  if (is_new) {
    queue.party = &party_of(job);
    queue.shape = &shape;
    queue.serial = ++last_serial_;
    ++queue.party->queues;
    ++queue.party->account->queues;
    set_alarm(queue, std::nullopt);
  }
  const std::optional<JobTurn> old_head = head_of(queue);
  if (!queue.jobs.emplace(turn_of(job), &job).second) return;
  update_heads(queue, old_head);
  if (shape.blocked) start_clock(queue, now);
}

void FairQueue::remove(Job& job) {
  const auto shape = shapes_.find(key_of(job));
  if (shape == shapes_.end()) return;
  const auto entry = shape->second.queues.find(job.account());
  if (entry == shape->second.queues.end()) return;
  Queue& queue = entry->second;
  const std::optional<JobTurn> old_head = head_of(queue);
  if (queue.jobs.erase(turn_of(job)) == 0) return;
  update_heads(queue, old_head);
  if (queue.jobs.empty() && !queue.reserved.empty()) abandoned_.emplace(queue.serial, &queue);
  drop_if_empty(queue);
}

void FairQueue::drop_if_empty(Queue& queue) {
  if (!queue.jobs.empty() || !queue.reserved.empty()) return;
  set_alarm(queue, std::nullopt);
  Party& party = *queue.party;
  Shape& shape = *queue.shape;
  shape.without_alarm.erase(queue.serial);
  abandoned_.erase(queue.serial);
  shape.queues.erase(AccountId{party.account->terms.id});
  --party.queues;
  --party.account->queues;
  drop_if_idle(party);
  if (!shape.queues.empty()) return;
  if (const auto blocked = blocked_.find(shape.key); blocked != blocked_.end()) {
    auto at = blocked;
    unblock(at);
  }
  shapes_.erase(ShapeKey{shape.key});
}

void FairQueue::drop_if_idle(Party& party) {
  if (party.queues > 0) return;
  const Account& account = *party.account;
  leave_house(party);
  parties_.erase({rank_of(party.priority), account.terms.id});
  accounts_.drop_if_idle(account);
}

void FairQueue::enter_house(Party& party) {
  Account& top = party.account->top();
  const Rank rank = rank_of(party.priority);
  House& house = houses_[{rank, top.terms.id}];
  house.top = &top;
  house.priority = party.priority;
  ++house.parties;
  top.houses.at(rank) = &house;
  party.house = &house;
}

// Its turn was taken out before.
void FairQueue::leave_house(Party& party) {
  House& house = *std::exchange(party.house, nullptr);
  if (--house.parties > 0) return;
  hide(house);
  const Rank rank = rank_of(house.priority);
  house.top->houses.at(rank) = nullptr;
  houses_.erase({rank, house.top->terms.id});
}

void FairQueue::put_in(Party& party) {
  party.is_listed = !party.heads.empty() && !party.account->is_full();
  if (party.is_listed) party.house->turns.insert({party.account->score, party.account->terms.id});
}

void FairQueue::take_out(Party& party) {
  if (party.is_listed) party.house->turns.erase({party.account->score, party.account->terms.id});
  party.is_listed = false;
}

void FairQueue::show(House& house) {
  if (house.is_listed || house.turns.empty() || house.top->is_full()) return;
  house.is_listed = true;
  turns_.insert({rank_of(house.priority), house.top->score, house.top->terms.id});
}

void FairQueue::hide(House& house) {
  if (house.is_listed) turns_.erase({rank_of(house.priority), house.top->score, house.top->terms.id});
  house.is_listed = false;
}

void FairQueue::show_all(Account& top) {
  for (House* house : top.houses) {
    if (house != nullptr) show(*house);
  }
}

void FairQueue::hide_all(Account& top) {
  for (House* house : top.houses) {
    if (house != nullptr) hide(*house);
  }
}

void FairQueue::update_heads(Queue& queue, std::optional<JobTurn> old_head) {
  const std::optional<JobTurn> head = head_of(queue);
  if (head == old_head) return;
  Party& party = *queue.party;
  hide(*party.house);
  take_out(party);
  if (old_head) party.heads.erase(*old_head);
  if (head) party.heads.emplace(*head, &queue);
  put_in(party);
  show(*party.house);
}

// Its parties' places follow its score, and its firm's among the firms the firm's. `joins`: the firm that it is of
// afterwards, if that may be another.
template <class Change>
void FairQueue::change(Account& account, Account* joins, Change change) {
  Account& before = account.top();
  hide_all(before);
  if (joins != nullptr) hide_all(*joins);
  std::array<Party*, kClasses.size()> parties{};
  for (std::size_t i = 0; i < kClasses.size() && account.queues > 0; ++i) {
    const auto party = parties_.find({rank_of(kClasses[i]), account.terms.id});
    if (party == parties_.end()) continue;
    parties[i] = &party->second;
    take_out(party->second);
  }
  change();
  for (Party* party : parties) {
    if (party == nullptr) continue;
    if (party->house->top != &account.top()) {
      leave_house(*party);
      enter_house(*party);
    }
    put_in(*party);
  }
  show_all(account.top());
  show_all(before);
}

void FairQueue::relist_all() {
  turns_.clear();
  for (auto& [key, house] : houses_) {
    house.turns.clear();
    house.is_listed = false;
  }
  for (auto& [key, party] : parties_) put_in(party);
  for (auto& [key, house] : houses_) show(house);
}

void FairQueue::charge(AccountId id, const Resources& needs) {
  if (needs == Resources{}) return;
  Account& account = accounts_.get(id);
  change(account, nullptr, [&] { accounts_.charge(account, needs); });
}

void FairQueue::refund(AccountId id, const Resources& needs) {
  if (needs == Resources{}) return;
  CHECK(accounts_.find(id) != nullptr);
  Account& account = accounts_.get(id);
  change(account, nullptr, [&] { accounts_.refund(account, needs); });
  accounts_.drop_if_idle(account);
}

void FairQueue::freeze(AccountId id, const Resources& needs) {
  if (needs == Resources{}) return;
  Account& account = accounts_.get(id);
  change(account, nullptr, [&] { accounts_.freeze(account, needs); });
}

void FairQueue::thaw(AccountId id, const Resources& needs) {
  if (needs == Resources{}) return;
  Account& account = accounts_.get(id);
  change(account, nullptr, [&] { accounts_.thaw(account, needs); });
}

void FairQueue::set_terms(const AccountTerms& terms) {
  Account* firm = terms.firm == AccountId{} ? nullptr : &accounts_.get(terms.firm);
  change(accounts_.get(terms.id), firm, [&] { accounts_.set_terms(terms); });
}

void FairQueue::forget_terms(AccountId id) {
  if (accounts_.find(id) == nullptr) return;
  Account& account = accounts_.get(id);
  ++account.queues;  // holds it meanwhile
  change(account, nullptr, [&] { accounts_.forget_terms(id); });
  --account.queues;
  accounts_.drop_if_idle(account);
}

void FairQueue::set_capacity(const Resources& capacity) {
  if (accounts_.set_capacity(capacity)) relist_all();
}

bool FairQueue::is_behind_others(PriorityClass priority) const {
  return !turns_.empty() && turns_.begin()->rank < rank_of(priority);
}

std::optional<Head> FairQueue::first_open() const {
  std::optional<Head> first;
  if (blocked_.size() == shapes_.size()) return first;
  visit_heads([&](const Head& head) {
    if (!head.queue->shape->blocked) first = head;
    return !first;
  });
  return first;
}

void FairQueue::start_clock(Queue& queue, Time now) {
  if (queue.alarm || queue.jobs.empty() || !queue.reserved.empty()) return;
  queue.waits_since = now;
  set_alarm(queue, now + starvation_bound_);
}

void FairQueue::block(Shape& shape, Time now) {
  CHECK(!shape.blocked);
  shape.blocked = true;
  blocked_.emplace(shape.key, &shape);
  if (shape.key.gang > 0) ++blocked_gangs_;
  for (auto entry = shape.without_alarm.begin(); entry != shape.without_alarm.end();) {
    Queue& queue = *(entry++)->second;
    start_clock(queue, now);
  }
}

void FairQueue::unblock(std::map<ShapeKey, Shape*, BySize>::iterator& blocked) {
  Shape& shape = *blocked->second;
  shape.blocked = false;
  if (shape.key.gang > 0) --blocked_gangs_;
  blocked = blocked_.erase(blocked);
}

void FairQueue::unblock_limited(const Terms& room) {
  for (auto entry = blocked_.begin();
       entry != blocked_.end() && entry->first.needs.resources.cores <= room.resources.cores;) {
    const ShapeKey& key = entry->first;
    if (key.limit > Duration{} && key.gang == 0 && key.needs.fits_in(room)) {
      unblock(entry);
    } else {
      ++entry;
    }
  }
}

void FairQueue::unblock_fitting(const std::array<Terms, kReaches>& rooms) {
  if (blocked_gangs_ > 0) gangs_may_fit_ = true;
  const std::uint32_t most = rooms.back().resources.cores;
  for (auto entry = blocked_.begin(); entry != blocked_.end() && entry->first.needs.resources.cores <= most;) {
    const Shape& shape = *entry->second;
    if (shape.key.gang == 0 && shape.needs().fits_in(rooms[shape.reach()])) {
      unblock(entry);
    } else {
      ++entry;
    }
  }
}

void FairQueue::set_alarm(Queue& queue, std::optional<Time> at) {
  if (queue.alarm) alarms_.erase({*queue.alarm, queue.serial});
  queue.alarm = at;
  if (at) {
    alarms_.emplace(std::pair(*at, queue.serial), &queue);
    queue.shape->without_alarm.erase(queue.serial);
  } else {
    queue.shape->without_alarm.emplace(queue.serial, &queue);
  }
}

Queue* FairQueue::take_alarm(Time now) {
  if (alarms_.empty() || alarms_.begin()->first.first > now) return nullptr;
  Queue* queue = alarms_.begin()->second;
  set_alarm(*queue, std::nullopt);
  return queue;
}

void FairQueue::reserve(Queue& queue, Node& node) {
  set_alarm(queue, std::nullopt);
  queue.reserved.push_back(&node);
  if (queue.shape->key.gang == 0) accounts_.promise(*queue.party->account, queue.shape->needs().resources);
}

void FairQueue::unreserve(Queue& queue, Node& node) {
  CHECK(std::erase(queue.reserved, &node) == 1);
  if (queue.shape->key.gang == 0) accounts_.take_back_promise(*queue.party->account, queue.shape->needs().resources);
}

Queue* FairQueue::take_abandoned() {
  while (!abandoned_.empty()) {
    Queue* queue = abandoned_.begin()->second;
    abandoned_.erase(abandoned_.begin());
    if (queue->jobs.empty()) return queue;
  }
  return nullptr;
}

bool FairQueue::is_due(const Queue& queue, const Queue& other) const {
  const Account& mine = *queue.party->account;
  const Account& theirs = *other.party->account;
  const Resources& needs = queue.shape->needs().resources;
  if (!mine.may_have(mine.promised + needs)) return false;
  if (&mine.top() == &theirs.top()) return accounts_.score_with(mine, needs) <= theirs.score;
  return accounts_.score_with(mine.top(), needs) <= theirs.top().score;
}

void FairQueue::tick(Time now) {
  if (accounts_.age(now)) relist_all();
  if (!gangs_may_fit_ || now < last_gang_look_ + gang_retry_) return;
  gangs_may_fit_ = false;
  last_gang_look_ = now;
  for (auto entry = blocked_.begin(); entry != blocked_.end() && blocked_gangs_ > 0;) {
    if (entry->first.gang > 0) {
      unblock(entry);
    } else {
      ++entry;
    }
  }
}

std::optional<Time> FairQueue::next_deadline() const {
  std::optional<Time> next = accounts_.next_aging();
  const auto sooner = [&](Time at) {
    if (!next || at < *next) next = at;
  };
  if (!alarms_.empty()) sooner(alarms_.begin()->first.first);
  if (gangs_may_fit_ && blocked_gangs_ > 0) sooner(last_gang_look_ + gang_retry_);
  return next;
}

}  // namespace hearth::pool
