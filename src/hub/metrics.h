// What the hub tells a monitoring system of itself: GET /metrics, in Prometheus' text format. Sums alone: nothing here
// names a device, a job or a person, and no label takes a value that somebody chose.
//
// What happens is counted as it happens (this is an observer of the engine); how things stand is looked up when asked.
// A new one: a member here, its name and help in metrics.cc, and a panel or none in packaging/grafana/hearth.json.
#pragma once

#include <string>
#include <string_view>

#include "blob/blob_store.h"
#include "hub/devices.h"
#include "hub/engine.h"
#include "hub/metric_registry.h"
#include "hub/sessions.h"
#include "net/async.h"
#include "net/connect.h"

namespace hearth::hub {

class Metrics : public Observer {
 public:
  Metrics(net::Loop& loop, Engine& engine, const Devices& devices, const Sessions& sessions,
          const blob::BlobStore& blobs);

  // Measures how late the loop is, until stop().
  void start();
  net::Async<void> stop();

  void answered(const net::AnsweredCall& call);
  void blob_sent(std::uint64_t bytes) { blob_bytes_sent_.add(static_cast<double>(bytes)); }
  void requested(std::string_view route);  // one of a few, see hub.cc
  void committed(std::size_t rows, Duration took);

  // All of it, as it is now. `connections`: that the server has.
  std::string text(std::size_t connections);

  void job_changed(JobId, DeviceId) override {}
  void node_changed(NodeId) override {}
  void attempt_assigned(AttemptId attempt, NodeId node) override;
  void attempt_ended(AttemptId attempt, const v1::Outcome& outcome) override;
  void job_ended(JobId job) override;
  void used(const store::UsageRow& row) override;

 private:
  void count_jobs();
  void count_nodes();
  net::Async<void> measure_loop();

  net::Loop& loop_;
  Engine& engine_;
  const Devices& devices_;
  const Sessions& sessions_;
  const blob::BlobStore& blobs_;
  MetricRegistry registry_;
  Histogram& commit_rows_;
  Histogram& commit_seconds_;
  Histogram& request_seconds_;
  Histogram& loop_lag_;
  Counter& attempts_started_;
  Counter& used_core_seconds_;
  Counter& unmetered_core_seconds_;
  Counter& energy_joules_;
  Counter& blob_bytes_sent_;
  bool running_ = false;
  bool stopping_ = false;
  net::Event woken_;
  net::Event stopped_;
};

}  // namespace hearth::hub
