#include "hub/web_doors.h"

#include <algorithm>

#include <fmt/format.h>

#include "hub/parts.h"

namespace hearth::hub {
namespace {

constexpr Duration kBetweenLooks = seconds(1);

}  // namespace

void WebDoors::start(Parts& parts, std::shared_ptr<const net::TlsContext> tls) {
  parts_ = &parts;
  tls_ = std::move(tls);
  looking_ = true;
  parts.loop.spawn(run());
}

net::Async<void> WebDoors::stop() {
  stopping_ = true;
  woken_.notify();
  while (!doors_.empty()) close(doors_.begin());
  while (looking_) co_await stopped_.wait();
  while (running_->count > 0) co_await running_->changed.wait();
}

net::Async<void> WebDoors::run() {
  while (!stopping_) {
    for (auto next = doors_.begin(); next != doors_.end();) {
      const auto door = next++;
      const Result<net::Caller> holder = standing_of(*parts_, door->first.device, "");
      const bool may_enter = holder && holder->level >= net::AccessLevel::kMember;
      const bool has_job = parts_->engine.live_job(door->first.task.job) != nullptr;
      if (!may_enter || !has_job || !door->second->is_used(parts_->loop.now())) close(door);
    }
    co_await woken_.wait(kBetweenLooks);
  }
  looking_ = false;
  stopped_.notify();
}

net::Async<Result<v1::OpenWebReply>> WebDoors::open(const v1::OpenWebRequest& request, const net::Caller& caller) {
  const TaskId task{{request.job_id()}, request.task()};
  const LiveJob* job = parts_->engine.live_job(task.job);
  const std::uint32_t port = request.port() != 0 || job == nullptr ? request.port() : job->spec.web_port();
  if (port > UINT16_MAX) co_return fail(Code::kInvalidArgument, "port: from 1 to 65535");
  if (Result<void> admitted = Tunnels::may_reach(*parts_, task, static_cast<std::uint16_t>(port), caller); !admitted) {
    co_return std::unexpected(admitted.error());
  }
  if (port == 0) {
    co_return fail(Code::kInvalidArgument,
                   fmt::format("job {} does not say that it is a web program (hearth run --web PORT): the port that it "
                               "listens on is needed",
                               task.job.value));
  }
  const bool is_confined = !job->spec.net_full();
  const WebDoor::Place place{.device = caller.device, .task = task, .port = static_cast<std::uint16_t>(port)};
  // Whether anything listens: who is let in is to find something there.
  if (const auto way = co_await tunnels_.open(*parts_, task, place.port, caller); !way) {
    const bool is_early = way.error().code == Code::kUnavailable;
    co_return fail(is_early ? Code::kFailedPrecondition : way.error().code, way.error().message);
  }
  if (Result<void> admitted = co_await Tunnels::admit(*parts_, task, place.port, caller); !admitted) {
    co_return std::unexpected(admitted.error());
  }
  if (stopping_) co_return fail(Code::kUnavailable, "the hub is stopping");
  const Result<WebDoor*> door = find_or_open(place, is_confined);
  if (!door) co_return std::unexpected(door.error());
  v1::OpenWebReply reply;
  reply.set_door((*door)->port());
  reply.set_path((*door)->new_path(parts_->loop.now()));
  co_return reply;
}

Result<WebDoor*> WebDoors::find_or_open(const WebDoor::Place& place, bool is_confined) {
  if (const auto known = doors_.find(place); known != doors_.end()) return known->second.get();
  if (!make_room(place.device)) {
    return fail(Code::kResourceExhausted,
                fmt::format("too many web programs are open (at most {} of a device, {} in all); end some of their "
                            "jobs, or wait: one that nobody uses closes after half an hour",
                            kMaxPerDevice, kMax));
  }
  Result<std::shared_ptr<WebDoor>> door = open_at_a_free_port(place, is_confined);
  if (!door) return std::unexpected(door.error());
  return doors_.emplace(place, std::move(*door)).first->second.get();
}

// Where there is none, the device's own door that it has not used for longest is closed.
bool WebDoors::make_room(DeviceId device) {
  std::size_t own = 0;
  auto oldest = doors_.end();
  for (auto door = doors_.begin(); door != doors_.end(); ++door) {
    if (door->first.device != device) continue;
    ++own;
    if (door->second->is_busy()) continue;
    if (oldest == doors_.end() || door->second->last_used() < oldest->second->last_used()) oldest = door;
  }
  if (own < kMaxPerDevice && doors_.size() < kMax) return true;
  if (oldest == doors_.end()) return false;
  close(oldest);
  return true;
}

Result<std::shared_ptr<WebDoor>> WebDoors::open_at_a_free_port(const WebDoor::Place& place, bool is_confined) {
  const WebDoor::World world{
      .parts = *parts_, .tunnels = tunnels_, .tls = tls_, .running = running_, .living = [this] { return ids(); }};
  for (std::uint16_t tried = 0; tried < kMax; ++tried) {
    last_ = static_cast<std::uint16_t>(last_ % kMax + 1);
    if (parts_->port + last_ > UINT16_MAX) continue;
    auto door = WebDoor::open(world, place, is_confined, static_cast<std::uint16_t>(parts_->port + last_));
    if (door || door.error().code != Code::kAlreadyExists) return door;
  }
  return fail(Code::kResourceExhausted, fmt::format("the ports {} to {} of the hub's PC, one of which this would be "
                                                    "reached at, are all taken",
                                                    parts_->port + 1, parts_->port + kMax));
}

void WebDoors::close(Doors::iterator door) {
  door->second->close();
  doors_.erase(door);
}

void WebDoors::job_ended(JobId job) {
  for (auto next = doors_.begin(); next != doors_.end();) {
    const auto door = next++;
    if (door->first.task.job == job) close(door);
  }
}

std::vector<std::string> WebDoors::ids() const {
  std::vector<std::string> ids;
  for (const auto& [place, door] : doors_) ids.push_back(door->id());
  return ids;
}

}  // namespace hearth::hub
