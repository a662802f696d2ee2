// The networks of gangs that run now: for each start of a gang an authority that lives in memory, certificates for its
// members, and a lighthouse on this PC. Nothing of it is on a disk, so none outlives the hub: what ran in one when the
// hub ended runs again as a whole.
#pragma once

#include <map>
#include <string>

#include "hearth/v1/session.pb.h"
#include "hub/engine.h"
#include "hub/lighthouse.h"
#include "net/nebula_config.h"

namespace hearth::hub {

class GangNetworks : public Observer {
 public:
  explicit GangNetworks(Engine& engine) : engine_(engine) {}

  // The attempt's way in; the first of a gang's start makes its network. Errors: of starting nebula.
  Result<v1::GangNetwork> member(AttemptId attempt, const LiveJob& job);

  // Looks after the lighthouses from now on: a gang whose own has ended runs again.
  void start(net::Loop& loop);
  net::Async<void> stop();

  void job_changed(JobId, DeviceId) override {}
  void node_changed(NodeId) override {}
  void attempt_assigned(AttemptId, NodeId) override {}
  // The end of one member is the end of that start of the gang.
  void attempt_ended(AttemptId attempt, const v1::Outcome& outcome) override;
  void job_ended(JobId job) override { live_.erase(job); }

 private:
  struct Live {
    std::uint32_t epoch = 0;
    net::GangPlan plan;
    net::NebulaAuthority authority;
    std::string secret;
    std::uint16_t port = 0;
    Lighthouse lighthouse;
  };

  Result<Live> make(AttemptId attempt, const v1::JobSpec& spec) const;
  net::Async<void> look_after();

  Engine& engine_;
  std::map<JobId, Live> live_;
  bool running_ = false;
  bool stopping_ = false;
  net::Event woken_;
  net::Event stopped_;
};

}  // namespace hearth::hub
