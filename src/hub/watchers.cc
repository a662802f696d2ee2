#include "hub/watchers.h"

namespace hearth::hub {
namespace {

constexpr Duration kLeastInterval = milliseconds(100);
// A silent stream says something this often, so that a client that has gone is noticed.
constexpr Duration kKeepAlive = seconds(20);
constexpr std::uint32_t kSnapshotJobs = 100;
constexpr std::size_t kMostJobsAtOnce = 200;
constexpr std::size_t kMostFailures = 1'000;

}  // namespace

v1::PendingPairing pending_view(const WaitingDevice& device, Time now) {
  v1::PendingPairing view;
  view.set_pairing_id(device.pairing_id);
  view.set_name(device.name);
  view.set_digits(device.digits);
  view.set_address(device.address);
  view.set_role(device.standing.role);
  view.set_ring(static_cast<v1::Ring>(device.standing.ring));
  *view.mutable_expires() = moment({wall_now().unix_millis + (device.expires - now).micros / 1000});
  return view;
}

Watchers::Watchers(net::Loop& loop, Views& views, const Devices& devices, Invitations& invitations)
    : loop_(loop), views_(views), devices_(devices), invitations_(invitations) {}

void Watchers::job_changed(JobId job, DeviceId owner) {
  for (Watcher* watcher : watchers_) {
    if (!watcher->visible.covers(owner)) continue;
    watcher->jobs.insert(job);
    watcher->woken.notify();
  }
}

void Watchers::attempt_failed(const FailedAttempt& failed) {
  for (Watcher* watcher : watchers_) {
    if (!watcher->wants_failures || !watcher->visible.covers(failed.owner)) continue;
    watcher->woken.notify();
    if (watcher->failures.size() == kMostFailures) {
      ++watcher->untold;
      continue;
    }
    v1::FailedAttempt& told = watcher->failures.emplace_back();
    told.set_job_id(failed.attempt.task.job.value);
    told.set_task(failed.attempt.task.index);
    told.set_attempts(failed.attempts);
    if (failed.node != NodeId{}) told.set_node(devices_.name(failed.node));
    told.set_again(failed.again);
    *told.mutable_at() = moment(failed.at);
    v1::Outcome& outcome = *told.mutable_outcome();
    outcome = failed.outcome;
    outcome.clear_outputs();
    outcome.clear_log();
    outcome.clear_wiped();
  }
}

void Watchers::node_changed(NodeId node) {
  for (Watcher* watcher : watchers_) {
    watcher->nodes.insert(node);
    watcher->woken.notify();
  }
}

void Watchers::device_changed(DeviceId device) {
  for (Watcher* watcher : watchers_) {
    if (!watcher->visible.covers(device)) continue;
    watcher->devices.insert(device);
    watcher->woken.notify();
  }
}

void Watchers::pending_changed() {
  for (Watcher* watcher : watchers_) {
    if (!watcher->visible.is_whole()) continue;  // no owner's
    watcher->pending = true;
    watcher->woken.notify();
  }
}

void Watchers::apps_changed() {
  for (Watcher* watcher : watchers_) {
    watcher->apps = true;
    watcher->woken.notify();
  }
}

net::Async<Result<void>> Watchers::watch(const v1::WatchRequest& request, const net::Caller& caller,
                                         net::ReplyStream& stream) {
  Watcher watcher{.visible = devices_.visible_to(caller.device),
                  .jobs = {},
                  .nodes = {},
                  .devices = {},
                  .wants_failures = request.failed_attempts(),
                  .told = {},
                  .woken = {}};
  struct Registration {
    Watchers& all;
    Watcher* one;
    ~Registration() {
      all.watchers_.erase(one);
      all.one_less_.notify();
    }
  };
  watchers_.insert(&watcher);
  const Registration registration{*this, &watcher};
  Result<v1::WatchReply> first = co_await snapshot(watcher, caller);
  if (!first) co_return std::unexpected(first.error());
  Result<void> sent = co_await stream.send(*first);
  Time said = loop_.now();
  while (sent && !stopping_ && !stream.gone()) {
    if (watcher.empty()) {
      const bool woken = co_await watcher.woken.wait(kKeepAlive);
      if (!woken && watcher.empty()) {
        sent = co_await stream.send(v1::WatchReply());
        continue;
      }
    }
    v1::WatchReply reply = co_await changes(watcher, caller);
    // What woke it may be nothing that it is shown.
    if (reply.ByteSizeLong() > 0 || loop_.now() - said >= kKeepAlive) {
      said = loop_.now();
      sent = co_await stream.send(reply);
    }
    if (sent) co_await net::sleep_for(kLeastInterval);
  }
  co_return sent;
}

net::Async<void> Watchers::stop() {
  stopping_ = true;
  for (Watcher* watcher : watchers_) watcher->woken.notify();
  while (!watchers_.empty()) co_await one_less_.wait();
}

net::Async<Result<v1::WatchReply>> Watchers::snapshot(Watcher& watcher, const net::Caller& caller) {
  v1::WatchReply reply;
  reply.set_snapshot(true);
  reply.set_own_only(!watcher.visible.is_whole());
  Result<std::vector<v1::Job>> jobs = co_await views_.jobs({}, kSnapshotJobs, watcher.visible);
  if (!jobs) co_return std::unexpected(jobs.error());
  for (v1::Job& job : *jobs) *reply.add_jobs() = std::move(job);
  for (v1::Node& node : views_.nodes(watcher.visible)) {
    if (is_news(watcher, node)) *reply.add_nodes() = std::move(node);
  }
  for (v1::Device& device : views_.devices(watcher.visible)) *reply.add_devices() = std::move(device);
  add_pending(reply, caller);
  add_apps(watcher, reply);
  co_return reply;
}

net::Async<v1::WatchReply> Watchers::changes(Watcher& watcher, const net::Caller& caller) {
  v1::WatchReply reply;
  add_failures(watcher, reply);
  for (const NodeId id : std::exchange(watcher.nodes, {})) {
    const store::DeviceRow* row = devices_.find_active(id);
    if (row == nullptr || row->role != v1::ROLE_NODE) continue;
    v1::Node node = views_.node(*row, watcher.visible);
    if (is_news(watcher, node)) *reply.add_nodes() = std::move(node);
  }
  for (const DeviceId id : std::exchange(watcher.devices, {})) {
    const store::DeviceRow* row = devices_.find_active(id);
    if (row != nullptr)
      *reply.add_devices() = views_.device(*row, caller.device);
    else
      reply.add_removed_devices(id.value);
  }
  if (std::exchange(watcher.pending, false)) add_pending(reply, caller);
  if (std::exchange(watcher.apps, false)) add_apps(watcher, reply);
  std::size_t count = 0;
  while (!watcher.jobs.empty() && count++ < kMostJobsAtOnce) {
    const JobId id = *watcher.jobs.begin();
    watcher.jobs.erase(watcher.jobs.begin());
    Result<v1::Job> job = co_await views_.job(id, watcher.visible);
    if (job) *reply.add_jobs() = std::move(*job);
    if (!job && job.error().code == Code::kNotFound) reply.add_removed_jobs(id.value);
  }
  co_return reply;
}

void Watchers::add_failures(Watcher& watcher, v1::WatchReply& reply) {
  for (v1::FailedAttempt& failed : std::exchange(watcher.failures, {})) {
    *reply.add_failed_attempts() = std::move(failed);
  }
  reply.set_untold_attempts(std::exchange(watcher.untold, 0));
}

// Others' apps come and go without a word.
void Watchers::add_apps(Watcher& watcher, v1::WatchReply& reply) const {
  v1::WatchReply news;
  for (v1::SharedApp& app : apps_of_(watcher.visible.device())) *news.add_shared_apps() = std::move(app);
  std::string text = news.SerializeAsString();
  if (text == watcher.told_apps && !reply.snapshot()) return;
  watcher.told_apps = std::move(text);
  news.set_shared_apps_changed(true);
  reply.MergeFrom(news);
}

// That something changed on a node which is not shown is not told either: it may be when others' tasks end.
bool Watchers::is_news(Watcher& watcher, const v1::Node& node) {
  if (watcher.visible.is_whole()) return true;
  std::string text = node.SerializeAsString();
  std::string& told = watcher.told[{node.id()}];
  if (told == text) return false;
  told = std::move(text);
  return true;
}

// Only those who may answer see who asks.
void Watchers::add_pending(v1::WatchReply& reply, const net::Caller& caller) {
  reply.set_pending_changed(true);
  if (caller.level != net::AccessLevel::kOwner) return;
  for (const WaitingDevice* device : invitations_.waiting(loop_.now())) {
    *reply.add_pending() = pending_view(*device, loop_.now());
  }
}

}  // namespace hearth::hub
