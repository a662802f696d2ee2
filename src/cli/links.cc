// `hearth drive share`, `links` and `unshare`.
#include <unistd.h>

#include <fmt/format.h>

#include "cli/client.h"
#include "cli/commands.h"
#include "cli/documents.h"
#include "cli/output.h"
#include "cli/qr.h"
#include "cli/secrets.h"
#include "cli/values.h"
#include "hearth/v1/links.pb.h"

namespace hearth::cli {
namespace {

constexpr Range kDays{.least = 1, .most = 3'650};
constexpr Range kUses{.least = 1, .most = 1'000'000};
constexpr std::int64_t kUsualDays = 7;
constexpr std::int64_t kSecondsOfDay = 24 * 60 * 60;

// Typed twice at a terminal; else the first line of standard input.
Result<std::string> ask_password() {
  std::string password = typed_secret("Password for the link:");
  if (password.empty()) return fail(Code::kInvalidArgument, "--password: none was typed");
  if (is_terminal(STDIN_FILENO) && typed_secret("Once more:") != password) {
    return fail(Code::kInvalidArgument, "--password: the two are not the same");
  }
  return password;
}

Result<void> read_rights(const LinkOptions& options, v1::LinkRights& rights) {
  if (options.drop_box && (options.add || options.edit || options.no_download)) {
    return fail(Code::kInvalidArgument,
                "--drop-box: its guests add files and see nothing; no other right goes with it");
  }
  if (options.edit && options.no_download) {
    return fail(Code::kInvalidArgument, "--no-download: who may edit may download as well");
  }
  rights.set_see(!options.drop_box);
  rights.set_download(!options.drop_box && !options.no_download);
  rights.set_add(options.drop_box || options.add || options.edit);
  rights.set_edit(options.edit);
  return {};
}

Result<v1::MakeLinkRequest> link_request(const LinkOptions& options) {
  v1::MakeLinkRequest request;
  request.set_path(options.path);
  request.set_label(options.label);
  if (Result<void> read = read_rights(options, *request.mutable_rights()); !read) return std::unexpected(read.error());
  if (options.forever && !options.days.empty()) return fail(Code::kInvalidArgument, "--days or --forever, not both");
  request.set_seconds(options.forever ? 0 : kUsualDays * kSecondsOfDay);
  if (!options.days.empty()) {
    const Result<std::uint64_t> days = parse_count("--days", options.days, kDays);
    if (!days) return std::unexpected(days.error());
    request.set_seconds(static_cast<std::int64_t>(*days) * kSecondsOfDay);
  }
  if (!options.uses.empty()) {
    const Result<std::uint64_t> uses = parse_count("--uses", options.uses, kUses);
    if (!uses) return std::unexpected(uses.error());
    request.set_max_uses(static_cast<std::uint32_t>(*uses));
  }
  if (options.password) {
    Result<std::string> password = ask_password();
    if (!password) return std::unexpected(password.error());
    request.set_password(*std::move(password));
  }
  return request;
}

template <class Reply>
Result<Reply> call_links(const Context& context, std::string_view method, const google::protobuf::Message& request) {
  const Result<std::unique_ptr<Client>> client = Client::open(context.home, context.home.cli());
  if (!client) return std::unexpected(client.error());
  return (*client)->call<Reply>(fmt::format("hearth.v1.LinkService/{}", method), request);
}

std::string rights_text(const v1::LinkRights& rights) {
  if (!rights.see()) return "drop-box";
  std::string text = rights.download() ? "download" : "see";
  if (rights.edit()) return "edit";
  return rights.add() ? text + ", add" : text;
}

std::string uses_text(const v1::DriveLink& link) {
  return link.max_uses() == 0 ? format_count(link.uses()) : fmt::format("{} of {}", link.uses(), link.max_uses());
}

std::string end_text(const v1::DriveLink& link) {
  if (link.has_ended()) return "ended";
  return link.has_expires() ? format_moment({link.expires().unix_millis()}) : "-";
}

// "https://host:7443/#/link/ID/SECRET", as it is for programs.
std::string dav_text(const std::string& address, bool has_password) {
  const std::size_t mark = address.find("/#/link/");
  const std::size_t slash = address.rfind('/');
  if (mark == std::string::npos) return {};
  return fmt::format(
      "A file manager or rclone opens it as WebDAV at {}{}/dav/ with any user name and the password {}{}",
      address.substr(0, mark), address.substr(mark + 2, slash - mark - 2), address.substr(slash + 1),
      has_password ? ":PASSWORD, the link's own after the colon" : "");
}

}  // namespace

Result<int> share_in_drive(const Context& context, const LinkOptions& options) {
  const Result<v1::MakeLinkRequest> request = link_request(options);
  if (!request) return std::unexpected(request.error());
  const Result<v1::MakeLinkReply> reply = call_links<v1::MakeLinkReply>(context, "Make", *request);
  if (!reply) return std::unexpected(reply.error());
  if (context.json) {
    print(message_json(*reply));
    return 0;
  }
  if (reply->addresses().empty()) {
    return fail(Code::kUnavailable, "the link is made, but this PC has no network address that others could reach");
  }
  const std::string& best = reply->addresses(0);
  if (is_terminal(STDOUT_FILENO)) {
    if (const Result<std::string> code = qr_text(best, QrStyle::kColoured)) print(*code + "\n");
  }
  print(best + "\n");
  for (int i = 1; i < reply->addresses_size(); ++i) say(reply->addresses(i) + "  (another address)");
  if (reply->link().rights().see()) say(dav_text(best, reply->link().has_password()));
  const std::string until = reply->link().has_expires()
                                ? fmt::format(", until {}", format_moment({reply->link().expires().unix_millis()}))
                                : "";
  say(fmt::format(
      "Whoever has this line has {} ({}){}. It is shown this once; take it back with: hearth drive unshare {}",
      plain(reply->link().path()), rights_text(reply->link().rights()), until, reply->link().id()));
  return 0;
}

Result<int> list_drive_links(const Context& context) {
  const Result<v1::ListLinksReply> reply = call_links<v1::ListLinksReply>(context, "List", v1::ListLinksRequest());
  if (!reply) return std::unexpected(reply.error());
  if (context.json) {
    print(message_json(*reply));
    return 0;
  }
  Table table({{"ID"}, {"OPENS"}, {"RIGHTS"}, {"USED", true}, {"LAST USE"}, {"ENDS"}, {"MADE BY"}, {"NAME"}});
  for (const v1::DriveLink& one : reply->links()) {
    const std::string last =
        one.has_last_used() ? format_age({one.last_used().unix_millis()}, wall_now()) : std::string("never");
    table.add({one.id(), one.path(), rights_text(one.rights()) + (one.has_password() ? ", password" : ""),
               uses_text(one), last, end_text(one), one.maker(), one.label()});
  }
  if (table.empty()) say("nothing is shared by a link: hearth drive share PATH");
  if (!table.empty()) {
    print(table.text());
    say("By WebDAV each is /link/ID/dav/ at this PC's address, with any user name and the last part of the link's "
        "address "
        "as password (then :PASSWORD, if it has one)");
  }
  return 0;
}

Result<int> unshare_in_drive(const Context& context, const LinkOptions& options) {
  v1::RevokeLinkRequest request;
  request.set_id(options.id);
  const Result<v1::RevokeLinkReply> reply = call_links<v1::RevokeLinkReply>(context, "Revoke", request);
  if (!reply && reply.error().code == Code::kNotFound) {
    return fail(Code::kNotFound,
                fmt::format("{}: no link has that ID; what there is: hearth drive links", plain(options.id)));
  }
  if (!reply) return std::unexpected(reply.error());
  if (context.json) print(message_json(*reply));
  say("the link is dead, and whoever was in by it is out");
  return 0;
}

}  // namespace hearth::cli
