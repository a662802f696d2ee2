#include <cstdio>

#include "bench/benches.h"
#include "bench/world.h"
#include "hearth/v1/jobs.pb.h"
#include "hearth/v1/session.pb.h"

namespace hearth::bench {
namespace {

// A node that ends every task the moment it is assigned.
void run_instant_node(const HubProcess& hub, std::size_t number) {
  net::Loop loop;
  net::Workers workers(1);
  account::Session session(loop, workers, hub.node_account(number), hub.node_key(number));
  loop.run_until_done([](account::Session& from) -> net::Async<void> {
    auto socket = co_await open_node_session(from, 4);
    while (true) {
      Result<std::string> message = co_await socket->read(seconds(60));
      if (!message) co_return;
      v1::HubFrame frame;
      frame.ParseFromString(*message);
      v1::NodeFrame answer;
      for (const v1::Assign& assign : frame.assign()) *answer.add_finished()->mutable_attempt() = assign.attempt();
      if (answer.finished_size() > 0 && !co_await socket->write(answer.SerializeAsString())) co_return;
    }
  }(session));
}

net::Async<void> run_job(account::Session& owner, std::uint32_t tasks) {
  v1::SubmitRequest request;
  request.mutable_spec()->add_argv("no-op");
  request.mutable_spec()->set_tasks(tasks);
  request.set_request_id(net::random_bytes(16));
  auto submitted = co_await owner.call<v1::SubmitReply>("hearth.v1.JobService/Submit", request);
  if (!submitted) give_up(submitted.error().message);
  v1::GetJobRequest get;
  get.set_job_id(submitted->job_id());
  while (true) {
    auto reply = co_await owner.call<v1::GetJobReply>("hearth.v1.JobService/Get", get);
    if (!reply) give_up(reply.error().message);
    if (reply->job().succeeded() == tasks) co_return;
    co_await net::sleep_for(milliseconds(5));
  }
}

}  // namespace

int dispatch(const Arguments& arguments) {
  const auto tasks = static_cast<std::uint32_t>(arguments.get("--tasks", 100'000));
  const std::size_t nodes = arguments.get("--nodes", 2);
  const HubProcess hub(nodes);
  std::vector<pid_t> node_processes;
  for (std::size_t i = 0; i < nodes; ++i) node_processes.push_back(in_child([&] { run_instant_node(hub, i); }));

  net::Loop loop;
  net::Workers workers(1);
  account::Session owner(loop, workers, hub.owner_account(), hub.owner_key());
  loop.run_until_done(wait_for_nodes(owner, nodes));
  const auto cpu_of_all = [&] {
    double cpu = cpu_of(hub.process()) + spent_by_self().cpu;
    for (const pid_t node : node_processes) cpu += cpu_of(node);
    return cpu;
  };
  const double cpu_before = cpu_of_all();
  const double hub_before = cpu_of(hub.process());
  const double wall_before = spent_by_self().wall;
  loop.run_until_done(run_job(owner, tasks));
  const double wall = spent_by_self().wall - wall_before;
  std::printf("dispatch tasks=%u nodes=%zu tasks_per_second=%.0f cpu_us_per_task=%.1f hub_cpu_us_per_task=%.1f\n",
              tasks, nodes, tasks / wall, (cpu_of_all() - cpu_before) * 1e6 / tasks,
              (cpu_of(hub.process()) - hub_before) * 1e6 / tasks);
  for (const pid_t node : node_processes) kill_and_wait(node);
  return 0;
}

}  // namespace hearth::bench
