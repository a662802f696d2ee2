// `hearth drive`: what is asked of the drive by calls; drive_files.cc moves bytes.
#include <algorithm>
#include <string_view>

#include <fmt/format.h>

#include "base/bytes.h"
#include "cli/client.h"
#include "cli/commands.h"
#include "cli/documents.h"
#include "cli/drive_files.h"
#include "cli/map_script.h"
#include "cli/output.h"
#include "cli/values.h"
#include "hearth/v1/drive.pb.h"
#include "net/crypto.h"

namespace hearth::cli {
namespace {

constexpr std::size_t kShownIdDigits = 8;
constexpr Range kLimit = {0, 1024ULL * 1024 * kTiB};

template <class Reply>
Result<Reply> call_drive(const Context& context, std::string_view method, const google::protobuf::Message& request) {
  const Result<std::unique_ptr<Client>> client = Client::open(context.home, context.home.cli());
  if (!client) return std::unexpected(client.error());
  return (*client)->call<Reply>(fmt::format("hearth.v1.DriveService/{}", method), request);
}

std::string size_of(const v1::DriveEntry& entry) { return entry.folder() ? "" : format_bytes(entry.bytes()); }

std::string id_text(const v1::DriveTrashed& one) { return one.id().substr(0, kShownIdDigits); }

Result<v1::ListDriveTrashReply> fetch_trash(const Context& context) {
  return call_drive<v1::ListDriveTrashReply>(context, "ListTrash", v1::ListDriveTrashRequest());
}

// Where `target` is: into a folder that is there, or, of one thing, to a new path.
Result<void> aim(const Context& context, const std::string& target, v1::MoveDriveRequest& request) {
  v1::ListDriveRequest look;
  look.set_path(target);
  look.set_count(1);
  const Result<v1::ListDriveReply> there = call_drive<v1::ListDriveReply>(context, "List", look);
  request.set_folder(target);
  if (there) return {};
  if (there.error().code == Code::kFailedPrecondition && request.paths_size() == 1 && request.paths(0) == target) {
    return fail(Code::kInvalidArgument, fmt::format("{} is both what is moved and where to", plain(target)));
  }
  if (there.error().code == Code::kFailedPrecondition) {
    return fail(Code::kAlreadyExists,
                fmt::format("{} is there already: put it into the trash first, with: hearth drive rm", plain(target)));
  }
  if (there.error().code != Code::kNotFound) return std::unexpected(there.error());
  if (request.paths_size() > 1 || target.ends_with('/')) {
    return fail(Code::kNotFound,
                fmt::format("there is no folder {0} in the drive: hearth drive mkdir {0}", plain(target)));
  }
  const std::size_t slash = target.rfind('/');
  request.set_folder(slash == std::string::npos ? "/" : target.substr(0, slash));
  request.set_name(target.substr(slash + 1));
  return {};
}

std::string backup_text(const v1::DriveUsageReply& usage) {
  if (!usage.has_backup()) return "no backup of it is made: hearth drive backup --to TARGET, on that PC";
  const v1::DriveBackup& backup = usage.backup();
  std::string text = backup.has_succeeded()
                         ? "last backup: " + format_age({backup.succeeded().unix_millis()}, wall_now())
                         : std::string("no backup of it has succeeded yet");
  const auto add = [&text](std::uint32_t count, std::string_view what) {
    if (count > 0) text += fmt::format("; {} {}", count, what);
  };
  add(backup.damaged(), "damaged");
  add(backup.failed(), "failed at the last attempt");
  add(backup.away(), "not there at the last attempt");
  return text;
}

}  // namespace

Result<int> list_drive(const Context& context, const DriveOptions& options) {
  const Result<std::unique_ptr<Client>> client = Client::open(context.home, context.home.cli());
  if (!client) return std::unexpected(client.error());
  const Result<v1::ListDriveReply> reply = list_drive_folder(**client, options.path);
  if (!reply) return std::unexpected(reply.error());
  if (context.json) {
    print(message_json(*reply));
    return 0;
  }
  Table table({{"NAME"}, {"HOLDS", true}, {"CHANGED"}});
  for (const v1::DriveEntry& one : reply->entries()) {
    table.add({one.name() + (one.folder() ? "/" : ""), size_of(one), format_moment({one.modified().unix_millis()})});
  }
  if (table.empty()) say("nothing is in there yet: hearth drive put FILES... FOLDER");
  if (!table.empty()) print(table.text());
  return 0;
}

Result<int> make_drive_folder(const Context& context, const DriveOptions& options) {
  if (options.path.empty()) return fail(Code::kInvalidArgument, "FOLDER: a path of the drive is needed, as /photos");
  v1::MakeDriveFolderRequest request;
  request.set_path(options.path);
  const Result<v1::MakeDriveFolderReply> reply = call_drive<v1::MakeDriveFolderReply>(context, "MakeFolder", request);
  if (!reply && reply.error().code == Code::kAlreadyExists) {
    return fail(Code::kAlreadyExists, fmt::format("{} is there already", plain(options.path)));
  }
  if (!reply) return std::unexpected(reply.error());
  if (context.json) print(message_json(*reply));
  return 0;
}

Result<int> move_in_drive(const Context& context, const DriveOptions& options, DriveMove what) {
  if (options.paths.size() < 2) {
    return fail(Code::kInvalidArgument, "PATHS: at least one is needed, and then the folder or new path");
  }
  v1::MoveDriveRequest request;
  request.mutable_paths()->Assign(options.paths.begin(), options.paths.end() - 1);
  request.set_copy(what == DriveMove::kCopy);
  if (Result<void> aimed = aim(context, options.paths.back(), request); !aimed) return std::unexpected(aimed.error());
  const Result<v1::MoveDriveReply> reply = call_drive<v1::MoveDriveReply>(context, "Move", request);
  if (!reply) return std::unexpected(reply.error());
  if (context.json) print(message_json(*reply));
  for (int i = 0; !context.json && i < reply->paths_size(); ++i) print(plain(reply->paths(i)) + "\n");
  return 0;
}

Result<int> remove_from_drive(const Context& context, const DriveOptions& options) {
  v1::RemoveDriveRequest request;
  request.mutable_paths()->Assign(options.paths.begin(), options.paths.end());
  const Result<v1::RemoveDriveReply> reply = call_drive<v1::RemoveDriveReply>(context, "Remove", request);
  if (!reply) return std::unexpected(reply.error());
  if (context.json) print(message_json(*reply));
  say("in the trash, for a while: hearth drive trash");
  return 0;
}

Result<int> list_drive_trash(const Context& context) {
  const Result<v1::ListDriveTrashReply> reply = fetch_trash(context);
  if (!reply) return std::unexpected(reply.error());
  if (context.json) {
    print(message_json(*reply));
    return 0;
  }
  Table table({{"ID"}, {"WAS"}, {"HOLDS", true}, {"REMOVED"}});
  for (const v1::DriveTrashed& one : reply->trashed()) {
    table.add({id_text(one), one.path() + (one.folder() ? "/" : ""), format_bytes(one.bytes()),
               format_age({one.removed().unix_millis()}, wall_now())});
  }
  if (table.empty()) say("the trash is empty");
  if (!table.empty()) print(table.text());
  if (!table.empty()) say(fmt::format("each is erased {} days after it was removed", reply->days()));
  return 0;
}

Result<int> restore_in_drive(const Context& context, const DriveOptions& options) {
  const Result<v1::ListDriveTrashReply> trash = fetch_trash(context);
  if (!trash) return std::unexpected(trash.error());
  v1::RestoreDriveRequest request;
  for (const v1::DriveTrashed& one : trash->trashed()) {
    if (!one.id().starts_with(options.id)) continue;
    if (!request.id().empty()) {
      return fail(Code::kInvalidArgument,
                  fmt::format("{}: more than one in the trash begins so; --json shows all digits", plain(options.id)));
    }
    request.set_id(one.id());
  }
  if (request.id().empty() || options.id.empty()) {
    return fail(Code::kNotFound, fmt::format("{}: nothing in the trash has that ID; what there is: hearth drive trash",
                                             plain(options.id)));
  }
  const Result<v1::RestoreDriveReply> reply = call_drive<v1::RestoreDriveReply>(context, "Restore", request);
  if (!reply) return std::unexpected(reply.error());
  print(context.json ? message_json(*reply) : plain(reply->path()) + "\n");
  return 0;
}

Result<int> empty_drive_trash(const Context& context) {
  v1::EraseDriveRequest request;
  request.set_all(true);
  const Result<v1::EraseDriveReply> reply = call_drive<v1::EraseDriveReply>(context, "Erase", request);
  if (!reply) return std::unexpected(reply.error());
  if (context.json) print(message_json(*reply));
  say("the trash is empty");
  return 0;
}

Result<int> show_drive_versions(const Context& context, const DriveOptions& options) {
  if (!options.id.empty()) {
    v1::RestoreDriveVersionRequest request;
    request.set_path(options.path);
    request.set_id(options.id);
    const Result<v1::RestoreDriveVersionReply> reply =
        call_drive<v1::RestoreDriveVersionReply>(context, "RestoreVersion", request);
    if (!reply) return std::unexpected(reply.error());
    if (context.json) print(message_json(*reply));
    say(fmt::format("{} is again what it was; what it was until now is a version", plain(options.path)));
    return 0;
  }
  v1::ListDriveVersionsRequest request;
  request.set_path(options.path);
  const Result<v1::ListDriveVersionsReply> reply =
      call_drive<v1::ListDriveVersionsReply>(context, "ListVersions", request);
  if (!reply) return std::unexpected(reply.error());
  if (context.json) {
    print(message_json(*reply));
    return 0;
  }
  Table table({{"VERSION"}, {"HOLDS", true}, {"CHANGED"}, {"REPLACED"}});
  for (const v1::DriveVersion& one : reply->versions()) {
    table.add({one.id(), format_bytes(one.bytes()), format_moment({one.modified().unix_millis()}),
               format_moment({one.replaced().unix_millis()})});
  }
  if (table.empty()) say("no earlier version of it is kept");
  if (!table.empty()) print(table.text());
  return 0;
}

Result<int> list_private_folders(const Context& context) {
  const Result<v1::ListPrivateDriveFoldersReply> reply =
      call_drive<v1::ListPrivateDriveFoldersReply>(context, "ListPrivate", v1::ListPrivateDriveFoldersRequest());
  if (!reply) return std::unexpected(reply.error());
  if (context.json) {
    print(message_json(*reply));
    return 0;
  }
  Table table({{"FOLDER"}, {"WHOSE"}, {"HOLDS", true}, {"LIMIT", true}, {"YOURS"}});
  for (const v1::PrivateDriveFolder& one : reply->folders()) {
    const bool is_limited = one.max_bytes() != 0;
    table.add({"/" + one.name(), fmt::format("{}", fmt::join(one.people(), ", ")),
               is_limited ? format_bytes(one.bytes()) : "-", is_limited ? format_bytes(one.max_bytes()) : "-",
               one.is_mine() ? "yes" : "no"});
  }
  if (table.empty()) say("all folders are everybody's; a home folder: hearth drive private NAME --for ACCOUNT");
  if (!table.empty()) print(table.text());
  if (reply->person().empty()) {
    say("this device is in no account, so that no private folder is open to it: hearth account assign DEVICE ACCOUNT");
  } else {
    say(fmt::format("this device is of the account {}", plain(reply->person())));
  }
  return 0;
}

// What is not said stays as it is.
Result<int> set_private_folder(const Context& context, const DriveOptions& options) {
  if (options.people.empty() && options.limit.empty()) {
    return fail(Code::kInvalidArgument, "--for says whose it is, --limit how much it may hold: at least one is needed");
  }
  const Result<v1::ListPrivateDriveFoldersReply> known =
      call_drive<v1::ListPrivateDriveFoldersReply>(context, "ListPrivate", v1::ListPrivateDriveFoldersRequest());
  if (!known) return std::unexpected(known.error());
  v1::SetPrivateDriveFolderRequest request;
  request.set_name(options.path.substr(options.path.starts_with('/') ? 1 : 0));
  if (request.name().ends_with('/')) request.mutable_name()->pop_back();
  const auto before = std::ranges::find(known->folders(), request.name(), &v1::PrivateDriveFolder::name);
  if (before != known->folders().end()) {
    *request.mutable_people() = before->people();
    request.set_max_bytes(before->max_bytes());
  } else if (options.people.empty()) {
    return fail(Code::kNotFound,
                fmt::format("/{} is everybody's, which has no limit but the disk's: say whose it is with --for",
                            plain(request.name())));
  }
  if (!options.people.empty()) request.mutable_people()->Assign(options.people.begin(), options.people.end());
  if (options.people.size() == 1 && options.people.front() == "everyone") request.clear_people();
  if (!options.limit.empty()) {
    const Result<std::uint64_t> limit = parse_size("--limit", options.limit, kLimit);
    if (!limit) return std::unexpected(limit.error());
    request.set_max_bytes(*limit);
  }
  const auto reply = call_drive<v1::SetPrivateDriveFolderReply>(context, "SetPrivate", request);
  if (!reply) return std::unexpected(reply.error());
  if (context.json) print(message_json(*reply));
  say(request.people().empty() ? fmt::format("/{} is everybody's", plain(request.name()))
                               : fmt::format("/{} is open to the devices of {} alone", plain(request.name()),
                                             plain(fmt::format("{}", fmt::join(request.people(), ", ")))));
  return 0;
}

Result<int> show_drive_usage(const Context& context) {
  const Result<v1::DriveUsageReply> reply = call_drive<v1::DriveUsageReply>(context, "Usage", v1::DriveUsageRequest());
  if (!reply) return std::unexpected(reply.error());
  if (context.json) {
    print(message_json(*reply));
    return 0;
  }
  print(fmt::format(
      "{} in {} files, in {} on the PC that holds the pool\n{} in the trash\n{} in earlier versions\n{} free\n",
      format_bytes(reply->bytes()), format_count(reply->files()), plain(reply->folder()),
      format_bytes(reply->trash_bytes()), format_bytes(reply->versions_bytes()), format_bytes(reply->free_bytes())));
  say("as counted within the last minute");
  say(backup_text(*reply));
  return 0;
}

Result<int> find_in_drive(const Context& context, const DriveOptions& options) {
  v1::SearchDriveRequest request;
  request.set_path(options.path);
  request.set_text(options.text);
  request.set_inside(options.inside);
  const Result<v1::SearchDriveReply> reply = call_drive<v1::SearchDriveReply>(context, "Search", request);
  if (!reply) return std::unexpected(reply.error());
  if (context.json) print(message_json(*reply));
  for (int i = 0; !context.json && i < reply->found_size(); ++i) {
    const v1::SearchDriveReply::Found& one = reply->found(i);
    print(plain(one.path()) + (one.entry().folder() ? "/" : "") + (one.line().empty() ? "" : ": " + plain(one.line())) +
          "\n");
  }
  if (reply->more()) say("there may be more: search below a folder with --in, or for a longer text");
  return reply->found().empty() ? 1 : 0;
}

Result<int> show_drive_mounts(const Context& context) {
  const Result<std::unique_ptr<Client>> client = Client::open(context.home, context.home.cli());
  if (!client) return std::unexpected(client.error());
  const account::Account& account = (*client)->session().account();
  const std::string server = account.endpoint.text();
  const std::string url = fmt::format("https://{}/dav/", server);
  const std::string token = "mount-" + to_hex(net::random_bytes(3));
  std::error_code error;
  const std::filesystem::path own = context.home.hub() / "certificate.pem";
  const bool is_here = std::filesystem::exists(own, error);
  const std::string certificate = is_here ? own.string() : "hearth.pem";
  if (context.json) {
    print(object_json({{"url", url},
                       {"token_name", token},
                       {"certificate", is_here ? certificate : ""},
                       {"identity", to_hex(account.hub_identity)}}));
    return 0;
  }
  std::string text = fmt::format(
      "# A token of its own, which is the password; it is shown once. Take it back: hearth devices revoke {0}\n"
      "TOKEN=$(hearth token new {0})\n",
      token);
  if (!is_here) {
    text += fmt::format(
        "\n# The hub's certificate; the second line must print {1}\n"
        "openssl s_client -connect {0} </dev/null 2>/dev/null | openssl x509 > {2}\n"
        "openssl x509 -in {2} -noout -pubkey | openssl pkey -pubin -outform DER | tail -c 32 | od -An -tx1 | tr -d ' "
        "\\n'\n",
        server, to_hex(account.hub_identity), certificate);
  }
  text += fmt::format(
      "\n# With rclone, as any user\n"
      "mkdir -p ~/hearth-drive\n"
      "rclone mount :webdav: ~/hearth-drive --webdav-url {0} --webdav-vendor owncloud --webdav-user me \\\n"
      "  --webdav-pass \"$(rclone obscure \"$TOKEN\")\" --ca-cert {1} --vfs-cache-mode writes --daemon\n"
      "\n# With davfs2, as root (buf_size: without it, davfs2 1.6 and 1.7 list nothing on Linux 6.16 and later)\n"
      "cp {1} /etc/davfs2/certs/hearth.pem\n"
      "printf '%s\\n' 'trust_server_cert /etc/davfs2/certs/hearth.pem' 'buf_size 64' > /etc/davfs2/hearth.conf\n"
      "mkdir -p /mnt/hearth\n"
      "printf 'me\\n%s\\n' \"$TOKEN\" | mount -t davfs -o conf=/etc/davfs2/hearth.conf {0} /mnt/hearth\n",
      url, shell_quoted(certificate));
  print(text);
  return 0;
}

}  // namespace hearth::cli
