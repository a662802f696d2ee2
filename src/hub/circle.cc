#include "hub/circle.h"

#include <algorithm>
#include <utility>

#include <fmt/format.h>

#include "base/bytes.h"
#include "base/log.h"
#include "drive/copy_words.h"
#include "hub/addresses.h"

namespace hearth::hub {

std::vector<account::HubAddress> addresses_of(const std::vector<store::KnownHub>& hubs) {
  std::vector<account::HubAddress> addresses;
  for (const bool alive : {true, false}) {
    for (const store::KnownHub& hub : hubs) {
      if (hub.alive != alive) continue;
      for (net::Endpoint& endpoint : endpoints_in(hub.row.endpoints)) {
        if (addresses.size() < account::kMaxOtherHubs) addresses.push_back({std::move(endpoint), hub.row.identity});
      }
    }
  }
  return addresses;
}

std::vector<store::KnownHub> others_of(const store::Meeting& meeting, const store::HubRow& self) {
  std::vector<store::KnownHub> others = meeting.hubs;
  std::erase_if(others, [&self](const store::KnownHub& hub) { return hub.row.identity == self.identity; });
  return others;
}

Circle::Circle(net::Loop& loop, net::Workers& store_worker, store::SharedStore& store, store::HubRow self,
               Engine& engine, Devices& devices, Replicas& replicas, PairStore* pair, Events events)
    : loop_(loop),
      store_worker_(store_worker),
      store_(store),
      self_(std::move(self)),
      engine_(engine),
      devices_(devices),
      replicas_(replicas),
      pair_(pair),
      events_(std::move(events)) {}

void Circle::start(store::Meeting first) {
  take(std::move(first));
  running_ = true;
  loop_.spawn(run());
}

net::Async<void> Circle::stop() {
  stopping_ = true;
  if (pair_ != nullptr) pair_->give_up();
  woken_.notify();
  while (running_) co_await stopped_.wait();
}

net::Async<void> Circle::run() {
  while (!stopping_) {
    Result<store::Meeting> meeting = co_await store_worker_.run([this, files = in_step()] {
      store_.note_files(files);
      return store_.meet(self_);
    });
    if (!meeting && stopping_) break;
    if (!meeting) {
      log_error("this hub does not hold the pool any more", {{"error", meeting.error().message}});
      events_.on_failure(meeting.error());
      break;
    }
    if (take(std::move(*meeting))) events_.on_change();
    for (const store::KnownHub& hub : std::vector(hubs_)) {
      if (hub.alive && !stopping_) co_await let_in(hub.row);
    }
    if (!stopping_) co_await woken_.wait(store::kMeetInterval);
  }
  running_ = false;
  stopped_.notify();
}

// Every hub that stands by has every file.
bool Circle::in_step() const {
  return std::ranges::all_of(hubs_, [this](const store::KnownHub& hub) {
    return hub.row.identity == self_.identity || replicas_.step_of(hub.row.identity).in_step;
  });
}

bool Circle::take(store::Meeting meeting) {
  const std::vector<store::KnownHub> others = others_of(meeting, self_);
  replicas_.meet(others);
  hubs_ = std::move(meeting.hubs);
  witness_ = meeting.witness;
  if (pair_ != nullptr) tell_duty();
  return tell_hubs(others);
}

bool Circle::tell_hubs(const std::vector<store::KnownHub>& others) {
  std::vector<account::HubAddress> addresses = addresses_of(others);
  if (addresses == addresses_) return false;
  addresses_ = std::move(addresses);
  v1::Hubs told;
  for (const account::HubAddress& address : addresses_) {
    v1::HubAddress& hub = *told.add_other_hubs();
    hub.set_endpoint(address.endpoint.text());
    hub.set_identity_key(address.identity);
  }
  engine_.tell_hubs(std::move(told));
  return true;
}

// A node that is not the witness any more hears it too.
void Circle::tell_duty() {
  v1::WitnessDuty duty;
  duty.set_secret(witness_ == DeviceId{} ? "" : pair_->witness_secret());
  for (const account::HubAddress& address : addresses_of(hubs_)) {
    v1::HubAddress& hub = *duty.add_hubs();
    hub.set_endpoint(address.endpoint.text());
    hub.set_identity_key(address.identity);
  }
  const std::string text = duty.SerializeAsString();
  if (text == duty_) return;
  duty_ = text;
  engine_.tell_duty(NodeId{witness_.value}, std::move(duty));
}

bool Circle::is_of_copy(const net::RequestHead& head) const {
  if (pair_ == nullptr || !head.path.starts_with(drive::kCopyPrefix)) return false;
  const std::string_view shown = head.headers.get("authorization");
  return std::ranges::any_of(hubs_, [&](const store::KnownHub& hub) {
    return hub.row.identity != self_.identity &&
           equal_constant_time(shown, "Bearer " + to_hex(drive::copy_password(self_.secret, hub.row.secret)));
  });
}

bool Circle::has_living_partner() const {
  return pair_ != nullptr && std::ranges::any_of(hubs_, [this](const store::KnownHub& hub) {
           return hub.row.identity != self_.identity && hub.alive;
         });
}

net::Async<Result<std::string>> Circle::hand_over(bool without_drive) {
  const auto ready = std::ranges::find_if(hubs_, [this](const store::KnownHub& hub) {
    return hub.row.identity != self_.identity && hub.alive && !hub.records_behind &&
           replicas_.step_of(hub.row.identity).in_step;
  });
  if (ready == hubs_.end()) {
    co_return fail(Code::kFailedPrecondition, "no hub stands by with every record and file: see hearth status");
  }
  const std::string successor = ready->row.name;
  if (pair_ != nullptr && !without_drive) {
    if (Result<void> settled = co_await events_.settle_drive(); !settled) co_return std::unexpected(settled.error());
  }
  const Result<void> released = co_await store_worker_.run([this] { return store_.release(); });
  if (!released) co_return std::unexpected(released.error());
  has_handed_over_ = true;
  loop_.spawn(end_soon(successor));
  co_return successor;
}

// Once the answer is out.
net::Async<void> Circle::end_soon(std::string successor) {
  co_await net::sleep_for(milliseconds(200));
  if (!stopping_) events_.on_failure({Code::kAborted, "this hub has handed the pool over to " + successor});
}

// Whoever may write to the pool's database could write itself a device there: its PC's own need no pairing. One that
// was taken out stays out.
net::Async<void> Circle::let_in(const store::HubRow& hub) {
  const std::pair<std::string, v1::Role> own[] = {{hub.command_line_key, v1::ROLE_OWNER},
                                                  {hub.node_key, v1::ROLE_NODE}};
  for (const auto& [key, role] : own) {
    if (key.empty() || devices_.ever_had_key(key)) continue;
    const std::string name = role == v1::ROLE_OWNER ? hub.name + " cli" : hub.name;
    const store::DeviceRow row = devices_.make(name, role, v1::KEY_KIND_ED25519, key, wall_now());
    devices_.put(row);
    const Result<void> saved = co_await engine_.save_device(row);
    if (saved) log_info(fmt::format("a hub's own device came in name=\"{}\"", row.name));
  }
}

}  // namespace hearth::hub
