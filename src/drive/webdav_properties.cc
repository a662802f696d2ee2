// PROPFIND and PROPPATCH.
#include <algorithm>

#include "drive/files.h"
#include "drive/multistatus.h"
#include "drive/replies.h"
#include "drive/webdav.h"

namespace hearth::drive {
namespace {

constexpr std::size_t kPieceBytes = 256 << 10;

// What is said of a folder's entries, or of one file.
class Description {
 public:
  Description(const Folder& folder, const Scope& scope, AskedProperties asked, LockTable locks)
      : folder_(folder), scope_(scope), asked_(std::move(asked)), locks_(std::move(locks)), now_(wall_now()) {
    if (!scope_.is_whole()) return;  // what room the family has is not a guest's
    if (const Result<Folder::Room> room = folder_.room(); room && asks_for_room(asked_)) room_ = *room;
  }

  std::string response(const Path& path, const std::string& href, const Entry& entry) const {
    Described described{
        .entry = entry, .locks = locks_.covering(path, now_), .dead = {}, .room = room_, .scope = scope_};
    std::erase_if(described.locks, [&](const Lock& lock) { return !lock.root.is_within(scope_.root); });
    if (asks_for_dead(asked_)) described.dead = folder_.properties(path).value_or(Properties());
    return properties_response(href, described, asked_, now_);
  }

 private:
  const Folder& folder_;
  const Scope& scope_;
  AskedProperties asked_;
  LockTable locks_;
  WallTime now_;
  std::optional<Folder::Room> room_;
};

}  // namespace

net::Async<void> WebDav::find_properties(Request& request) {
  net::Exchange& exchange = request.exchange;
  const std::string_view depth = exchange.head().headers.get("depth");
  if (depth != "0" && depth != "1") {
    co_return co_await reply_xml(exchange, 403,
                                 error_answer("propfind-finite-depth", exchange.head().path,
                                              "Depth: 0 or 1; the whole of a drive at once is refused"));
  }
  const Result<std::string> body = co_await exchange.read_whole_body(kMaxXmlBytes);
  if (!body) co_return co_await refuse_body(exchange, body.error());
  Result<AskedProperties> asked = parse_propfind(*body);
  if (!asked) co_return co_await tell(request, asked.error());
  const Result<Folder*> folder = co_await drive_.open();
  if (!folder) co_return co_await tell(request, folder.error());
  net::Workers& workers = drive_.workers();
  const Path& path = request.path;
  const Result<Entry> itself = co_await workers.run([&] { return (*folder)->look(path); });
  if (!itself) co_return co_await tell(request, itself.error());
  std::vector<Entry> below;
  if (depth == "1" && itself->kind == Kind::kFolder) {
    Result<std::vector<Entry>> listed = co_await workers.run([&] { return (*folder)->list(path); });
    if (!listed) co_return co_await tell(request, listed.error());
    below = std::move(*listed);
    if (path.is_root()) {
      std::erase_if(below, [&](const Entry& entry) { return request.scope.closed.contains(entry.name); });
    }
  }
  net::Headers headers;
  headers.add("Content-Type", "application/xml; charset=utf-8");
  if (!co_await exchange.start(207, std::move(headers), std::nullopt)) co_return;
  const Description description(**folder, request.scope, *std::move(asked), drive_.locks());
  const std::string base = href(request.scope, path, itself->kind);
  std::string text = std::string(kMultistatusBegin) + description.response(path, base, *itself);
  for (auto entry = below.begin(); entry != below.end();) {
    co_await workers.run([&] {
      for (; entry != below.end() && text.size() < kPieceBytes; ++entry) {
        const Result<Path> at = path.child(entry->name);
        if (at) text += description.response(*at, href_below(base, *entry), *entry);
      }
    });
    if (!co_await exchange.write(text)) co_return;
    text.clear();
  }
  text += kMultistatusEnd;
  if (co_await exchange.write(text)) (void)co_await exchange.finish();
}

net::Async<void> WebDav::patch_properties(Request& request) {
  net::Exchange& exchange = request.exchange;
  const Result<std::string> body = co_await exchange.read_whole_body(kMaxXmlBytes);
  if (!body) co_return co_await refuse_body(exchange, body.error());
  const Result<std::vector<PropertyChange>> changes = parse_proppatch(*body);
  if (!changes) co_return co_await tell(request, changes.error());
  const bool is_refused = std::ranges::any_of(*changes, is_protected, &PropertyChange::name);
  const Result<Entry> itself = co_await change(request, {{.path = request.path}}, [&](Folder& folder) {
    if (!is_refused) {
      if (Result<void> changed = folder.change_properties(request.path, *changes); !changed) {
        return Result<Entry>(std::unexpected(changed.error()));
      }
    }
    return folder.look(request.path);
  });
  if (!itself) co_return co_await tell(request, itself.error());
  co_await reply_xml(exchange, 207, changed_properties(href(request.scope, request.path, itself->kind), *changes));
}

}  // namespace hearth::drive
