#include "drive/guests.h"

#include <charconv>

#include <fmt/format.h>

#include "base/bytes.h"
#include "base/log.h"
#include "drive/files.h"
#include "drive/link_file.h"
#include "net/crypto.h"
#include "net/password.h"

namespace hearth::drive {
namespace {

constexpr std::string_view kLinks = "links";
constexpr std::size_t kKeyBytes = 32;
constexpr std::size_t kIdBytes = 6;
constexpr Duration kBetweenUses = seconds(60);  // noted on the disk

LinkId new_id() {
  LinkId id;
  for (const char byte : net::random_bytes(kIdBytes)) id.value = id.value << 8U | static_cast<unsigned char>(byte);
  return id;
}

std::string signature(const Link& link, std::string_view until) {
  return to_base64url(net::hmac_sha256(link.key, fmt::format("hearth-link/1 {} {}", to_text(link.id), until)));
}

// "UNTIL.SIGNATURE", in milliseconds since 1970.
std::string make_ticket(const Link& link, WallTime now) {
  const WallTime until{now.unix_millis + Guests::kTicketLife.micros / 1'000};
  const std::string text = fmt::format("{}", until.unix_millis);
  return text + "." + signature(link, text);
}

bool is_ticket_of(const Link& link, std::string_view ticket, WallTime now) {
  const std::size_t dot = ticket.find('.');
  if (dot == std::string_view::npos) return false;
  const std::string_view text = ticket.substr(0, dot);
  WallTime until;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), until.unix_millis);
  return error == std::errc() && end == text.data() + text.size() && until > now &&
         equal_constant_time(ticket.substr(dot + 1), signature(link, text));
}

}  // namespace

net::Async<Result<void>> Guests::open() {
  if (is_open_) co_return Result<void>();
  const Result<Folder*> folder = co_await drive_.open();
  if (!folder) co_return std::unexpected(folder.error());
  const Result<std::string> text = co_await drive_.workers().run([&] { return (*folder)->read_own(kLinks); });
  if (!text) co_return std::unexpected(text.error());
  const Result<std::vector<Link>> kept = decode_links(*text);
  if (!kept) {
    log_warning("no link of the drive is known any more; the file is kept as links.damaged: " + kept.error().message);
    const Result<void> aside =
        co_await drive_.change({}, {}, [&](Folder& where) { return where.write_own("links.damaged", *text); });
    if (!aside) co_return aside;
  }
  if (is_open_) co_return Result<void>();
  for (const Link& link : kept.value_or(std::vector<Link>())) links_.restore(link);
  is_open_ = true;
  co_return Result<void>();
}

net::Async<Result<void>> Guests::keep() {
  const std::string text = encode_links(links_.all());
  const std::uint64_t number = ++texts_;
  kept_at_ = wall_now();
  is_used_ = false;
  co_return co_await drive_.change({}, {}, [&](Folder& folder) -> Result<void> {
    if (number < last_text_) return {};  // a later one was quicker
    last_text_ = number;
    return folder.write_own(kLinks, text);
  });
}

net::Async<Result<Guests::Made>> Guests::make(Link link, std::string password) {
  if (!password.empty() && (password.size() < kMinPassword || password.size() > net::kMaxPasswordBytes)) {
    co_return fail(Code::kInvalidArgument,
                   fmt::format("password: {} to {} bytes, or none", kMinPassword, net::kMaxPasswordBytes));
  }
  if (Result<void> opened = co_await open(); !opened) co_return std::unexpected(opened.error());
  const Result<Folder*> folder = co_await drive_.open();
  if (!folder) co_return std::unexpected(folder.error());
  const Result<Entry> there = co_await drive_.workers().run([&] { return (*folder)->look(link.path); });
  if (!there) co_return std::unexpected(there.error());
  if (there->kind == Kind::kFile && link.rights.add && !link.rights.edit) {
    co_return fail(Code::kInvalidArgument, "rights: nothing can be added to a file; share the folder that it is in");
  }
  if (!password.empty()) link.password = co_await drive_.workers().run([&] { return net::password_hash(password); });
  const std::string secret = to_base64url(net::random_bytes(kSecretBytes));
  link.id = new_id();
  link.secret_hash = net::sha256(secret);
  link.key = net::random_bytes(kKeyBytes);
  link.made = wall_now();
  if (Result<void> added = links_.add(link, link.made); !added) co_return std::unexpected(added.error());
  if (Result<void> kept = co_await keep(); !kept) {
    links_.revoke(link.id);
    co_return std::unexpected(kept.error());
  }
  co_return Made{.link = std::move(link), .secret = secret};
}

