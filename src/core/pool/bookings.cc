#include "core/pool/bookings.h"

#include <algorithm>
#include <string>
#include <tuple>

#include "base/check.h"
#include "core/pool/state.h"

namespace hearth::pool {
namespace {

constexpr Duration kBetweenLooks = seconds(1);  // for nodes that are missing

std::string count_of(std::uint64_t nodes) { return std::to_string(nodes) + (nodes == 1 ? " node" : " nodes"); }

}  // namespace

bool Pool::State::is_for(const Booking& booking, AccountId account) const {
  if (account == booking.terms.account) return true;
  const Account* known = queue.accounts().find(account);
  return known != nullptr && known->firm != nullptr && known->firm->terms.id == booking.terms.account;
}

// Whoever takes which of the nodes, those of the other bookings of that time that do not find enough besides these are
// to find them among these.
Result<void> Pool::State::check_booking(const BookingTerms& terms) const {
  if (bookings.size() >= kMaxBookings) {
    return fail(Code::kResourceExhausted, "the pool has " + std::to_string(kMaxBookings) +
                                              " bookings, as many as it takes: wait, or take one back");
  }
  if (const Result<void> asked = conditions.check(terms.where); !asked) return asked;
  const Result<Condition> condition = Condition::parse(terms.where);
  std::set<NodeId> able;
  for (const auto& [id, node] : nodes.all()) {
    const bool suits = terms.where.empty() || (condition && condition->holds(node.attributes));
    if (node.offered.cores > 0 && suits) able.insert(id);
  }
  if (able.size() < terms.nodes) {
    return fail(Code::kFailedPrecondition, "it asks for " + count_of(terms.nodes) + ", and the pool has " +
                                               count_of(able.size()) +
                                               (terms.where.empty() ? "" : " of the kind that it names"));
  }
  std::vector<std::pair<const BookingTerms*, std::uint64_t>> others;  // and how many they take of these at least
  for (const auto& [id, other] : bookings) {
    if (id == terms.id || other.terms.until <= terms.from || other.terms.from >= terms.until) continue;
    std::uint64_t besides = 0;
    for (const auto& [node_id, node] : nodes.all()) {
      const bool suits = other.condition.are_met_by(node.meets);
      if (node.offered.cores > 0 && !able.contains(node_id) && suits) ++besides;
    }
    if (other.terms.nodes > besides) others.emplace_back(&other.terms, other.terms.nodes - besides);
  }
  const auto taken_at = [&](Time at) {
    std::uint64_t taken = 0;
    for (const auto& [other, least] : others) taken += other->from <= at && at < other->until ? least : 0;
    return taken;
  };
  std::uint64_t taken = taken_at(terms.from);
  for (const auto& [other, least] : others) taken = std::max(taken, taken_at(std::max(other->from, terms.from)));
  if (taken + terms.nodes <= able.size()) return {};
  return fail(Code::kFailedPrecondition, "it asks for " + count_of(terms.nodes) + ", and other bookings have " +
                                             std::to_string(taken) + " of the " + std::to_string(able.size()) +
                                             " that there are at some time then");
}

void Pool::State::turn_at(Booking& booking, std::optional<Time> at) {
  if (booking.turn) booking_turns.erase({*booking.turn, booking.terms.id});
  booking.turn = at;
  if (at) booking_turns.emplace(*at, booking.terms.id);
}

void Pool::State::turn_bookings() {
  while (!booking_turns.empty() && booking_turns.begin()->first <= now) {
    Booking& booking = bookings.at(booking_turns.begin()->second);
    const BookingTerms& terms = booking.terms;
    if (terms.until <= now) {
      effects.emplace_back(BookingRecord{terms.id});
      drop_booking(booking);
    } else if (now < booking.notice()) {
      turn_at(booking, booking.notice());
    } else {
      find_nodes(booking);
      if (terms.from <= now && !booking.has_begun) begin(booking);
      turn_at(booking, std::min(now < terms.from ? terms.from : terms.until, now + kBetweenLooks));
    }
  }
}

// Enough of them, if there are; those that are not open are given up for others.
void Pool::State::find_nodes(Booking& booking) {
  std::vector<NodeId> useless;
  for (const NodeId id : booking.nodes) {
    if (!nodes.find(id)->is_open()) useless.push_back(id);
  }
  const std::size_t useful = booking.nodes.size() - useless.size();
  if (useful >= booking.terms.nodes) return;
  // By the cores that others lose there; of those that are alike in this, such as the account uses already.
  std::vector<std::tuple<std::uint64_t, bool, NodeId>> found;
  for (auto& [id, node] : nodes.all()) {
    if (!node.is_open() || node.booking != BookingId{} || !booking.condition.are_met_by(node.meets)) continue;
    std::uint64_t lost = 0;
    bool is_unused = true;
    for (const Lease* lease = node.in_room.front(); lease != nullptr; lease = lease->after) {
      if (is_for(booking, lease->job->account())) {
        is_unused = false;
      } else {
        lost += lease->job->request.per_task.cores;
      }
    }
    found.emplace_back(lost, is_unused, id);
  }
  std::ranges::sort(found);
  found.resize(std::min<std::size_t>(found.size(), booking.terms.nodes - useful));
  for (const auto& [lost, is_unused, id] : found) keep(booking, *nodes.find(id));
  for (const NodeId id : useless) {
    if (booking.nodes.size() > booking.terms.nodes) let_go(booking, *nodes.find(id));
  }
}

void Pool::State::keep(Booking& booking, Node& node) {
  booking.nodes.insert(node.id);
  placement.release(node, now);
  nodes.keep(node, booking.terms.id, booking.terms.account,
             booking.has_begun ? std::nullopt : std::optional(booking.terms.from));
  clear(booking, node);
}

void Pool::State::let_go(Booking& booking, Node& node) {
  booking.nodes.erase(node.id);
  nodes.keep(node, {}, {}, std::nullopt);
  placement.freed(node);
}

// What others have leased there goes back: what has not started, and once it has begun, all.
void Pool::State::clear(const Booking& booking, Node& node) {
  for (const LeaseList* list : {&node.in_room, &node.ahead}) {
    for (Lease* lease : list->all()) {
      const bool is_others = !lease->job->is_own() && !is_for(booking, lease->job->account());
      const bool waits = !lease->in_room && !lease->started;
      if (is_others && (booking.has_begun || waits)) take_back(*lease, Failure::kBooked);
    }
  }
  placement.freed(node);
}

void Pool::State::begin(Booking& booking) {
  booking.has_begun = true;
  for (const NodeId id : booking.nodes) {
    Node& node = *nodes.find(id);
    nodes.keep(node, booking.terms.id, booking.terms.account, std::nullopt);
    clear(booking, node);
  }
  if (kept_accounts[booking.terms.account]++ == 0) tell_jobs_of(booking.terms.account);
}

void Pool::State::drop_booking(Booking& booking) {
  const AccountId account = booking.terms.account;
  turn_at(booking, std::nullopt);
  for (const NodeId id : std::set(booking.nodes)) let_go(booking, *nodes.find(id));
  forget_condition(booking.terms.where);
  const bool had_begun = booking.has_begun;
  bookings.erase(BookingId{booking.terms.id});
  if (!had_begun || --kept_accounts[account] > 0) return;
  kept_accounts.erase(account);
  tell_jobs_of(account);
}

// Whether nodes are kept for an account is part of what its tasks need.
void Pool::State::name_kept(Job& job) {
  const Account* account = kept_accounts.empty() ? nullptr : queue.accounts().find(job.account());
  const auto kept = [this](AccountId id) { return kept_accounts.contains(id) ? id : AccountId{}; };
  job.kept_for = kept(job.account());
  job.kept_for_firm = account != nullptr && account->firm != nullptr ? kept(account->firm->terms.id) : AccountId{};
}

void Pool::State::tell_jobs_of(AccountId account) {
  for (auto& [id, job] : jobs) {
    if (job.has_ended()) continue;
    const Account* known = queue.accounts().find(job.account());
    const bool is_of_firm = known != nullptr && known->firm != nullptr && known->firm->terms.id == account;
    if (job.account() != account && !is_of_firm) continue;
    leave_queue(job);
    name_kept(job);
    enter_queue(job);
  }
}

Result<void> Pool::on_book(const BookingTerms& terms, Time now) {
  state_->advance(now);
  if (const Result<void> checked = state_->check_booking(terms); !checked) return checked;
  restore_booking(terms, now);
  return {};
}

void Pool::restore_booking(const BookingTerms& terms, Time now) {
  State& state = *state_;
  state.advance(now);
  const auto [entry, is_new] = state.bookings.try_emplace(terms.id);
  Booking& booking = entry->second;
  booking.terms = terms;
  if (is_new) booking.condition = state.ask_of_nodes(terms.where);
  for (const NodeId id : booking.nodes) {
    if (!booking.has_begun) state.nodes.keep(*state.nodes.find(id), terms.id, terms.account, terms.from);
  }
  state.turn_at(booking, state.now);
}

void Pool::on_unbook(BookingId id, Time now) {
  state_->advance(now);
  const auto entry = state_->bookings.find(id);
  if (entry != state_->bookings.end()) state_->drop_booking(entry->second);
}

std::optional<BookingView> Pool::booking(BookingId id) const {
  const auto entry = state_->bookings.find(id);
  if (entry == state_->bookings.end()) return std::nullopt;
  const Booking& booking = entry->second;
  return BookingView{{booking.nodes.begin(), booking.nodes.end()}, booking.has_begun};
}

}  // namespace hearth::pool
