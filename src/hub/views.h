// Jobs, nodes and devices as the API shows them, to whom: what a device may not see is left out here, and is answered
// like what is not there.
#pragma once

#include <functional>
#include <map>
#include <optional>

#include "core/pool/pool.h"
#include "hearth/v1/devices.pb.h"
#include "hearth/v1/nodes.pb.h"
#include "hearth/v1/session.pb.h"
#include "hub/accounts.h"
#include "hub/convert.h"
#include "hub/devices.h"
#include "hub/engine.h"
#include "hub/sessions.h"

namespace hearth::hub {

// What a node last said of itself. Kept while the hub runs, so that a node that is away still has a face.
struct NodeFacts {
  v1::Hello hello;
  v1::Heartbeat heartbeat;
};

class Views {
 public:
  Views(net::Loop& loop, Engine& engine, const Devices& devices, const Accounts& accounts, const Sessions& sessions);

  // Errors: kNotFound.
  net::Async<Result<v1::Job>> job(JobId id, Visibility visible) const;
  v1::Job live_job(const LiveJob& job) const;
  // Newest first.
  net::Async<Result<std::vector<v1::Job>>> jobs(JobId before, std::uint32_t limit, Visibility visible) const;
  // Of a job that may be seen.
  net::Async<Result<std::vector<v1::Task>>> tasks(JobId id, std::uint32_t first, std::uint32_t limit,
                                                  bool only_failed) const;

  v1::Node node(const store::DeviceRow& device, Visibility visible) const;
  std::vector<v1::Node> nodes(Visibility visible) const;
  std::vector<v1::Device> devices(Visibility visible) const;
  v1::Device device(const store::DeviceRow& device, DeviceId asking) const;

  std::string device_name(DeviceId device) const { return devices_.name(device); }
  NodeFacts& facts(NodeId node) { return facts_[node]; }

  // Who says how the results stand that go into the drive.
  void describe_results_by(std::function<void(v1::Job&)> describe) { describe_results_ = std::move(describe); }

 private:
  v1::Job ended_job(const store::JobRow& row, const std::array<std::uint32_t, 6>& counts,
                    const v1::Outcome& failure) const;

  void add_running(v1::Node& node, Visibility visible) const;

  net::Loop& loop_;
  Engine& engine_;
  const Devices& devices_;
  const Accounts& accounts_;
  const Sessions& sessions_;
  std::map<NodeId, NodeFacts> facts_;
  std::function<void(v1::Job&)> describe_results_ = [](v1::Job&) {};
};

// As a job's specification is listed: without argv's tail, without variables.
v1::JobSpec listed(v1::JobSpec spec);

// What is said of a job that is not there, or may not be seen.
std::unexpected<Error> no_job(JobId id);

}  // namespace hearth::hub
