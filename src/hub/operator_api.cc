// OperatorService: who waits for what, and how the pool was shared.
#include <algorithm>
#include <limits>
#include <map>
#include <tuple>
#include <utility>
#include <vector>

#include "hearth/v1/operator.pb.h"
#include "hub/convert.h"
#include "hub/parts.h"
#include "hub/why.h"

namespace hearth::hub {
namespace {

constexpr int kMostLines = 100;
constexpr std::size_t kMostReasons = 30;  // each takes a look at every node
constexpr std::size_t kReasonsOfALine = 3;
constexpr std::size_t kMostSamples = 400;
constexpr std::uint32_t kMostHours = 24;

// Of a job; a device that is in none is an account by itself, under its own number.
AccountId account_of(const LiveJob& live, const Devices& devices) {
  const store::DeviceRow* owner = devices.find(live.row.request.owner);
  const bool is_in_one = owner != nullptr && owner->account != AccountId{};
  return is_in_one ? owner->account : AccountId{live.row.request.owner.value};
}

std::string name_of(const Parts& parts, AccountId id) {
  const std::string name = parts.accounts.name(id);
  return name.empty() ? parts.devices.name(DeviceId{id.value}) : name;
}

// As the fair queue orders jobs within an account.
using Turn = std::pair<std::int64_t, JobId>;

Turn turn_of(const pool::JobRequest& request) {
  constexpr std::int64_t kNone = std::numeric_limits<std::int64_t>::max();
  return {request.deadline_millis > 0 ? request.deadline_millis : kNone, request.id};
}

struct Line {
  std::uint32_t jobs = 0;
  std::uint64_t pending = 0;
  std::uint64_t running = 0;
  std::vector<std::pair<Turn, const LiveJob*>> waiting;
};

void add_waiting(v1::QueueLine& line, const Parts& parts, const LiveJob& live) {
  const JobId id = live.row.request.id;
  const auto why = parts.engine.pool().why(id, parts.loop.now());
  const auto view = parts.engine.pool().job(id, parts.loop.now());
  if (!why || !view) return;
  v1::WaitingJob& job = *line.add_first();
  job.set_job_id(id.value);
  job.set_name(live.spec.name().empty() ? live.spec.argv(0) : live.spec.name());
  job.set_owner(parts.devices.name(live.row.request.owner));
  job.set_tasks_pending(view->pending);
  job.set_reason(sentence(parts, *why, live));
  *job.mutable_submitted() = moment(live.row.submitted);
}

std::map<std::pair<pool::PriorityClass, AccountId>, Line> lines_of(const Parts& parts) {
  std::map<std::pair<pool::PriorityClass, AccountId>, Line> lines;
  for (const auto& [id, live] : parts.engine.live_jobs()) {
    const auto view = parts.engine.pool().job(id, parts.loop.now());
    if (!view || view->pending + view->running == 0) continue;
    const pool::JobRequest& request = live.row.request;
    Line& line = lines[{request.priority, account_of(live, parts.devices)}];
    ++line.jobs;
    line.pending += view->pending;
    line.running += view->running;
    if (view->pending > 0) line.waiting.emplace_back(turn_of(request), &live);
  }
  return lines;
}

v1::QueueReply queue(const Parts& parts) {
  auto lines = lines_of(parts);
  std::vector<std::pair<std::pair<pool::PriorityClass, AccountId>, Line*>> order;
  for (auto& [key, line] : lines) order.emplace_back(key, &line);
  std::ranges::sort(order, [](const auto& a, const auto& b) {
    const auto rank = [](const auto& one) {
      return std::tuple(-static_cast<int>(one.first.first), ~one.second->pending, one.first.second);
    };
    return rank(a) < rank(b);
  });
  v1::QueueReply reply;
  std::size_t reasons = 0;
  for (auto& [key, line] : order) {
    if (reply.lines_size() == kMostLines) break;
    v1::QueueLine& shown = *reply.add_lines();
    shown.set_priority(static_cast<v1::PriorityClass>(key.first));
    shown.set_account(name_of(parts, key.second));
    shown.set_jobs(line->jobs);
    shown.set_tasks_pending(line->pending);
    shown.set_tasks_running(line->running);
    const std::size_t first = std::min({line->waiting.size(), kReasonsOfALine, kMostReasons - reasons});
    std::ranges::partial_sort(line->waiting, line->waiting.begin() + static_cast<std::ptrdiff_t>(first), {},
                              [](const auto& one) { return one.first; });
    for (std::size_t i = 0; i < first; ++i) add_waiting(shown, parts, *line->waiting[i].second);
    reasons += first;
  }
  reply.set_lines_left_out(static_cast<std::uint32_t>(order.size()) - static_cast<std::uint32_t>(reply.lines_size()));
  return reply;
}

void add_sample(v1::SharesReply& reply, const Parts& parts, const ShareSample& sample) {
  v1::ShareSample& shown = *reply.add_samples();
  *shown.mutable_at() = moment(sample.at);
  for (const auto& [account, share] : sample.shares) {
    v1::AccountShare& one = *shown.add_shares();
    one.set_account(name_of(parts, account));
    one.set_share(share);
  }
}

v1::SharesReply shares(const Parts& parts, std::uint32_t hours) {
  v1::SharesReply reply;
  const std::int64_t back = std::int64_t{hours == 0 ? kMostHours : hours} * 60 * 60 * 1000;
  const WallTime since{wall_now().unix_millis - back};
  for (const ShareSample* sample : thinned(parts.shares.samples(), since, kMostSamples - 1)) {
    add_sample(reply, parts, *sample);
  }
  add_sample(reply, parts, parts.shares.now());
  return reply;
}

}  // namespace

void add_operator_methods(net::Dispatcher& dispatcher, Parts& parts) {
  dispatcher.unary<v1::QueueRequest, v1::QueueReply>(
      "hearth.v1.OperatorService.Queue",
      [&parts](const v1::QueueRequest&, net::Caller&) -> net::Async<Result<v1::QueueReply>> {
        co_return queue(parts);
      });
  dispatcher.unary<v1::SharesRequest, v1::SharesReply>(
      "hearth.v1.OperatorService.Shares",
      [&parts](const v1::SharesRequest& request, net::Caller&) -> net::Async<Result<v1::SharesReply>> {
        if (request.hours() > kMostHours) co_return fail(Code::kInvalidArgument, "hours: at most 24");
        co_return shares(parts, request.hours());
      });
}

}  // namespace hearth::hub
