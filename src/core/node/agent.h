// The node's mind: what to fetch, start, stop and report, within what the owner allows. Pure: events and the time in,
// effects out.
//
// Life of an attempt here: assigned -> preparing (its inputs are fetched; may happen ahead of its turn) -> ready ->
// running -> collecting (outputs are gathered and handed over) -> finished (reported until the hub acknowledges) ->
// forgotten. A stop ends it from any stage. A broken session changes nothing of that: the node computes on and reports
// when it is back.
//
// While the PC's owner needs it (core/node/presence.h) what runs is frozen and nothing starts. A task that is frozen
// longer than the owner's patience, or holds a GPU longer than the grace time, is ended and goes back to the queue; so
// does everything that runs when the owner says stop.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "base/ids.h"
#include "base/time.h"
#include "core/admission.h"
#include "core/node/presence.h"
#include "core/resources.h"

namespace hearth::node {

// What the owner allows; a guest has no say in it. `hearth limit` writes it.
struct Policy {
  Resources limit;  // at most this of the machine (already capped by what it has)
  // Guests may start only from minute `from` of the day to minute `to` (wraps past midnight; the same twice: all day).
  bool has_hours = false;
  std::uint16_t from_minute = 0;  // 0 to 1439
  std::uint16_t to_minute = 0;
  bool draining = false;  // `hearth leave`: finish what runs, take nothing new
  Admission admits;
  OwnerFirst owner_first;
  std::string lack;  // of what the owner wants for guests, this PC does not have it: nothing starts. Empty: it has
  bool operator==(const Policy&) const = default;
};

struct Assignment {
  AttemptId attempt;
  Resources needs;
  Duration time_limit;  // of the running program
  // It is the owner's own program, no guest: it starts and goes on whatever is lent, until the owner's "stop
  // everything".
  bool is_own = false;
};

struct Options {
  std::uint32_t max_preparing = 4;  // attempts whose inputs are fetched at once
  std::uint32_t max_ready = 8;      // attempts that are prepared and wait for room: each is a box of memory and mounts
  std::uint32_t max_held =
      10'000;  // attempts of all stages; further assignments are reported back as lost (never happens with a sane hub)
  Duration heartbeat = seconds(3);
};

// --- effects: each is an order to the shell
// -----------------------------------------------------------------------------------------------------

struct Prepare {
  AttemptId attempt;
};  // fetch its inputs; answer on_prepared()
struct Run {
  AttemptId attempt;
};  // start the program; answer on_exited() once it has ended, or could not start
enum class KillReason : std::uint8_t { kTimeLimit, kOwner };
struct Kill {
  AttemptId attempt;
  KillReason reason = KillReason::kTimeLimit;
};  // end the running program now; on_exited() still comes
struct Freeze {
  AttemptId attempt;
};  // stop all its processes where they are; answer on_frozen()
struct Thaw {
  AttemptId attempt;
};  // let them go on
struct Collect {
  AttemptId attempt;
};  // gather outputs and log, store them on the hub; answer on_collected()
struct Wipe {
  AttemptId attempt;
};  // drop every trace of it, whatever stage its shell side is in; nothing more is heard of it
struct SendStarted {
  AttemptId attempt;
};
struct SendFinished {
  AttemptId attempt;
};  // with the outcome that the shell kept, or node lost if it has none (the assignment was refused); only while a
    // session is open; repeated now and then until it is acknowledged
struct SendOffer {
  Resources offered;
  bool closed = false;
  std::string closed_reason;
  Admission admits;
  bool frozen = false;   // what runs is frozen
  bool stopped = false;  // by its owner's word
  bool operator==(const SendOffer&) const = default;
};
struct SendHeartbeat {};

using Effect =
    std::variant<Prepare, Run, Kill, Freeze, Thaw, Collect, Wipe, SendStarted, SendFinished, SendOffer, SendHeartbeat>;

class Agent {
 public:
  Agent(const Options& options, const Resources& machine);
  ~Agent();
  Agent(const Agent&) = delete;
  Agent& operator=(const Agent&) = delete;

  // The session is open and the shell is about to say hello with held(), offered() and closed_reason(). What runs is
  // said to have started, and finished attempts are sent again.
  void on_session_open(Time now);
  void on_session_lost(Time now);

  void on_assign(const Assignment& assignment, Time now);
  void on_stop(AttemptId attempt, Time now);
  void on_acknowledged(AttemptId attempt, Time now);

  void on_prepared(AttemptId attempt, bool succeeded,
                   Time now);  // failed: it is finished, with the failure that the shell kept
  void on_exited(AttemptId attempt, Time now);
  void on_collected(AttemptId attempt, Time now);
  // What Freeze ordered is done, or cannot be: then the program is ended instead.
  void on_frozen(AttemptId attempt, bool succeeded, Time now);

  void on_policy(const Policy& policy, Time now);
  void on_local_time(std::uint16_t minute_of_day, Time now);  // at least once a minute; until the first, hours are over
  void on_surroundings(const Surroundings& seen, Time now);   // several times a second
  // The owner's "stop everything now": what runs is ended at once and nothing starts until it is taken back.
  void on_stopped(bool stopped, Time now);

  void tick(Time now);
  std::optional<Time> next_deadline() const;
  std::vector<Effect> take_effects();

  Resources offered() const;          // by policy; all of it even when closed
  Admission admits() const;           // by policy
  bool closed() const;                // takes nothing new now
  std::string closed_reason() const;  // "open again at 22:00", "leaving"; empty if open
  std::vector<AttemptId> held() const;
  std::uint32_t running() const;  // guests
  bool frozen() const;            // what runs is frozen
  bool stopped() const;           // see on_stopped()
  bool heeds_owner() const;
  // Running guests' attempts, at most `limit`.
  std::vector<AttemptId> running_attempts(std::size_t limit) const;
  // From the owner's return until every guest was frozen, at most: the last look before it counts as the return. Of the
  // last time that something ran.
  std::optional<Duration> last_freeze() const;
  bool drained() const;  // draining, and nothing is held any more

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace hearth::node
