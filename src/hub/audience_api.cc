// AudienceService.
#include <fmt/format.h>

#include "base/bytes.h"
#include "hearth/v1/audiences.pb.h"
#include "hub/addresses.h"
#include "hub/audiences.h"
#include "hub/parts.h"

namespace hearth::hub {
namespace {

using pool::Audience;

constexpr std::size_t kSecretBytes = 32;

// An app that the caller may see.
Result<const LiveJob*> find_app(const Parts& parts, std::uint64_t number, const net::Caller& caller) {
  const LiveJob* job = parts.engine.live_job({number});
  const bool is_known = job != nullptr && (parts.devices.visible_to(caller.device).covers(job->row.request.owner) ||
                                           parts.audiences->right_of(*job, caller.device) != pool::AppRight::kNone);
  if (!is_known) return fail(Code::kNotFound, fmt::format("there is no job {}, or it has ended", number));
  if (!is_app(job->spec)) {
    return fail(Code::kFailedPrecondition,
                fmt::format("job {} has neither a window nor a terminal that could be shared", number));
  }
  return job;
}

// One that is the caller's to share.
Result<const LiveJob*> find_own_app(const Parts& parts, std::uint64_t number, const net::Caller& caller) {
  Result<const LiveJob*> job = find_app(parts, number, caller);
  if (!job || parts.audiences->beholder(**job, caller.device).is_its) return job;
  return fail(Code::kPermissionDenied, fmt::format("job {} is {}'s; only that device, an owner's or an operator's says "
                                                   "whom it is shared with",
                                                   number, parts.devices.name((*job)->row.request.owner)));
}

void note(Parts& parts, const net::Caller& caller, std::string_view action, const LiveJob& job, std::string details) {
  const DeviceId owner = job.row.request.owner;
  if (owner != caller.device) details += " of=" + parts.devices.name(owner);
  parts.audit.note(caller, action, fmt::format("job {}", job.row.request.id.value), details);
}

// Makes it so, then tells how it is.
template <class Reply>
net::Async<Result<Reply>> conclude(Parts& parts, JobId job, Audience audience, const net::Caller& caller) {
  parts.audiences->set(job, std::move(audience));
  if (Result<void> kept = co_await parts.engine.committed(); !kept) co_return std::unexpected(kept.error());
  Reply reply;
  const LiveJob* live = parts.engine.live_job(job);
  if (live == nullptr) co_return fail(Code::kNotFound, fmt::format("job {} has ended", job.value));
  *reply.mutable_app() = parts.audiences->view(*live, caller.device);
  co_return reply;
}

net::Async<Result<v1::ShareAppReply>> share(Parts& parts, const v1::ShareAppRequest& request,
                                            const net::Caller& caller) {
  const Result<const LiveJob*> job = find_own_app(parts, request.job_id(), caller);
  if (!job) co_return std::unexpected(job.error());
  if (!parts.audiences->may_share(**job, caller.device)) {
    co_return fail(Code::kPermissionDenied, "a device that is not of ring home is shown nobody it could share with");
  }
  if (request.people().empty()) co_return fail(Code::kInvalidArgument, "people: nobody is named");
  const JobId id = (*job)->row.request.id;
  Audience audience = parts.audiences->of(id);
  const std::size_t before = audience.people().size();
  for (const std::string& name : request.people()) {
    const Result<AccountId> person = parts.audiences->person(name);
    if (!person) co_return std::unexpected(person.error());
    if (Result<void> in = audience.let_in(*person, {.may_control = request.may_control()}); !in) {
      co_return std::unexpected(in.error());
    }
  }
  if (parts.audiences->people() - before + audience.people().size() > Audiences::kMost) {
    co_return fail(Code::kResourceExhausted,
                   fmt::format("apps are shared with {} people already, as many as the pool takes", Audiences::kMost));
  }
  for (const std::string& name : request.people()) {
    note(parts, caller, "app.share", **job,
         fmt::format("with={} right={}", name, request.may_control() ? "control" : "watch"));
  }
  co_return co_await conclude<v1::ShareAppReply>(parts, id, std::move(audience), caller);
}

net::Async<Result<v1::UnshareAppReply>> unshare(Parts& parts, const v1::UnshareAppRequest& request,
                                                const net::Caller& caller) {
  const Result<const LiveJob*> job = find_own_app(parts, request.job_id(), caller);
  if (!job) co_return std::unexpected(job.error());
  const JobId id = (*job)->row.request.id;
  Audience audience = parts.audiences->of(id);
  if (request.people().empty()) audience = {};
  for (const std::string& name : request.people()) {
    const Result<AccountId> person = parts.audiences->person(name);
    if (!person) co_return std::unexpected(person.error());
    if (!audience.take_back(*person)) {
      co_return fail(Code::kNotFound, fmt::format("job {} is not shared with {}", id.value, name));
    }
  }
  if (request.people().empty()) note(parts, caller, "app.unshare", **job, "with=all");
  for (const std::string& name : request.people()) note(parts, caller, "app.unshare", **job, "with=" + name);
  co_return co_await conclude<v1::UnshareAppReply>(parts, id, std::move(audience), caller);
}

net::Async<Result<v1::PassControllerReply>> pass(Parts& parts, const v1::PassControllerRequest& request,
                                                 const net::Caller& caller) {
  const Result<const LiveJob*> job = find_app(parts, request.job_id(), caller);
  if (!job) co_return std::unexpected(job.error());
  const JobId id = (*job)->row.request.id;
  Audience audience = parts.audiences->of(id);
  const pool::Beholder who = parts.audiences->beholder(**job, caller.device);
  if (!audience.may_pass(who)) {
    co_return fail(
        Code::kPermissionDenied,
        fmt::format("the controller of job {} is passed on by whoever has it, or by those whose app it is", id.value));
  }
  if (request.person().empty()) {
    audience.return_controller();
  } else {
    const Result<AccountId> person = parts.audiences->person(request.person());
    if (!person && who.is_its) co_return std::unexpected(person.error());
    // Whoever only has the controller is not told who else there is.
    if (!person || !audience.pass(*person)) {
      co_return fail(Code::kFailedPrecondition,
                     fmt::format("job {0} is not shared with {1} to control: hearth app share {0} --with {1} --control",
                                 id.value, request.person().substr(0, 64)));
    }
  }
  note(parts, caller, "app.pass", **job, request.person().empty() ? "back" : "to=" + request.person());
  co_return co_await conclude<v1::PassControllerReply>(parts, id, std::move(audience), caller);
}

net::Async<Result<v1::MakeWatchLinkReply>> make_watch_link(Parts& parts, const v1::MakeWatchLinkRequest& request,
                                                           const net::Caller& caller) {
  const Result<const LiveJob*> job = find_own_app(parts, request.job_id(), caller);
  if (!job) co_return std::unexpected(job.error());
  if (!parts.audiences->may_share(**job, caller.device)) {
    co_return fail(Code::kPermissionDenied, "a device that is not of ring home lets nobody into the pool");
  }
  if (!(*job)->spec.window()) {
    co_return fail(Code::kFailedPrecondition,
                   fmt::format("job {} is a text program: players watch what has windows", request.job_id()));
  }
  if (request.seconds() <= 0 || request.seconds() > Audience::kMaxLife.micros / 1'000'000) {
    co_return fail(Code::kInvalidArgument, "seconds: until it runs out, at most 2,592,000 (30 days)");
  }
  const JobId id = (*job)->row.request.id;
  Audience audience = parts.audiences->of(id);
  const std::string token = to_base64url(net::random_bytes(kSecretBytes));
  const WallTime now = wall_now();
  const Result<std::uint32_t> number = audience.add_link({.secret_hash = net::sha256(token),
                                                          .label = request.label(),
                                                          .maker = caller.device,
                                                          .made = now,
                                                          .expires = {now.unix_millis + request.seconds() * 1'000},
                                                          .most_players = request.max_players()});
  if (!number) co_return std::unexpected(number.error());
  v1::MakeWatchLinkReply reply;
  reply.set_token(token);
  *reply.mutable_link() = parts.audiences->view(id, audience.links().at(*number));
  note(parts, caller, "app.watch-link", **job,
       fmt::format("link={} players={}", reply.link().id(), request.max_players()));
  const auto made = co_await conclude<v1::ShareAppReply>(parts, id, std::move(audience), caller);
  if (!made) co_return std::unexpected(made.error());
  for (const std::string& host : link_hosts(parts.options)) {
    const net::Endpoint endpoint{.host = host, .port = parts.port};
    reply.add_addresses(fmt::format("https://{}/whep/{}", endpoint.text(), reply.link().id()));
  }
  co_return reply;
}

net::Async<Result<v1::RevokeWatchLinkReply>> revoke_watch_link(Parts& parts, const v1::RevokeWatchLinkRequest& request,
                                                               const net::Caller& caller) {
  const auto unknown = [&] {
    return fail(Code::kNotFound, fmt::format("{} is no watch link's id; what there is: hearth app watch-links",
                                             request.id().substr(0, 64)));
  };
  const std::optional<pool::WatchLinkId> id = pool::parse_watch_link_id(request.id());
  if (!id) co_return unknown();
  const Result<const LiveJob*> job = find_own_app(parts, id->job.value, caller);
  if (!job) co_return std::unexpected(job.error());
  Audience audience = parts.audiences->of(id->job);
  if (!audience.revoke_link(id->number)) co_return unknown();
  note(parts, caller, "app.unwatch", **job, "link=" + request.id());
  co_return co_await conclude<v1::RevokeWatchLinkReply>(parts, id->job, std::move(audience), caller);
}

}  // namespace

void add_audience_methods(net::Dispatcher& dispatcher, Parts& parts) {
  dispatcher.unary<v1::ListSharedAppsRequest, v1::ListSharedAppsReply>(
      "hearth.v1.AudienceService.List",
      [&parts](const v1::ListSharedAppsRequest&, net::Caller& caller) -> net::Async<Result<v1::ListSharedAppsReply>> {
        v1::ListSharedAppsReply reply;
        for (v1::SharedApp& app : parts.audiences->shown_to(caller.device)) *reply.add_apps() = std::move(app);
        co_return reply;
      });
  dispatcher.unary<v1::ShareAppRequest, v1::ShareAppReply>(
      "hearth.v1.AudienceService.Share",
      [&parts](const v1::ShareAppRequest& request, net::Caller& caller) { return share(parts, request, caller); });
  dispatcher.unary<v1::UnshareAppRequest, v1::UnshareAppReply>(
      "hearth.v1.AudienceService.Unshare",
      [&parts](const v1::UnshareAppRequest& request, net::Caller& caller) { return unshare(parts, request, caller); });
  dispatcher.unary<v1::PassControllerRequest, v1::PassControllerReply>(
      "hearth.v1.AudienceService.Pass",
      [&parts](const v1::PassControllerRequest& request, net::Caller& caller) { return pass(parts, request, caller); });
  dispatcher.unary<v1::MakeWatchLinkRequest, v1::MakeWatchLinkReply>(
      "hearth.v1.AudienceService.MakeWatchLink",
      [&parts](const v1::MakeWatchLinkRequest& request, net::Caller& caller) {
        return make_watch_link(parts, request, caller);
      });
  dispatcher.unary<v1::RevokeWatchLinkRequest, v1::RevokeWatchLinkReply>(
      "hearth.v1.AudienceService.RevokeWatchLink",
      [&parts](const v1::RevokeWatchLinkRequest& request, net::Caller& caller) {
        return revoke_watch_link(parts, request, caller);
      });
}

}  // namespace hearth::hub
