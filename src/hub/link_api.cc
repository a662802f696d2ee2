// LinkService.
#include <fmt/format.h>

#include "drive/guests.h"
#include "hearth/v1/links.pb.h"
#include "hub/addresses.h"
#include "hub/drive_scope.h"
#include "hub/guest_door.h"
#include "hub/parts.h"

namespace hearth::hub {
namespace {

// Links of what is other people's own are shown to an owner of the pool alone.
bool is_shown(const drive::Scope& scope, const drive::Link& link, const net::Caller& caller) {
  return scope.reaches(link.path) || caller.level >= net::AccessLevel::kOwner;
}

// Whoever made it, and an owner of the pool.
bool may_take_back(const Parts& parts, const drive::Link& link, const net::Caller& caller) {
  if (caller.level >= net::AccessLevel::kOwner || link.maker == caller.device) return true;
  const std::string person = person_of(parts.devices, parts.accounts, caller.device);
  return !person.empty() && person == person_of(parts.devices, parts.accounts, link.maker);
}

drive::Rights rights_of(const v1::LinkRights& rights) {
  return {.see = rights.see(), .download = rights.download(), .add = rights.add(), .edit = rights.edit()};
}

v1::LinkRights to_proto(const drive::Rights& rights) {
  v1::LinkRights shown;
  shown.set_see(rights.see);
  shown.set_download(rights.download);
  shown.set_add(rights.add);
  shown.set_edit(rights.edit);
  return shown;
}

std::string in_words(const drive::Rights& rights) {
  std::string words;
  for (const auto& [granted, word] : {std::pair(rights.see, "see"), std::pair(rights.download, "download"),
                                      std::pair(rights.add, "add"), std::pair(rights.edit, "edit")}) {
    if (granted) words += words.empty() ? word : fmt::format(",{}", word);
  }
  return words;
}

v1::DriveLink to_proto(const drive::Link& link) {
  v1::DriveLink shown;
  shown.set_id(to_text(link.id));
  shown.set_path(link.path.text());
  *shown.mutable_rights() = to_proto(link.rights);
  shown.set_label(link.label);
  shown.set_maker(link.maker_name);
  *shown.mutable_made() = moment(link.made);
  if (link.expires) *shown.mutable_expires() = moment(*link.expires);
  shown.set_max_uses(link.max_uses);
  shown.set_uses(link.uses);
  if (link.last_used) *shown.mutable_last_used() = moment(*link.last_used);
  shown.set_has_password(!link.password.empty());
  shown.set_has_ended(drive::has_run_out(link, wall_now()) || drive::is_used_up(link));
  return shown;
}

Result<drive::LinkId> id_of(const std::string& text) {
  const std::optional<drive::LinkId> id = drive::parse_link_id(text);
  if (id) return *id;
  return fail(Code::kNotFound, "there is no such link: its id has 12 hexadecimal digits");
}

net::Async<Result<v1::MakeLinkReply>> make(Parts& parts, drive::Guests& guests, const v1::MakeLinkRequest& request,
                                           const net::Caller& caller) {
  const Result<drive::Scope> scope = drive_scope(parts, caller.device);
  if (!scope) co_return std::unexpected(scope.error());
  const Result<drive::Path> path = scope->inside(request.path());
  if (!path) co_return std::unexpected(path.error());
  if (request.seconds() < 0 || request.seconds() > drive::LinkTable::kMaxLife.micros / 1'000'000) {
    co_return fail(Code::kInvalidArgument, "seconds: until it runs out, at most ten years; 0: it does not");
  }
  drive::Link link{.path = *path,
                   .rights = rights_of(request.rights()),
                   .label = request.label(),
                   .maker = caller.device,
                   .maker_name = caller.device_name,
                   .max_uses = request.max_uses()};
  if (request.seconds() != 0) link.expires = WallTime{wall_now().unix_millis + request.seconds() * 1'000};
  const Result<drive::Guests::Made> made = co_await guests.make(std::move(link), request.password());
  if (!made) co_return std::unexpected(made.error());
  const std::string id = to_text(made->link.id);
  parts.audit.note(caller, "link.make", made->link.path.text(),
                   fmt::format("id={} rights={}", id, in_words(made->link.rights)));
  if (Result<void> kept = co_await parts.engine.committed(); !kept) co_return std::unexpected(kept.error());
  v1::MakeLinkReply reply;
  *reply.mutable_link() = to_proto(made->link);
  reply.mutable_link()->set_is_yours(true);
  for (const std::string& host : link_hosts(parts.options)) {
    const net::Endpoint endpoint{.host = host, .port = parts.port};
    reply.add_addresses(fmt::format("https://{}/#/link/{}/{}", endpoint.text(), id, made->secret));
  }
  co_return reply;
}

net::Async<Result<v1::ListLinksReply>> list(Parts& parts, drive::Guests& guests, const net::Caller& caller) {
  const Result<drive::Scope> scope = drive_scope(parts, caller.device);
  if (!scope) co_return std::unexpected(scope.error());
  const Result<std::vector<drive::Link>> links = co_await guests.list();
  if (!links) co_return std::unexpected(links.error());
  v1::ListLinksReply reply;
  for (const drive::Link& link : *links) {
    if (!is_shown(*scope, link, caller)) continue;
    v1::DriveLink& shown = *reply.add_links();
    shown = to_proto(link);
    shown.set_is_yours(may_take_back(parts, link, caller));
  }
  co_return reply;
}

net::Async<Result<v1::RevokeLinkReply>> revoke(Parts& parts, drive::Guests& guests,
                                               const v1::RevokeLinkRequest& request, const net::Caller& caller) {
  const Result<drive::Scope> scope = drive_scope(parts, caller.device);
  if (!scope) co_return std::unexpected(scope.error());
  const Result<drive::LinkId> id = id_of(request.id());
  if (!id) co_return std::unexpected(id.error());
  const Result<std::vector<drive::Link>> links = co_await guests.list();
  if (!links) co_return std::unexpected(links.error());
  const auto known = std::ranges::find(*links, *id, &drive::Link::id);
  if (known != links->end() && !is_shown(*scope, *known, caller)) {
    co_return fail(Code::kPermissionDenied,
                   "what this link shares is other people's own: they, or an owner, take it back");
  }
  if (known != links->end() && !may_take_back(parts, *known, caller)) {
    co_return fail(Code::kPermissionDenied,
                   fmt::format("this link is of {}: whoever made it, or an owner, takes it back", known->maker_name));
  }
  const Result<drive::Link> revoked =
      co_await guests.revoke(*id, [&parts, &id] { parts.sessions.cut(holder_of(*id)); });
  if (!revoked) co_return std::unexpected(revoked.error());
  parts.audit.note(caller, "link.revoke", revoked->path.text(), fmt::format("id={}", request.id()));
  if (Result<void> kept = co_await parts.engine.committed(); !kept) co_return std::unexpected(kept.error());
  co_return v1::RevokeLinkReply();
}

net::Async<Result<v1::OpenLinkReply>> open(Parts& parts, drive::Guests& guests, GuestTries& tries,
                                           const v1::OpenLinkRequest& request, net::Caller& caller) {
  const Result<drive::LinkId> id = id_of(request.id());
  if (!id) co_return std::unexpected(id.error());
  const std::string name = to_text(*id);
  const Result<std::string> ticket =
      co_await open_link(parts, guests, tries, *id, request.secret(), request.password(), caller.address);
  if (!ticket) co_return std::unexpected(ticket.error());
  v1::OpenLinkReply reply;
  reply.set_expires_in_seconds(drive::Guests::kTicketLife.micros / 1'000'000);
  if (caller.reply_headers != nullptr) {
    caller.reply_headers->add(
        "Set-Cookie", fmt::format("{}={}; Path={}{}/; Secure; HttpOnly; SameSite=Strict; Max-Age={}", kGuestCookie,
                                  *ticket, GuestDoor::kPrefix, name, reply.expires_in_seconds()));
  }
  co_return reply;
}

net::Async<Result<v1::LookAtLinkReply>> look(Parts& parts, const drive::Guests& guests, const net::Caller& caller) {
  const std::optional<drive::LinkId> id = drive::link_of(caller.device);
  if (!id) {
    co_return fail(Code::kFailedPrecondition, "this is for a link's guests, below /link/ID/; the family calls List");
  }
  const Result<drive::Link> link = guests.find_living(*id);
  if (!link) co_return fail(Code::kUnauthenticated, link.error().message);
  const Result<drive::Folder*> folder = co_await parts.drive.open();
  if (!folder) co_return std::unexpected(folder.error());
  const Result<drive::Entry> there = co_await parts.workers.run([&] { return (*folder)->look(link->path); });
  if (!there) co_return fail(Code::kNotFound, "what this link shares is no longer there");
  v1::LookAtLinkReply reply;
  const std::string name = link->path.is_root() ? "Files" : link->path.name();
  reply.set_name(link->label.empty() ? name : link->label);
  reply.set_folder(there->kind == drive::Kind::kFolder);
  if (link->rights.see) reply.set_bytes(there->bytes);
  *reply.mutable_rights() = to_proto(link->rights);
  if (link->expires) *reply.mutable_expires() = moment(*link->expires);
  co_return reply;
}

}  // namespace

net::Async<Result<std::string>> open_link(Parts& parts, drive::Guests& guests, GuestTries& tries, drive::LinkId id,
                                          std::string secret, std::string password, std::string address) {
  const auto too_often = [](std::string_view whose) {
    return fail(Code::kResourceExhausted, fmt::format("too many wrong tries {}; wait a minute", whose));
  };
  if (!tries.of_address.take(address, parts.loop.now())) co_return too_often("from this address");
  const std::string name = to_text(id);
  const auto may_try = [&]() -> Result<void> {
    if (!tries.of_link.take(name, parts.loop.now())) return too_often("of this link's password");
    return {};
  };
  Result<std::string> ticket = co_await guests.enter(id, std::move(secret), password, may_try);
  // To be asked for the password is no wrong try.
  if (ticket || (ticket.error().code == Code::kPermissionDenied && password.empty())) tries.of_address.refund(address);
  if (ticket && !password.empty()) tries.of_link.refund(name);
  co_return ticket;
}

void add_link_methods(net::Dispatcher& dispatcher, Parts& parts, drive::Guests& guests, GuestTries& tries) {
  dispatcher.unary<v1::MakeLinkRequest, v1::MakeLinkReply>(
      "hearth.v1.LinkService.Make", [&parts, &guests](const v1::MakeLinkRequest& request, net::Caller& caller) {
        return make(parts, guests, request, caller);
      });
  dispatcher.unary<v1::ListLinksRequest, v1::ListLinksReply>(
      "hearth.v1.LinkService.List",
      [&parts, &guests](const v1::ListLinksRequest&, net::Caller& caller) { return list(parts, guests, caller); });
  dispatcher.unary<v1::RevokeLinkRequest, v1::RevokeLinkReply>(
      "hearth.v1.LinkService.Revoke", [&parts, &guests](const v1::RevokeLinkRequest& request, net::Caller& caller) {
        return revoke(parts, guests, request, caller);
      });
  dispatcher.unary<v1::OpenLinkRequest, v1::OpenLinkReply>(
      "hearth.v1.LinkService.Open", [&parts, &guests, &tries](const v1::OpenLinkRequest& request, net::Caller& caller) {
        return open(parts, guests, tries, request, caller);
      });
  add_guest_link_methods(dispatcher, parts, guests);
}

void add_guest_link_methods(net::Dispatcher& dispatcher, Parts& parts, const drive::Guests& guests) {
  dispatcher.unary<v1::LookAtLinkRequest, v1::LookAtLinkReply>(
      "hearth.v1.LinkService.Look",
      [&parts, &guests](const v1::LookAtLinkRequest&, net::Caller& caller) { return look(parts, guests, caller); });
}

}  // namespace hearth::hub
