#include "sim/hubs.h"

#include <algorithm>

namespace hearth::sim {
namespace {

constexpr Duration kMeetEvery = seconds(1);
constexpr Duration kHeardFor = seconds(5);
constexpr Duration kFirstGreetingWithin = seconds(7);
constexpr Duration kConfirmedWithin = seconds(3);
constexpr Duration kWitnessPatience = seconds(10);
constexpr std::size_t kMaxBacklog = 10'000;

}  // namespace

Hubs::Hubs(Universe& universe, Network& network, Checker& checker, const pool::Options& options)
    : universe_(universe), network_(network), witness_({}, universe.now()) {
  for (HubNumber number = 0; number < stations_.size(); ++number) {
    Station& it = stations_.at(number);
    it.hub = std::make_unique<Hub>(universe, network, checker, options, number);
    it.name = number == 0 ? "first" : "second";
    it.place = {1, "first", 0};
    if (!universe.scenario.standby) continue;
    it.hub->on_commit([this, &it](const HubBatch& batch, std::function<void()> tell) { keep(it, batch, tell); });
    it.hub->on_crash([this, &it] { lose(it); });
  }
}

void Hubs::start() {
  if (!universe_.scenario.standby) return stations_[0].hub->start();
  for (Station& it : stations_) boot(it);
}

void Hubs::on_reply(const Hub::Reply& reply) {
  for (Station& it : stations_) it.hub->on_reply(reply);
}

void Hubs::set_accounts(const std::vector<pool::AccountTerms>& accounts) {
  for (Station& it : stations_) it.hub->set_accounts(accounts);
}

void Hubs::remove_node(NodeId node) {
  for (Station& it : stations_) it.hub->remove_node(node);
}

// --- what befalls them

void Hubs::crash() {
  Station& it = stations_.at(universe_.scenario.standby ? universe_.random.below(4) / 3 : 0);
  if (it.hub->is_up()) return it.hub->crash();
  if (!it.is_up) return;
  universe_.say("hub", number_of(it), "dies, which stood by");
  lose(it);
}

void Hubs::cut_off() {
  const Duration span = universe_.random.between(milliseconds(100), seconds(40));
  if (universe_.random.chance(300)) {
    universe_.say("the hubs do not reach each other");
    link_cut_ = true;
    return universe_.scheduler.after(span, [this] { link_cut_ = false; });
  }
  if (universe_.random.chance(200)) {
    universe_.say("the witness is away");
    witness_cut_ = true;
    return universe_.scheduler.after(span, [this] { witness_cut_ = false; });
  }
  const HubNumber hub = universe_.random.chance(800) ? newest_ : universe_.random.below(2);
  universe_.say("hub", hub, "is cut off");
  network_.isolate_hub(hub, true);
  universe_.scheduler.after(span, [this, hub] { network_.isolate_hub(hub, false); });
}

void Hubs::calm_down() {
  link_cut_ = false;
  witness_cut_ = false;
  for (Station& it : stations_) {
    network_.isolate_hub(number_of(it), false);
    if (universe_.scenario.standby) boot(it);
  }
}

void Hubs::boot(Station& it) {
  if (it.is_up) return;
  universe_.say("hub", number_of(it), "is there");
  it.is_up = true;
  it.booted_at = universe_.now();
  ++it.life;
  greet(it);
  meet_for_ever(it);
}

void Hubs::lose(Station& it) {
  it.is_up = false;
  it.holds = false;
  it.follows = false;
  it.copying = false;
  it.hearing = {};
  it.heard.reset();
  it.claims_alone = true;
  it.backlog.clear();
  it.untold.reset();
  it.tell = nullptr;
  ++it.life;
  universe_.scheduler.after(universe_.random.between(milliseconds(500), seconds(20)), [this, &it, life = it.life] {
    if (life == it.life) boot(it);
  });
}

// --- how they speak to each other

bool Hubs::are_linked() const { return !link_cut_ && !network_.is_isolated(0) && !network_.is_isolated(1); }

void Hubs::carry(Station& from, std::function<void(Station& to)> deliver) {
  if (!are_linked()) return;
  const Duration span = universe_.random.between(microseconds(50), universe_.scenario.latency);
  Station& to = other_of(from);
  universe_.scheduler.after(span, [this, &to, deliver = std::move(deliver)] {
    if (are_linked() && to.is_up) deliver(to);
  });
}

void Hubs::greet(Station& it) {
  carry(it, [this, greeting = Greeting{it.place, it.holds}](Station& to) { hear(to, greeting); });
}

void Hubs::hear(Station& it, const Greeting& greeting) {
  it.heard = greeting;
  it.heard_at = universe_.now();
}

// It notes what a holder claims, or answers a bid.
void Hubs::ask_witness(Station& it) {
  const auto is_away = [this, &it] { return witness_cut_ || network_.is_isolated(number_of(it)); };
  if (is_away()) return;
  const Duration span = universe_.random.between(microseconds(50), universe_.scenario.latency);
  const succession::Claim claim{it.place.epoch, it.name, it.claims_alone, it.hearing.revoked()};
  const bool bids = !it.holds && it.place.holder != it.name;
  universe_.scheduler.after(span, [this, &it, claim, bids, is_away] {
    if (is_away()) return;
    const bool noted =
        bids ? witness_.on_bid(it.name, claim.epoch, universe_.now()) : witness_.on_claim(claim, universe_.now());
    if (noted)
      universe_.say("the witness notes epoch", witness_.standing().epoch, witness_.standing().alone ? "alone" : "");
    hear_witness(it);
  });
}

// It tells both what it knows, whether they ask or not.
void Hubs::hear_witness(Station& it) {
  const auto is_away = [this, &it] { return witness_cut_ || network_.is_isolated(number_of(it)); };
  if (is_away()) return;
  const Duration span = universe_.random.between(microseconds(50), universe_.scenario.latency);
  universe_.scheduler.after(span, [this, &it, word = witness_.standing(), is_away, life = it.life] {
    if (is_away() || life != it.life) return;
    it.hearing.hear(word);
    if (it.untold && !it.follows) try_to_tell(it, false);
  });
}

succession::View Hubs::view(const Station& it) const {
  succession::View view{.self = it.name,
                        .own = {.epoch = it.place.epoch, .holder = it.place.holder},
                        .has_partner = true,
                        .partner = {},
                        .has_witness = true,
                        .witness = it.hearing};
  if (it.heard && universe_.now() - it.heard_at <= kHeardFor) {
    view.partner = succession::Standing{.epoch = it.heard->place.epoch, .holder = it.heard->place.holder};
  }
  return view;
}

void Hubs::meet_for_ever(Station& it) {
  if (it.holds) {
    keep_up(it);
  } else if (it.heard || it.booted_at + kFirstGreetingWithin <= universe_.now()) {
    take_step(it);
  }
  if (it.is_up) greet(it);
  universe_.scheduler.after(kMeetEvery, [this, &it, life = it.life] {
    if (life == it.life) meet_for_ever(it);
  });
}

// --- the one that stands by

void Hubs::take_step(Station& it) {
  const succession::View seen = view(it);
  switch (succession::next_step(seen)) {
    case succession::Step::kHold:
      return hold(it);
    case succession::Step::kTakeOver:
      it.place.epoch = succession::next_epoch(seen);
      it.place.holder = it.name;
      ++successions_;
      return hold(it);
    case succession::Step::kBid:
    case succession::Step::kClaim:
      return ask_witness(it);
    case succession::Step::kStandBy:
      return hear_witness(it);
  }
}

void Hubs::hold(Station& it) {
  universe_.say("hub", number_of(it), "holds the pool, epoch", it.place.epoch);
  if (it.place.epoch > stations_.at(newest_).place.epoch || !stations_.at(newest_).holds) newest_ = number_of(it);
  it.holds = true;
  it.claims_alone = true;
  check_knows_all(it);
  it.hub->start();
  ask_witness(it);
  greet(it);
}

void Hubs::take_commits(Station& it, const Place& from, const Backlog& commits) {
  if (it.holds || it.place.epoch != from.epoch || it.place.holder != from.holder) return;
  for (const auto& [position, batch] : commits) {
    if (position != it.place.position + 1) continue;
    it.hub->follow(*batch);
    it.place.position = position;
  }
}

// --- the one that holds the pool

void Hubs::keep_up(Station& it) {
  const succession::View seen = view(it);
  if (succession::may_speak(seen, true) == succession::Speech::kEnd) return it.hub->crash();
  if (!seen.partner) {
    if (it.follows) fall_behind(it);
    if (it.untold) try_to_tell(it, false);
    return ask_witness(it);
  }
  const Place& copy = it.heard->place;
  if (!it.follows && !it.copying) {
    const bool same_line = copy.epoch == it.place.epoch && copy.holder == it.place.holder;
    while (!it.backlog.empty() && same_line && it.backlog.front().first <= copy.position) it.backlog.pop_front();
    const std::uint64_t have = it.backlog.empty() ? it.place.position : it.backlog.front().first - 1;
    if (same_line && copy.position == have) {
      if (!it.backlog.empty()) {
        pass_on(it);
      } else {
        it.follows = true;
        if (it.untold) try_to_tell(it, true);
        if (!it.is_up) return;
      }
    } else {
      send_copy(it);
    }
  }
  const bool alone = !it.follows;
  if (!alone && it.claims_alone) it.hearing.revoke();
  it.claims_alone = alone;
  ask_witness(it);
}

void Hubs::send_copy(Station& it) {
  universe_.say("hub", number_of(it), "sends a copy");
  it.copying = true;
  it.backlog.clear();
  auto copy = std::make_shared<const Store>(it.hub->store());
  const Duration span = universe_.random.between(milliseconds(100), seconds(5));
  universe_.scheduler.after(span, [this, &it, copy = std::move(copy), place = it.place, life = it.life] {
    if (life != it.life) return;
    it.copying = false;
    carry(it, [this, copy, place](Station& to) {
      const bool is_newer =
          place.epoch > to.place.epoch || (place.epoch == to.place.epoch && place.holder == to.place.holder);
      if (to.holds || !is_newer) return;
      to.hub->copy(*copy);
      to.place = place;
      greet(to);
    });
  });
}

// What the other one has then it says, and that is the confirmation.
void Hubs::pass_on(Station& it) {
  carry(it, [this, from = it.place, commits = it.backlog](Station& to) {
    take_commits(to, from, commits);
    carry(to, [this, from, greeting = Greeting{to.place, to.holds}](Station& holder) {
      hear(holder, greeting);
      if (!holder.holds || greeting.holds || greeting.place.epoch != holder.place.epoch) return;
      if (greeting.place.position != holder.place.position || greeting.place.holder != holder.place.holder) return;
      holder.backlog.clear();
      holder.follows = true;
      if (holder.untold) try_to_tell(holder, true);
    });
  });
}

void Hubs::keep(Station& it, const HubBatch& batch, std::function<void()> tell) {
  ++it.place.position;  // in the same transaction
  if (it.hub->dies()) return;
  it.untold = std::make_shared<const HubBatch>(batch);
  it.tell = std::move(tell);
  it.backlog.emplace_back(it.place.position, it.untold);
  if (it.backlog.size() > kMaxBacklog) it.backlog.clear();
  it.give_up_at = universe_.now() + kConfirmedWithin + kWitnessPatience;
  if (!it.follows) return try_to_tell(it, false);
  pass_on(it);
  universe_.scheduler.after(kConfirmedWithin, [this, &it, untold = it.untold, life = it.life] {
    if (life != it.life || it.untold != untold) return;
    fall_behind(it);
    try_to_tell(it, false);
  });
}

void Hubs::fall_behind(Station& it) {
  universe_.say("hub", number_of(it), "goes on alone, if the witness notes it");
  it.follows = false;
  it.claims_alone = true;
  ask_witness(it);
}

void Hubs::try_to_tell(Station& it, bool confirmed) {
  switch (succession::may_speak(view(it), confirmed)) {
    case succession::Speech::kEnd:
      return it.hub->crash();
    case succession::Speech::kClaim:
      if (it.give_up_at <= universe_.now()) it.hub->crash();
      return;
    case succession::Speech::kSpeak:
      break;
  }
  note_told(it);
  it.untold.reset();
  const auto tell = std::exchange(it.tell, nullptr);
  tell();
}

// --- what must hold

void Hubs::check_knows(const Station& it, TaskId task, pool::TaskState state) {
  const Store& store = it.hub->store();
  const auto job = store.jobs.find(task.job);
  if (job == store.jobs.end()) {
    if (!store.removed.contains(task.job)) universe_.fail(task, "ended, and hub", number_of(it), "has no such job");
    return;
  }
  const StoredTask* row = store.find(task);
  if (row == nullptr || row->state != state) universe_.fail(task, "ended, which hub", number_of(it), "does not know");
}

void Hubs::check_knows_all(const Station& it) {
  const Store& store = it.hub->store();
  for (const auto& [task, state] : told_ends_) check_knows(it, task, state);
  for (const auto& [order, id] : told_orders_) {
    if (!store.jobs.contains(id) && !store.removed.contains(id)) {
      universe_.fail("order", order, "was acknowledged, and hub", number_of(it), "has no", id);
    }
  }
}

void Hubs::note_told(const Station& it) {
  const bool is_old = newest_ != number_of(it);
  for (const pool::Effect& record : it.untold->records) {
    const auto* end = std::get_if<pool::EndRecord>(&record);
    if (end == nullptr) continue;
    told_ends_[end->attempt.task] = end->state;
    if (is_old) check_knows(stations_.at(newest_), end->attempt.task, end->state);
  }
  for (const auto& [order, id] : it.untold->replies) {
    if (id) told_orders_[order] = *id;
  }
  if (is_old) check_knows_all(stations_.at(newest_));
}

}  // namespace hearth::sim
