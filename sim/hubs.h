// The hubs of a simulated pool: one alone, or two and a witness, one of the two holding the pool while the other stands
// by with a copy of its store. Who holds it is decided by core/succession; this carries it out as hub/pair_store does,
// over connections that break and on PCs that die.
#pragma once

#include <array>
#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "core/succession/succession.h"
#include "sim/checker.h"
#include "sim/hub.h"
#include "sim/network.h"
#include "sim/universe.h"

namespace hearth::sim {

class Hubs {
 public:
  Hubs(Universe& universe, Network& network, Checker& checker, const pool::Options& options);

  void start();
  Hub& at(HubNumber number) { return *stations_.at(number).hub; }
  // That holds the pool, as far as its clients know.
  Hub& now() { return at(newest_); }
  const Hub& now() const { return *stations_.at(newest_).hub; }
  void on_reply(const Hub::Reply& reply);
  void set_accounts(const std::vector<pool::AccountTerms>& accounts);

  void remove_node(NodeId node);
  void crash();    // one of them dies, and comes back
  void cut_off();  // one of them is cut off for a while
  void calm_down();
  // How often one took over from the other.
  std::uint32_t successions() const { return successions_; }

 private:
  // Where a commit stands in the line of commits.
  struct Place {
    std::uint64_t epoch = 0;
    std::string holder;
    std::uint64_t position = 0;
    bool operator==(const Place&) const = default;
  };
  using Backlog = std::deque<std::pair<std::uint64_t, std::shared_ptr<const HubBatch>>>;
  struct Greeting {
    Place place;
    bool holds = false;
  };
  struct Station {
    std::unique_ptr<Hub> hub;
    std::string name;
    Place place;  // on its disk, with its store

    // Lost in a crash.
    bool is_up = false;
    std::uint64_t life = 0;
    bool holds = false;
    bool follows = false;  // the other one has all that was committed here
    bool copying = false;
    succession::Hearing hearing;
    std::optional<Greeting> heard;
    Time heard_at;
    bool claims_alone = true;
    Time booted_at;
    Backlog backlog;  // what the other one may lack
    std::shared_ptr<const HubBatch> untold;
    std::function<void()> tell;  // what is untold
    Time give_up_at;
  };

  HubNumber number_of(const Station& it) const { return it.hub->number(); }
  Station& other_of(const Station& it) { return stations_.at(1 - number_of(it)); }
  bool are_linked() const;
  // Carries something to the other one, if nothing is in the way now and then.
  void carry(Station& from, std::function<void(Station& to)> deliver);
  void ask_witness(Station& it);
  void hear_witness(Station& it);

  void boot(Station& it);
  void lose(Station& it);  // what it had in memory
  void meet_for_ever(Station& it);
  void keep_up(Station& it);
  void take_step(Station& it);
  void hold(Station& it);
  void greet(Station& it);
  void hear(Station& it, const Greeting& greeting);
  void send_copy(Station& it);
  void pass_on(Station& it);
  void take_commits(Station& it, const Place& from, const Backlog& commits);
  void keep(Station& it, const HubBatch& batch, std::function<void()> tell);
  void fall_behind(Station& it);
  void try_to_tell(Station& it, bool confirmed);
  succession::View view(const Station& it) const;
  void note_told(const Station& it);
  void check_knows(const Station& it, TaskId task, pool::TaskState state);
  void check_knows_all(const Station& it);

  Universe& universe_;
  Network& network_;
  std::array<Station, 2> stations_;
  succession::Witness witness_;
  HubNumber newest_ = 0;
  bool link_cut_ = false;     // between the two
  bool witness_cut_ = false;  // it is away
  std::uint32_t successions_ = 0;
  // What was told, which whoever holds the pool must know.
  std::map<TaskId, pool::TaskState> told_ends_;
  std::map<std::uint64_t, JobId> told_orders_;
};

}  // namespace hearth::sim
