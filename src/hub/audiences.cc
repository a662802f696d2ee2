#include "hub/audiences.h"

#include <algorithm>
#include <ranges>
#include <set>

#include <fmt/format.h>

#include "hub/convert.h"

namespace hearth::hub {
namespace {

store::AudienceRow row_of(JobId job, const pool::Audience& audience, AccountId person, pool::Audience::Terms terms) {
  return {job, person, terms.may_control, audience.controller() == person};
}

// What the store is to be told.
std::vector<store::AudienceRow> changes(JobId job, const pool::Audience& before, const pool::Audience& now) {
  std::vector<store::AudienceRow> rows;
  for (const auto& [person, terms] : before.people()) {
    if (!now.people().contains(person)) rows.push_back({job, person, false, false, true});
  }
  for (const auto& [person, terms] : now.people()) {
    const auto earlier = before.people().find(person);
    const bool is_same = earlier != before.people().end() && earlier->second == terms &&
                         (before.controller() == person) == (now.controller() == person);
    if (!is_same) rows.push_back(row_of(job, now, person, terms));
  }
  return rows;
}

store::WatchLinkRow row_of(JobId job, const pool::WatchLink& link) {
  return {.job = job,
          .number = link.number,
          .secret_hash = link.secret_hash,
          .label = link.label,
          .maker = link.maker,
          .made = link.made,
          .expires = link.expires,
          .most_players = link.most_players};
}

store::WatchLinkRow removed_link(JobId job, std::uint32_t number) {
  return {.job = job, .number = number, .secret_hash = {}, .label = {}};
}

std::vector<store::WatchLinkRow> link_changes(JobId job, const pool::Audience& before, const pool::Audience& now) {
  std::vector<store::WatchLinkRow> rows;
  for (const auto& [number, link] : before.links()) {
    if (!now.links().contains(number)) rows.push_back(removed_link(job, number));
  }
  for (const auto& [number, link] : now.links()) {
    if (!before.links().contains(number)) rows.push_back(row_of(job, link));
  }
  return rows;
}

bool runs_pool(const store::DeviceRow& device) {
  return device.role == v1::ROLE_OWNER || device.role == v1::ROLE_OPERATOR;
}

}  // namespace

bool is_app(const v1::JobSpec& spec) { return spec.window() || spec.terminal(); }

Audiences::Audiences(Engine& engine, const Devices& devices, const Accounts& accounts, Watchers& watchers)
    : engine_(engine), devices_(devices), accounts_(accounts), watchers_(watchers) {}

void Audiences::restore(const std::vector<store::AudienceRow>& rows, const std::vector<store::WatchLinkRow>& links) {
  for (const store::WatchLinkRow& row : links) {
    if (engine_.live_job(row.job) == nullptr) {
      engine_.keep(removed_link(row.job, row.number));
      continue;
    }
    audiences_[row.job].restore_link({.number = row.number,
                                      .secret_hash = row.secret_hash,
                                      .label = row.label,
                                      .maker = row.maker,
                                      .made = row.made,
                                      .expires = row.expires,
                                      .most_players = row.most_players});
  }
  for (const store::AudienceRow& row : rows) {
    if (engine_.live_job(row.job) == nullptr) {
      engine_.keep(store::AudienceRow{row.job, row.person, false, false, true});
      continue;
    }
    pool::Audience& audience = audiences_[row.job];
    static_cast<void>(audience.let_in(row.person, {.may_control = row.may_control}));
    if (row.controls) static_cast<void>(audience.pass(row.person));
  }
}

pool::Beholder Audiences::beholder(const LiveJob& job, DeviceId device) const {
  const store::DeviceRow* row = devices_.find_active(device);
  if (row == nullptr) return {};
  return {.device = device, .account = row->account, .is_its = job.row.request.owner == device || runs_pool(*row)};
}

pool::AppRight Audiences::right_of(const LiveJob& job, DeviceId device) const {
  return of(job.row.request.id).right_of(beholder(job, device));
}

pool::AppRight Audiences::right_of(const Sight& sight) const {
  const LiveJob* job = engine_.live_job(sight.job);
  if (job == nullptr) return pool::AppRight::kNone;
  if (sight.link == 0) return right_of(*job, sight.device);
  return of(sight.job).links().contains(sight.link) ? pool::AppRight::kWatch : pool::AppRight::kNone;
}

bool Audiences::may_share(const LiveJob& job, DeviceId device) const {
  return beholder(job, device).is_its && devices_.visible_to(device).is_whole();
}

const pool::Audience& Audiences::of(JobId job) const {
  static const pool::Audience nobody{};
  const auto found = audiences_.find(job);
  return found == audiences_.end() ? nobody : found->second;
}

std::size_t Audiences::people() const {
  std::size_t count = 0;
  for (const auto& [job, audience] : audiences_) count += audience.people().size();
  return count;
}

std::size_t Audiences::watchers(JobId job) const {
  return static_cast<std::size_t>(std::ranges::count_if(
      sights_, [job](const auto& one) { return one.second.job == job && one.second.right == pool::AppRight::kWatch; }));
}

std::size_t Audiences::players(pool::WatchLinkId link) const {
  return static_cast<std::size_t>(std::ranges::count_if(sights_, [link](const auto& one) {
    const Sight& sight = one.second;
    return sight.job == link.job && sight.link == link.number && sight.right == pool::AppRight::kWatch;
  }));
}

void Audiences::set(JobId job, pool::Audience audience) {
  const std::vector<store::AudienceRow> rows = changes(job, of(job), audience);
  std::vector<store::WatchLinkRow> links = link_changes(job, of(job), audience);
  if (rows.empty() && links.empty()) return;
  for (const store::AudienceRow& row : rows) engine_.keep(row);
  for (store::WatchLinkRow& row : links) engine_.keep(std::move(row));
  if (audience.is_empty()) {
    audiences_.erase(job);
  } else {
    audiences_[job] = std::move(audience);
  }
  recheck();
}

void Audiences::forget(AccountId person) {
  const std::map<JobId, pool::Audience> all = audiences_;
  for (const auto& [job, audience] : all) {
    pool::Audience without = audience;
    const bool was_in = without.take_back(person);
    if (without.drop_made_by({person.value}) || was_in) set(job, std::move(without));
  }
}

void Audiences::sweep_links(WallTime now) {
  std::vector<JobId> with_links;
  for (const auto& [id, audience] : audiences_) {
    if (!audience.links().empty()) with_links.push_back(id);
  }
  for (const JobId id : with_links) {
    const LiveJob* job = engine_.live_job(id);
    pool::Audience living = of(id);
    living.drop_run_out(now);
    for (const auto& [number, link] : of(id).links()) {
      if (job == nullptr || !may_share(*job, link.maker)) living.revoke_link(number);
    }
    set(id, std::move(living));
  }
}

void Audiences::recheck() {
  std::vector<std::pair<std::function<void(pool::AppRight)>, pool::AppRight>> cuts;
  for (auto& [number, sight] : sights_) {
    const pool::AppRight now = right_of(sight);
    if (now == sight.right) continue;
    sight.right = now;
    cuts.emplace_back(sight.cut, now);
  }
  for (const auto& [cut, now] : cuts) cut(now);
  watchers_.apps_changed();
}

std::uint64_t Audiences::sit_down(Sight sight) {
  sights_.emplace(++last_sight_, std::move(sight));
  watchers_.apps_changed();
  return last_sight_;
}

void Audiences::stand_up(std::uint64_t number) {
  sights_.erase(number);
  watchers_.apps_changed();
}

Result<AccountId> Audiences::person(const std::string& name) const {
  if (const store::AccountRow* account = accounts_.find(name)) {
    if (!account->is_firm) return account->id;
    return fail(Code::kInvalidArgument, name + " is a firm: name accounts that are of it, or devices");
  }
  for (const store::DeviceRow* device : devices_.active()) {
    if (device->name != name) continue;
    if (device->role != v1::ROLE_NODE) return AccountId{device->id.value};
    return fail(Code::kInvalidArgument, name + " is a PC that lends resources: name an account, or a person's device");
  }
  return fail(Code::kNotFound, fmt::format("there is no account and no device '{}'; those that there are: hearth "
                                           "account, hearth devices",
                                           name.substr(0, 64)));
}

std::pair<std::string, bool> Audiences::name_of(AccountId person) const {
  if (const store::AccountRow* account = accounts_.find(person)) return {account->name, false};
  return {devices_.name({person.value}), true};
}

void Audiences::fill_viewers(v1::SharedApp& app, JobId job) const {
  std::map<std::string, pool::AppRight> viewers;
  for (const auto& [number, sight] : sights_) {
    if (sight.job != job || sight.right == pool::AppRight::kNone || sight.link != 0) continue;
    pool::AppRight& best = viewers[devices_.name(sight.device)];
    best = std::max(best, sight.right);
  }
  for (const auto& [name, right] : viewers) {
    v1::AppViewer& viewer = *app.add_viewers();
    viewer.set_device(name);
    viewer.set_right(static_cast<v1::AppRight>(right));
  }
  for (const auto& [number, link] : of(job).links()) {
    const pool::WatchLinkId id{job, number};
    if (players(id) == 0) continue;
    v1::AppViewer& viewer = *app.add_viewers();
    viewer.set_device(link.label.empty() ? to_text(id) : link.label);
    viewer.set_right(v1::APP_RIGHT_WATCH);
    viewer.set_players(static_cast<std::uint32_t>(players(id)));
  }
}

v1::WatchLink Audiences::view(JobId job, const pool::WatchLink& link) const {
  const pool::WatchLinkId id{job, link.number};
  v1::WatchLink shown;
  shown.set_id(to_text(id));
  shown.set_label(link.label);
  shown.set_maker(devices_.name(link.maker));
  *shown.mutable_made() = moment(link.made);
  *shown.mutable_expires() = moment(link.expires);
  shown.set_max_players(link.most_players);
  shown.set_players(static_cast<std::uint32_t>(players(id)));
  return shown;
}

v1::SharedApp Audiences::view(const LiveJob& job, DeviceId asking) const {
  const JobId id = job.row.request.id;
  const pool::Audience& audience = of(id);
  const pool::Beholder who = beholder(job, asking);
  v1::SharedApp app;
  app.set_job_id(id.value);
  app.set_name(job.spec.name().empty() ? job.spec.argv(0) : job.spec.name());
  app.set_owner(devices_.name(job.row.request.owner));
  app.set_terminal(job.spec.terminal());
  app.set_is_yours(who.is_its);
  app.set_right(static_cast<v1::AppRight>(audience.right_of(who)));
  if (audience.controller()) app.set_controller(name_of(*audience.controller()).first);
  for (const auto& [person, terms] : audience.people()) {
    if (!who.is_its && (!terms.may_control || !audience.may_pass(who))) continue;
    v1::AudienceMember& member = *app.add_audience();
    const auto [name, is_device] = name_of(person);
    member.set_person(name);
    member.set_is_device(is_device);
    member.set_may_control(terms.may_control);
  }
  std::ranges::sort(*app.mutable_audience(), {}, &v1::AudienceMember::person);
  for (const auto& [number, link] : audience.links()) {
    if (who.is_its) *app.add_watch_links() = view(id, link);
  }
  fill_viewers(app, id);
  return app;
}

std::vector<v1::SharedApp> Audiences::shown_to(DeviceId asking) const {
  std::set<JobId> jobs;
  for (const auto& [job, audience] : audiences_) jobs.insert(job);
  for (const auto& [number, sight] : sights_) jobs.insert(sight.job);
  std::vector<v1::SharedApp> shown;
  for (const JobId id : jobs) {
    const LiveJob* job = engine_.live_job(id);
    if (job != nullptr && right_of(*job, asking) != pool::AppRight::kNone) shown.push_back(view(*job, asking));
  }
  return shown;
}

}  // namespace hearth::hub
