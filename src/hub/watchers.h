// The one stream that keeps a page up to date: who watches, and what changed since each was last told.
#pragma once

#include <deque>
#include <functional>
#include <map>
#include <set>
#include <string>

#include "hearth/v1/nodes.pb.h"
#include "hub/invitations.h"
#include "hub/views.h"
#include "net/connect.h"

namespace hearth::hub {

class Watchers : public Observer {
 public:
  Watchers(net::Loop& loop, Views& views, const Devices& devices, Invitations& invitations);

  void job_changed(JobId job, DeviceId owner) override;
  void node_changed(NodeId node) override;
  void attempt_assigned(AttemptId, NodeId) override {}
  void attempt_ended(AttemptId, const v1::Outcome&) override {}
  void attempt_failed(const FailedAttempt& failed) override;
  void job_ended(JobId) override {}
  void job_removed(JobId job, DeviceId owner) override { job_changed(job, owner); }
  void device_changed(DeviceId device);
  void pending_changed();
  void apps_changed();

  // What a device is shown of apps' audiences. Set before anybody watches.
  void show_apps(std::function<std::vector<v1::SharedApp>(DeviceId)> of) { apps_of_ = std::move(of); }

  // Serves one watcher until it is gone.
  net::Async<Result<void>> watch(const v1::WatchRequest& request, const net::Caller& caller, net::ReplyStream& stream);

  // Returns once nobody is served any more; their connections must have been closed.
  net::Async<void> stop();

 private:
  struct Watcher {
    Visibility visible;
    std::set<JobId> jobs;
    std::set<DeviceId> nodes;
    std::set<DeviceId> devices;
    bool pending = false;
    bool apps = false;
    std::string told_apps = {};
    bool wants_failures = false;
    std::deque<v1::FailedAttempt> failures = {};
    std::uint64_t untold = 0;            // failures that found no room
    std::map<NodeId, std::string> told;  // of nodes, to one who is shown its own alone
    net::Event woken;
    bool empty() const {
      return jobs.empty() && nodes.empty() && devices.empty() && !pending && !apps && failures.empty() && untold == 0;
    }
  };
  net::Async<Result<v1::WatchReply>> snapshot(Watcher& watcher, const net::Caller& caller);
  net::Async<v1::WatchReply> changes(Watcher& watcher, const net::Caller& caller);
  static void add_failures(Watcher& watcher, v1::WatchReply& reply);
  void add_apps(Watcher& watcher, v1::WatchReply& reply) const;
  static bool is_news(Watcher& watcher, const v1::Node& node);
  void add_pending(v1::WatchReply& reply, const net::Caller& caller);

  net::Loop& loop_;
  Views& views_;
  const Devices& devices_;
  Invitations& invitations_;
  std::function<std::vector<v1::SharedApp>(DeviceId)> apps_of_;
  std::set<Watcher*> watchers_;
  bool stopping_ = false;
  net::Event one_less_;
};

v1::PendingPairing pending_view(const WaitingDevice& device, Time now);

}  // namespace hearth::hub
