// What `hearth watch` tells: the events that follow from what the hub says of jobs and nodes, each once, whatever
// breaks in between. Pure.
//
// After a stream broke, feed what was asked of the jobs in live() and of those in missed() before the new snapshot.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "base/time.h"
#include "hearth/v1/events.pb.h"
#include "hearth/v1/nodes.pb.h"

namespace hearth::cli {

class WatchEvents {
 public:
  using Events = std::vector<v1::Event>;

  // Those jobs alone; none: all that happens.
  explicit WatchEvents(std::vector<std::uint64_t> jobs);

  // Of the first snapshot only what is asked for by number is told. `now` is the moment of what has none.
  Events take(const v1::WatchReply& reply, WallTime now);

  // The job as it is. One that is watched by its number is told of at once.
  Events take_job(const v1::Job& job);
  // Its tasks whose last attempt failed.
  Events take_failures(const v1::Job& job, const std::vector<v1::Task>& tasks);
  Events take_removed(std::uint64_t job, WallTime now);

  // Jobs of which an end is yet to be told.
  std::vector<std::uint64_t> live() const;

  // That jobs came which a snapshot does not show, being too many: those with numbers above `after` and below `before`.
  struct Missed {
    std::uint64_t after = 0;
    std::uint64_t before = 0;
  };
  std::optional<Missed> missed(const v1::WatchReply& snapshot) const;

  // Whether all jobs that are watched by their numbers have ended; never, if none is. Their exit status: 0, or that of
  // the first, in the order given, that did not succeed.
  bool all_ended() const;
  int exit_code() const;

 private:
  enum class Stage : std::uint8_t { kUnknown, kQueued, kStarted, kEnded };
  struct LiveJob {
    Stage told = Stage::kUnknown;
    v1::EventData about;                              // the job, as it was last
    std::map<std::uint32_t, std::uint32_t> failures;  // told: a task's attempts then
  };

  bool is_of_interest(std::uint64_t job) const { return jobs_.empty() || wanted_.contains(job); }
  void take_change(const v1::Job& job, bool is_snapshot, Events& events);
  void advance(LiveJob& known, const v1::Job& job, Events& events);
  void take_node(const v1::Node& node, WallTime now, bool is_told, Events& events);
  void take_failure(const v1::FailedAttempt& failed, Events& events);
  void end(std::uint64_t job, int exit_code);
  static Stage stage_of(const v1::Job& job);

  std::vector<std::uint64_t> jobs_;
  std::set<std::uint64_t> wanted_;
  std::map<std::uint64_t, LiveJob> live_;
  std::map<std::uint64_t, int> exit_codes_;  // of wanted jobs that have ended
  std::set<std::uint64_t> ended_;            // told, or seen so; the newest
  std::uint64_t highest_ = 0;                // number of any job that was seen
  bool has_begun_ = false;
  std::map<std::uint64_t, v1::Node> nodes_;
};

// "12:00:07  job 12 (render) failed: exit code 3", by this PC's time zone.
std::string event_line(const v1::Event& event);

// One object on one line.
std::string event_json(const v1::Event& event);

}  // namespace hearth::cli
