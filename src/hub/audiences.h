// Whom apps are shared with (core/pool/audiences.h), as the store has it, and who sees each app now: whoever's right
// becomes another one is cut off at once, and may come back with that.
#pragma once

#include <functional>
#include <map>
#include <string>
#include <vector>

#include "core/pool/audiences.h"
#include "hearth/v1/audiences.pb.h"
#include "hub/accounts.h"
#include "hub/devices.h"
#include "hub/engine.h"
#include "hub/watchers.h"

namespace hearth::hub {

class Audiences : public Observer {
 public:
  static constexpr std::size_t kMost = 10'000;  // people, of all apps

  // A stream by which a device, or a player, sees an app.
  struct Sight {
    JobId job;
    DeviceId device;                                   // 0: a player
    pool::AppRight right = pool::AppRight::kNone;      // with which it was opened
    std::function<void(pool::AppRight now)> cut = {};  // since it is another one now
    std::uint32_t link = 0;                            // of the app's watch links, by which a player came
  };
  // One while it lives.
  class Seat {
   public:
    Seat(Audiences& of, Sight sight) : of_(of), number_(of.sit_down(std::move(sight))) {}
    ~Seat() { of_.stand_up(number_); }
    Seat(const Seat&) = delete;
    Seat& operator=(const Seat&) = delete;

   private:
    Audiences& of_;
    std::uint64_t number_;
  };

  Audiences(Engine& engine, const Devices& devices, const Accounts& accounts, Watchers& watchers);

  // What the store has, once the engine is restored: of jobs that have ended meanwhile it is forgotten.
  void restore(const std::vector<store::AudienceRow>& rows, const std::vector<store::WatchLinkRow>& links);

  pool::Beholder beholder(const LiveJob& job, DeviceId device) const;
  pool::AppRight right_of(const LiveJob& job, DeviceId device) const;
  const pool::Audience& of(JobId job) const;
  std::size_t people() const;             // of all apps
  std::size_t watchers(JobId job) const;  // that see it now and may only watch
  std::size_t players(pool::WatchLinkId link) const;

  // What is to be on the disk is part of the next commit.
  void set(JobId job, pool::Audience audience);
  // An account or a device is no more.
  void forget(AccountId person);
  // Somebody's standing or account has changed.
  void recheck();
  // Watch links that have run out, or whose makers may not share the app any more, are no more.
  void sweep_links(WallTime now);
  // Whether the app is this device's to share.
  bool may_share(const LiveJob& job, DeviceId device) const;

  // An account first. Errors: kNotFound, kInvalidArgument (a firm, or a PC that only lends resources).
  Result<AccountId> person(const std::string& name) const;

  v1::WatchLink view(JobId job, const pool::WatchLink& link) const;
  v1::SharedApp view(const LiveJob& job, DeviceId asking) const;
  std::vector<v1::SharedApp> shown_to(DeviceId asking) const;

  void job_changed(JobId, DeviceId) override {}
  void node_changed(NodeId) override {}
  void attempt_assigned(AttemptId, NodeId) override {}
  void attempt_ended(AttemptId, const v1::Outcome&) override {}
  void job_ended(JobId job) override { set(job, {}); }

 private:
  std::uint64_t sit_down(Sight sight);
  void stand_up(std::uint64_t number);
  void fill_viewers(v1::SharedApp& app, JobId job) const;
  pool::AppRight right_of(const Sight& sight) const;
  std::pair<std::string, bool> name_of(AccountId person) const;  // true: a device's

  Engine& engine_;
  const Devices& devices_;
  const Accounts& accounts_;
  Watchers& watchers_;
  std::map<JobId, pool::Audience> audiences_;  // none is empty
  std::map<std::uint64_t, Sight> sights_;
  std::uint64_t last_sight_ = 0;
};

// Whether it is watched and used by viewers.
bool is_app(const v1::JobSpec& spec);

}  // namespace hearth::hub
