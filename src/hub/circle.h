// The hubs that share this one's store, seen from the one that holds the pool: meets them every second, which renews
// the hold, lets their PCs' own devices in, and tells nodes and clients where the others are.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "account/account.h"
#include "hub/devices.h"
#include "hub/engine.h"
#include "hub/pair_store.h"
#include "hub/replicas.h"
#include "net/async.h"
#include "net/http.h"
#include "store/shared.h"

namespace hearth::hub {

// What others may dial, in the order in which hubs are named; those that live first.
std::vector<account::HubAddress> addresses_of(const std::vector<store::KnownHub>& hubs);

// Those that are not this one.
std::vector<store::KnownHub> others_of(const store::Meeting& meeting, const store::HubRow& self);

class Circle {
 public:
  struct Events {
    std::function<void(const Error&)> on_failure;  // the hold is lost: nothing may be said any more
    std::function<void()> on_change;               // others() has changed
    // Before the pool is handed over: the drive's copy has everything from now on. Else why not.
    std::function<net::Async<Result<void>>()> settle_drive;
  };

  Circle(net::Loop& loop, net::Workers& store_worker, store::SharedStore& store, store::HubRow self, Engine& engine,
         Devices& devices, Replicas& replicas, PairStore* pair, Events events);

  // `first`: where the hold was taken, so that the first who asks is told of the others too.
  void start(store::Meeting first);
  net::Async<void> stop();

  const std::vector<account::HubAddress>& others() const { return addresses_; }
  const std::vector<store::KnownHub>& hubs() const { return hubs_; }  // this one too; none: there is no other
  DeviceId witness() const { return witness_; }
  // Whether the request is the drive's copy's, of the hub that stands by.
  bool is_of_copy(const net::RequestHead& head) const;
  bool has_living_partner() const;

  // Lets the hub that stands by take over; this one ends soon afterwards, and stands by when it has started again. Its
  // PC's name. Errors: kFailedPrecondition (none is in step), and the store's.
  // Without the drive: what its copy lacks stays behind. Errors: kFailedPrecondition (it lacks something), too.
  net::Async<Result<std::string>> hand_over(bool without_drive);
  bool has_handed_over() const { return has_handed_over_; }
  void meet_soon() { woken_.notify(); }

 private:
  net::Async<void> run();
  bool take(store::Meeting meeting);  // whether others() has changed
  bool tell_hubs(const std::vector<store::KnownHub>& others);
  void tell_duty();
  bool in_step() const;
  net::Async<void> end_soon(std::string successor);
  net::Async<void> let_in(const store::HubRow& hub);

  net::Loop& loop_;
  net::Workers& store_worker_;
  store::SharedStore& store_;
  const store::HubRow self_;
  Engine& engine_;
  Devices& devices_;
  Replicas& replicas_;
  PairStore* pair_;  // none: the pool lies in a database
  Events events_;
  std::vector<store::KnownHub> hubs_;
  std::vector<account::HubAddress> addresses_;
  DeviceId witness_;
  std::string duty_;  // what the witness was told last
  bool has_handed_over_ = false;
  bool stopping_ = false;
  bool running_ = false;
  net::Event woken_;
  net::Event stopped_;
};

}  // namespace hearth::hub
