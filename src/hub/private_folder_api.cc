// DriveService's private folders.
#include <fmt/format.h>

#include "drive/changes.h"
#include "hearth/v1/drive.pb.h"
#include "hub/drive_scope.h"
#include "hub/parts.h"

namespace hearth::hub {
namespace {

net::Async<Result<v1::ListPrivateDriveFoldersReply>> list(Parts& parts, const net::Caller& caller) {
  const Result<drive::Scope> scope = drive_scope(parts, caller.device);
  if (!scope) co_return std::unexpected(scope.error());
  const Result<drive::PrivateFolders> folders = parts.drive.private_folders();
  if (!folders) co_return std::unexpected(folders.error());
  v1::ListPrivateDriveFoldersReply reply;
  reply.set_person(person_of(parts.devices, parts.accounts, caller.device));
  if (folders->all().empty()) co_return reply;
  const Result<drive::Folder*> folder = co_await parts.drive.open();
  if (!folder) co_return std::unexpected(folder.error());
  for (const auto& [name, one] : folders->all()) {
    const bool is_mine = !scope->closed.contains(name);
    if (!is_mine && caller.level < net::AccessLevel::kOwner) continue;
    v1::PrivateDriveFolder& shown = *reply.add_folders();
    shown.set_name(name);
    shown.mutable_people()->Assign(one.people.begin(), one.people.end());
    shown.set_max_bytes(one.max_bytes);
    shown.set_is_mine(is_mine);
    const Result<drive::Path> path = drive::Path().child(name);
    if (!path || one.max_bytes == 0) continue;
    const auto held =
        co_await parts.drive.workers().run([&] { return (*folder)->allowances().allowance(**folder, *path); });
    if (held) shown.set_bytes(held->held());
  }
  co_return reply;
}

Result<void> check_people(const Parts& parts, const v1::SetPrivateDriveFolderRequest& request) {
  for (const std::string& person : request.people()) {
    const store::AccountRow* account = parts.accounts.find(person);
    if (account == nullptr) {
      return fail(Code::kNotFound,
                  fmt::format("there is no account '{0}': a person is an account (hearth account set {0})", person));
    }
    if (account->is_firm) return fail(Code::kInvalidArgument, person + " is a firm: name accounts that are of it");
  }
  return {};
}

net::Async<Result<v1::SetPrivateDriveFolderReply>> set(Parts& parts, const v1::SetPrivateDriveFolderRequest& request,
                                                       const net::Caller& caller) {
  const Result<drive::Path> path = drive::Path().child(request.name());
  if (!path) co_return std::unexpected(path.error());
  if (Result<void> known = check_people(parts, request); !known) co_return std::unexpected(known.error());
  const Result<drive::Folder*> folder = co_await parts.drive.open();
  if (!folder) co_return std::unexpected(folder.error());
  if (!request.people().empty()) {
    const drive::Holder holder{.device = caller.device, .name = caller.device_name, .tokens = {}};
    const Result<drive::Entry> made = co_await drive::make_folder(parts.drive, holder, *path);
    if (!made && made.error().code != Code::kAlreadyExists) co_return std::unexpected(made.error());
    const Result<drive::Entry> there = co_await parts.drive.workers().run([&] { return (*folder)->look(*path); });
    if (!there) co_return std::unexpected(there.error());
    if (there->kind == drive::Kind::kFile) co_return fail(Code::kAlreadyExists, path->text() + " is a file");
  }
  const std::map<DeviceId, drive::FolderNames> before = closed_folders(parts);
  const auto change = [&](drive::PrivateFolders& folders) -> Result<void> {
    if (request.people().empty()) return folders.open_to_all(request.name());
    return folders.set({.name = request.name(),
                        .people = {request.people().begin(), request.people().end()},
                        .max_bytes = request.max_bytes()});
  };
  if (Result<void> kept = co_await parts.drive.change_private_folders(change); !kept) {
    co_return std::unexpected(kept.error());
  }
  cut_shut_out(parts, before, caller.device);
  parts.audit.note(caller, "drive.private", path->text(),
                   request.people().empty()
                       ? "people=all"
                       : fmt::format("people={} bytes={}", fmt::join(request.people(), ","), request.max_bytes()));
  if (Result<void> kept = co_await parts.engine.committed(); !kept) co_return std::unexpected(kept.error());
  co_return v1::SetPrivateDriveFolderReply();
}

}  // namespace

void add_private_folder_methods(net::Dispatcher& dispatcher, Parts& parts) {
  dispatcher.unary<v1::ListPrivateDriveFoldersRequest, v1::ListPrivateDriveFoldersReply>(
      "hearth.v1.DriveService.ListPrivate",
      [&parts](const v1::ListPrivateDriveFoldersRequest&, net::Caller& caller) { return list(parts, caller); });
  dispatcher.unary<v1::SetPrivateDriveFolderRequest, v1::SetPrivateDriveFolderReply>(
      "hearth.v1.DriveService.SetPrivate", [&parts](const v1::SetPrivateDriveFolderRequest& request,
                                                    net::Caller& caller) { return set(parts, request, caller); });
}

}  // namespace hearth::hub