net::Async<Result<std::vector<Link>>> Guests::list() {
  if (Result<void> opened = co_await open(); !opened) co_return std::unexpected(opened.error());
  links_.forget_old(wall_now());
  co_return links_.all();
}

net::Async<Result<Link>> Guests::revoke(LinkId id, std::function<void()> cut) {
  if (Result<void> opened = co_await open(); !opened) co_return std::unexpected(opened.error());
  std::optional<Link> link = links_.revoke(id);
  if (!link) co_return fail(Code::kNotFound, "there is no such link (any more)");
  cut();
  if (Result<void> kept = co_await keep(); !kept) {
    is_used_ = true;  // sweep() tries again
    co_return fail(kept, "the link is dead, but may live again when the hub starts anew");
  }
  co_await drive_.release(holder_of(id));
  co_return *std::move(link);
}

net::Async<Result<std::string>> Guests::enter(LinkId id, std::string secret, std::string password,
                                              std::function<Result<void>()> may_try) {
  if (Result<void> opened = co_await open(); !opened) co_return std::unexpected(opened.error());
  const std::string hash = net::sha256(secret);
  Result<const Link*> link = links_.admit(id, hash, wall_now());
  if (!link) co_return std::unexpected(link.error());
  if (const std::string kept = (*link)->password; !kept.empty()) {
    if (password.empty()) co_return fail(Code::kPermissionDenied, "this link asks for a password");
    if (Result<void> may = may_try(); !may) co_return std::unexpected(may.error());
    const bool fits = password.size() <= net::kMaxPasswordBytes &&
                      co_await drive_.workers().run([&] { return net::password_fits(password, kept); });
    if (!fits) co_return fail(Code::kPermissionDenied, "this is not the link's password");
    link = links_.admit(id, hash, wall_now());  // it may have ended meanwhile
    if (!link) co_return std::unexpected(link.error());
  }
  links_.enter(id, wall_now());
  is_used_ = true;
  std::string ticket = make_ticket(**link, wall_now());
  // A counted use is on the disk before it is granted; of others it is enough to know about how many there were.
  if ((*link)->max_uses == 0) co_return ticket;
  if (Result<void> kept = co_await keep(); !kept) co_return std::unexpected(kept.error());
  co_return ticket;
}

Result<Link> Guests::find(LinkId id, std::string_view ticket) {
  const WallTime now = wall_now();
  const Result<const Link*> link = links_.find_living(id, now);
  if (!link) return fail(Code::kUnauthenticated, link.error().message);
  if (!is_ticket_of(**link, ticket, now)) return fail(Code::kUnauthenticated, "open the link first, with its secret");
  links_.note_use(id, now);
  is_used_ = true;
  return **link;
}

Result<Link> Guests::find_living(LinkId id) const {
  const Result<const Link*> link = links_.find_living(id, wall_now());
  if (!link) return std::unexpected(link.error());
  return **link;
}

net::Async<void> Guests::keep_uses() {
  if (!is_used_) co_return;
  if (Result<void> kept = co_await keep(); !kept) {
    log_warning("what became of the drive's links is not kept: " + kept.error().message);
  }
}

net::Async<std::vector<LinkId>> Guests::sweep(std::function<bool(const Link&)> may_share) {
  std::vector<LinkId> ended;
  if (!is_open_) co_return ended;
  ended = links_.run_out(wall_now());
  bool revoked = false;
  for (const Link& link : links_.all()) {
    if (may_share(link)) continue;
    ended.push_back(link.id);
    revoked = links_.revoke(link.id).has_value() || revoked;
  }
  is_used_ = is_used_ || revoked;
  const bool is_due = wall_now().unix_millis - kept_at_.unix_millis > kBetweenUses.micros / 1'000;
  if (revoked || is_due) co_await keep_uses();
  co_return ended;
}

}  // namespace hearth::drive
