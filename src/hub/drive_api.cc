// DriveService.
#include <fmt/format.h>

#include "drive/changes.h"
#include "drive/listing.h"
#include "drive/survey.h"
#include "hearth/v1/drive.pb.h"
#include "hub/drive_scope.h"
#include "hub/guest_door.h"
#include "hub/parts.h"

namespace hearth::hub {
namespace {

constexpr std::uint32_t kUsualCount = 200;
constexpr std::uint32_t kMostCount = 2'000;
constexpr int kMostPaths = 1'000;
constexpr std::size_t kMostText = 200;

template <class Reply>
using Answer = net::Async<Result<Reply>>;

// Into what of the drive a caller has been let.
using ScopeOf = std::function<Result<drive::Scope>(const net::Caller& caller)>;

drive::Holder holder_of(const net::Caller& caller) {
  return {.device = caller.device, .name = caller.device_name, .tokens = {}};
}

v1::DriveEntry to_proto(const drive::Entry& entry) {
  v1::DriveEntry shown;
  shown.set_name(entry.name);
  shown.set_folder(entry.kind == drive::Kind::kFolder);
  shown.set_bytes(entry.bytes);
  *shown.mutable_modified() = moment(entry.modified);
  shown.set_etag(entry.etag);
  return shown;
}

Result<std::vector<drive::Path>> paths_of(const drive::Scope& scope,
                                          const google::protobuf::RepeatedPtrField<std::string>& texts) {
  if (texts.empty() || texts.size() > kMostPaths) {
    return fail(Code::kInvalidArgument, fmt::format("paths: {}; 1 to {} are allowed", texts.size(), kMostPaths));
  }
  std::vector<drive::Path> paths;
  for (const std::string& text : texts) {
    Result<drive::Path> path = scope.inside(text);
    if (!path) return std::unexpected(path.error());
    paths.push_back(*std::move(path));
  }
  return paths;
}

Answer<v1::ListDriveReply> list(Parts& parts, const drive::Scope& scope, drive::Listings& listings,
                                const v1::ListDriveRequest& request) {
  if (Result<void> allowed = scope.allow({.see = true}); !allowed) co_return std::unexpected(allowed.error());
  const Result<drive::Path> path = scope.inside(request.path());
  if (!path) co_return std::unexpected(path.error());
  if (!v1::DriveOrder_IsValid(request.order())) co_return fail(Code::kInvalidArgument, "order: 0, 1 or 2");
  if (request.count() > kMostCount) {
    co_return fail(Code::kInvalidArgument, fmt::format("count: {}; at most {}", request.count(), kMostCount));
  }
  const drive::PageAsked asked{.order = static_cast<drive::Order>(request.order()),
                               .offset = request.offset(),
                               .count = request.count() == 0 ? kUsualCount : request.count()};
  const Result<drive::Folder*> folder = co_await parts.drive.open();
  if (!folder) co_return std::unexpected(folder.error());
  const Result<drive::ListedPage> page =
      co_await parts.drive.workers().run([&] { return listings.page(**folder, *path, asked, scope.closed); });
  if (!page) co_return std::unexpected(page.error());
  v1::ListDriveReply reply;
  for (const drive::Entry& entry : page->entries) *reply.add_entries() = to_proto(entry);
  reply.set_total(static_cast<std::uint32_t>(page->total));
  co_return reply;
}

Answer<v1::MakeDriveFolderReply> make_folder(Parts& parts, const drive::Scope& scope,
                                             const v1::MakeDriveFolderRequest& request, const net::Caller& caller) {
  if (Result<void> allowed = scope.allow({.see = true, .add = true}); !allowed) {
    co_return std::unexpected(allowed.error());
  }
  const Result<drive::Path> path = scope.inside(request.path());
  if (!path) co_return std::unexpected(path.error());
  // If it has gone, nobody makes it anew through its link.
  if (!scope.is_whole() && *path == scope.root) co_return fail(Code::kAlreadyExists, "/ is what the link shares");
  const Result<drive::Entry> made = co_await drive::make_folder(parts.drive, holder_of(caller), *path);
  if (!made) co_return std::unexpected(made.error());
  v1::MakeDriveFolderReply reply;
  *reply.mutable_entry() = to_proto(*made);
  co_return reply;
}

// What goes from where it is; of a copy, what is read and added.
Result<void> allow_all(const drive::Scope& scope, const std::vector<drive::Path>& paths, bool copies) {
  if (copies) return scope.allow({.download = true, .add = true});
  for (const drive::Path& path : paths) {
    if (Result<void> allowed = scope.allow_change(path); !allowed) return allowed;
  }
  return {};
}

Answer<v1::MoveDriveReply> move(Parts& parts, const drive::Scope& scope, const v1::MoveDriveRequest& request,
                                const net::Caller& caller) {
  const Result<std::vector<drive::Path>> paths = paths_of(scope, request.paths());
  if (!paths) co_return std::unexpected(paths.error());
  if (Result<void> allowed = allow_all(scope, *paths, request.copy()); !allowed) {
    co_return std::unexpected(allowed.error());
  }
  const Result<drive::Path> folder = scope.inside(request.folder());
  if (!folder) co_return std::unexpected(folder.error());
  for (const drive::Path& path : *paths) {
    const Result<drive::Path> to =
        folder->child(request.name().empty() && !path.is_root() ? path.name() : request.name());
    if (to && !scope.reaches(*to))
      co_return fail(Code::kPermissionDenied, to->text() + " is other people's own folder");
  }
  const Result<std::vector<drive::Path>> moved =
      co_await drive::move_paths(parts.drive, holder_of(caller),
                                 {.paths = *paths, .folder = *folder, .name = request.name(), .copy = request.copy()});
  if (!moved) co_return std::unexpected(moved.error());
  v1::MoveDriveReply reply;
  for (const drive::Path& path : *moved) reply.add_paths(scope.outside(path));
  co_return reply;
}

Answer<v1::RemoveDriveReply> remove(Parts& parts, const drive::Scope& scope, const v1::RemoveDriveRequest& request,
                                    const net::Caller& caller) {
  const Result<std::vector<drive::Path>> paths = paths_of(scope, request.paths());
  if (!paths) co_return std::unexpected(paths.error());
  if (Result<void> allowed = allow_all(scope, *paths, false); !allowed) co_return std::unexpected(allowed.error());
  const Result<void> removed = co_await drive::remove_paths(parts.drive, holder_of(caller), *paths);
  if (!removed) co_return std::unexpected(removed.error());
  co_return v1::RemoveDriveReply();
}

// What was other people's own when it was thrown away, or has become so since, is theirs in the trash, too.
bool reaches(const drive::Scope& scope, const std::string& text) {
  const Result<drive::Path> path = drive::Path::parse(text);
  return path && scope.reaches(*path);
}

net::Async<Result<void>> check_origin(Parts& parts, const drive::Scope& scope, std::string id) {
  const Result<drive::Folder*> folder = co_await parts.drive.open();
  if (!folder) co_return std::unexpected(folder.error());
  const Result<drive::Path> was = co_await parts.drive.workers().run([&] { return (*folder)->origin(id); });
  if (!was) co_return std::unexpected(was.error());
  if (scope.reaches(*was)) co_return Result<void>();
  co_return fail(Code::kPermissionDenied, "this is other people's own");
}

Answer<v1::ListDriveTrashReply> list_trash(Parts& parts, const drive::Scope& scope) {
  const Result<drive::Folder*> folder = co_await parts.drive.open();
  if (!folder) co_return std::unexpected(folder.error());
  const Result<std::vector<drive::Trashed>> trash =
      co_await parts.drive.workers().run([&] { return (*folder)->trash(); });
  if (!trash) co_return std::unexpected(trash.error());
  v1::ListDriveTrashReply reply;
  for (const drive::Trashed& one : *trash) {
    if (!reaches(scope, one.path)) continue;
    v1::DriveTrashed& shown = *reply.add_trashed();
    shown.set_id(one.id);
    shown.set_path(one.path);
    shown.set_folder(one.kind == drive::Kind::kFolder);
    shown.set_bytes(one.bytes);
    *shown.mutable_removed() = moment(one.removed);
  }
  reply.set_days(static_cast<std::uint32_t>(drive::Drive::kTrashKept.micros / minutes(24 * 60).micros));
  co_return reply;
}

Answer<v1::RestoreDriveReply> restore(Parts& parts, const drive::Scope& scope, const v1::RestoreDriveRequest& request,
                                      const net::Caller& caller) {
  if (Result<void> allowed = co_await check_origin(parts, scope, request.id()); !allowed) {
    co_return std::unexpected(allowed.error());
  }
  const Result<drive::Path> path = co_await drive::restore_trashed(parts.drive, holder_of(caller), request.id());
  if (!path) co_return std::unexpected(path.error());
  v1::RestoreDriveReply reply;
  reply.set_path(path->text());
  co_return reply;
}

Answer<v1::EraseDriveReply> erase(Parts& parts, const drive::Scope& scope, const v1::EraseDriveRequest& request,
                                  const net::Caller& caller) {
  if (request.all() == !request.ids().empty()) {
    co_return fail(Code::kInvalidArgument, "either ids, or all");
  }
  if (request.ids_size() > kMostPaths) {
    co_return fail(Code::kInvalidArgument, fmt::format("ids: {}; at most {}", request.ids_size(), kMostPaths));
  }
  std::vector<std::string> ids(request.ids().begin(), request.ids().end());
  for (const std::string& id : ids) {
    if (Result<void> allowed = co_await check_origin(parts, scope, id); !allowed) {
      co_return std::unexpected(allowed.error());
    }
  }
  if (request.all() && !scope.closed.empty()) {
    const Result<v1::ListDriveTrashReply> mine = co_await list_trash(parts, scope);
    if (!mine) co_return std::unexpected(mine.error());
    for (const v1::DriveTrashed& one : mine->trashed()) ids.push_back(one.id());
    if (ids.empty()) co_return v1::EraseDriveReply();
  }
  const Result<void> erased = co_await drive::erase_trashed(parts.drive, holder_of(caller), std::move(ids));
  if (!erased) co_return std::unexpected(erased.error());
  co_return v1::EraseDriveReply();
}

Answer<v1::ListDriveVersionsReply> list_versions(Parts& parts, const drive::Scope& scope,
                                                 const v1::ListDriveVersionsRequest& request) {
  const Result<drive::Path> path = scope.inside(request.path());
  if (!path) co_return std::unexpected(path.error());
  const Result<drive::Folder*> folder = co_await parts.drive.open();
  if (!folder) co_return std::unexpected(folder.error());
  const Result<std::vector<drive::Version>> versions =
      co_await parts.drive.workers().run([&] { return (*folder)->versions(*path); });
  if (!versions) co_return std::unexpected(versions.error());
  v1::ListDriveVersionsReply reply;
  for (const drive::Version& one : *versions) {
    v1::DriveVersion& shown = *reply.add_versions();
    shown.set_id(one.id);
    shown.set_bytes(one.bytes);
    *shown.mutable_modified() = moment(one.modified);
    *shown.mutable_replaced() = moment(one.replaced);
  }
  co_return reply;
}

Answer<v1::RestoreDriveVersionReply> restore_version(Parts& parts, const drive::Scope& scope,
                                                     const v1::RestoreDriveVersionRequest& request,
                                                     const net::Caller& caller) {
  const Result<drive::Path> path = scope.inside(request.path());
  if (!path) co_return std::unexpected(path.error());
  const Result<drive::Entry> entry =
      co_await drive::restore_version(parts.drive, holder_of(caller), *path, request.id());
  if (!entry) co_return std::unexpected(entry.error());
  v1::RestoreDriveVersionReply reply;
  *reply.mutable_entry() = to_proto(*entry);
  co_return reply;
}

Answer<v1::SearchDriveReply> search(drive::Survey& survey, const drive::Scope& scope,
                                    const v1::SearchDriveRequest& request) {
  const Result<drive::Path> path = scope.inside(request.path());
  if (!path) co_return std::unexpected(path.error());
  if (request.text().empty() || request.text().size() > kMostText) {
    co_return fail(Code::kInvalidArgument,
                   fmt::format("text: {} bytes; 1 to {} are allowed", request.text().size(), kMostText));
  }
  const Result<drive::SearchDone> done =
      co_await survey.search(*path, {.text = request.text(), .inside = request.inside()}, scope.closed);
  if (!done) co_return std::unexpected(done.error());
  v1::SearchDriveReply reply;
  for (const drive::FoundFile& one : done->found) {
    v1::SearchDriveReply::Found& shown = *reply.add_found();
    shown.set_path(one.path.text());
    *shown.mutable_entry() = to_proto(one.entry);
    shown.set_line(one.line);
  }
  reply.set_more(done->more);
  co_return reply;
}

Answer<v1::DriveUsageReply> usage(Parts& parts, drive::Survey& survey) {
  const Result<drive::Usage> usage = co_await survey.usage();
  if (!usage) co_return std::unexpected(usage.error());
  const Result<drive::Folder*> folder = co_await parts.drive.open();
  if (!folder) co_return std::unexpected(folder.error());
  const Result<drive::Folder::Room> room = (*folder)->room();
  if (!room) co_return std::unexpected(room.error());
  v1::DriveUsageReply reply;
  reply.set_files(usage->files);
  reply.set_bytes(usage->bytes);
  reply.set_trash_bytes(usage->trash_bytes);
  reply.set_versions_bytes(usage->versions_bytes);
  reply.set_free_bytes(room->free);
  reply.set_folder((*folder)->root().string());
  if (parts.options.backup) {
    std::optional<v1::DriveBackup> backup = co_await parts.drive.workers().run(parts.options.backup);
    if (backup) *reply.mutable_backup() = *std::move(backup);
  }
  co_return reply;
}

// Registers a method for those whom `scope_of` lets in.
template <class Request, class Reply, class Method>
void add(net::Dispatcher& dispatcher, Parts& parts, const ScopeOf& scope_of, std::string_view name, Method method) {
  dispatcher.unary<Request, Reply>(
      fmt::format("hearth.v1.DriveService.{}", name),
      [&parts, scope_of, method](const Request& request, net::Caller& caller) -> net::Async<Result<Reply>> {
        const Result<drive::Scope> scope = scope_of(caller);
        if (!scope) co_return std::unexpected(scope.error());
        Result<Reply> reply = co_await method(parts, *scope, request, caller);
        if (!reply) co_return std::unexpected(scope->told(reply.error()));
        co_return reply;
      });
}

// Those that a guest has as well.
void add_shared_methods(net::Dispatcher& dispatcher, Parts& parts, const ScopeOf& scope_of, drive::Listings& listings) {
  const auto list_here = [&listings](Parts& all, const drive::Scope& scope, const v1::ListDriveRequest& request,
                                     const net::Caller&) { return list(all, scope, listings, request); };
  add<v1::ListDriveRequest, v1::ListDriveReply>(dispatcher, parts, scope_of, "List", list_here);
  add<v1::MakeDriveFolderRequest, v1::MakeDriveFolderReply>(dispatcher, parts, scope_of, "MakeFolder", make_folder);
  add<v1::MoveDriveRequest, v1::MoveDriveReply>(dispatcher, parts, scope_of, "Move", move);
  add<v1::RemoveDriveRequest, v1::RemoveDriveReply>(dispatcher, parts, scope_of, "Remove", remove);
}

}  // namespace

void add_drive_methods(net::Dispatcher& dispatcher, Parts& parts, drive::Listings& listings, drive::Survey& survey) {
  const ScopeOf scope_of = [&parts](const net::Caller& caller) { return drive_scope(parts, caller.device); };
  const auto list_trash_here = [](Parts& all, const drive::Scope& scope, const v1::ListDriveTrashRequest&,
                                  const net::Caller&) { return list_trash(all, scope); };
  const auto list_versions_here = [](Parts& all, const drive::Scope& scope, const v1::ListDriveVersionsRequest& request,
                                     const net::Caller&) { return list_versions(all, scope, request); };
  const auto search_here = [&survey](Parts&, const drive::Scope& scope, const v1::SearchDriveRequest& request,
                                     const net::Caller&) { return search(survey, scope, request); };
  const auto usage_here = [&survey](Parts& all, const drive::Scope&, const v1::DriveUsageRequest&, const net::Caller&) {
    return usage(all, survey);
  };
  add_shared_methods(dispatcher, parts, scope_of, listings);
  add<v1::ListDriveTrashRequest, v1::ListDriveTrashReply>(dispatcher, parts, scope_of, "ListTrash", list_trash_here);
  add<v1::RestoreDriveRequest, v1::RestoreDriveReply>(dispatcher, parts, scope_of, "Restore", restore);
  add<v1::EraseDriveRequest, v1::EraseDriveReply>(dispatcher, parts, scope_of, "Erase", erase);
  add<v1::ListDriveVersionsRequest, v1::ListDriveVersionsReply>(dispatcher, parts, scope_of, "ListVersions",
                                                                list_versions_here);
  add<v1::RestoreDriveVersionRequest, v1::RestoreDriveVersionReply>(dispatcher, parts, scope_of, "RestoreVersion",
                                                                    restore_version);
  add<v1::SearchDriveRequest, v1::SearchDriveReply>(dispatcher, parts, scope_of, "Search", search_here);
  add<v1::DriveUsageRequest, v1::DriveUsageReply>(dispatcher, parts, scope_of, "Usage", usage_here);
}

void add_guest_drive_methods(net::Dispatcher& dispatcher, Parts& parts, drive::Listings& listings,
                             const drive::Guests& guests) {
  add_shared_methods(
      dispatcher, parts, [&parts, &guests](const net::Caller& caller) { return guest_scope(parts, guests, caller); },
      listings);
}

}  // namespace hearth::hub
