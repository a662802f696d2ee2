// The drive's links as they run in the hub: made, kept on the disk, opened by guests, ended. Of a link's secret only
// the hash is here; a guest who has shown it gets a ticket, signed with the link's own key, which outlives a restart of
// the hub and dies with the link.
//
//   Guests guests(drive);
//   Result<Made> made = co_await guests.make({.path = photos, .rights = {.see = true}, ...}, "");
//   Result<std::string> ticket = co_await guests.enter(id, made->secret, "", may_try);
//   Result<Link> link = guests.find(id, *ticket);                 // each request
//
// On the drive's loop; what takes time is done by its workers.
#pragma once

#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "core/drive/links.h"
#include "drive/drive.h"
#include "net/async.h"

namespace hearth::drive {

class Guests {
 public:
  static constexpr std::size_t kSecretBytes = 16;
  static constexpr Duration kTicketLife = minutes(24 * 60);  // or until the link runs out
  static constexpr std::size_t kMinPassword = 4;             // bytes

  explicit Guests(Drive& drive) : drive_(drive) {}

  struct Made {
    Link link;
    std::string secret;  // spelt for an address; told this once
  };
  // Gives it an id, a secret and a key. Errors: kNotFound (nothing is at its path), of LinkTable::add(), of the disk.
  net::Async<Result<Made>> make(Link link, std::string password);

  // Errors: of the disk.
  net::Async<Result<std::vector<Link>>> list();

  // In memory at once, so that no request gets in any more; then `cut` ends what is open, and then the disk knows.
  // Errors: kNotFound, of the disk.
  net::Async<Result<Link>> revoke(LinkId id, std::function<void()> cut);

  // Whoever has the secret, and the password if there is one, gets a ticket; that is one use. `may_try`: asked before a
  // password is judged, which costs time, whether that is not too often. Errors: of LinkTable::admit(),
  // kPermissionDenied (a password is needed, or this is another), of `may_try`.
  net::Async<Result<std::string>> enter(LinkId id, std::string secret, std::string password,
                                        std::function<Result<void>()> may_try);

  // The link that a ticket is for, if both are good still; that is noted as its last use. After open(). Errors:
  // kUnauthenticated.
  Result<Link> find(LinkId id, std::string_view ticket);

  // One that lives. After open(). Errors: of LinkTable::find_living().
  Result<Link> find_living(LinkId id) const;

  // Those that let nobody in any more: run out, or of which `may_share` does not hold, which are
  // revoked. Notes on the disk, too, when links were used. Does nothing before open().
  net::Async<std::vector<LinkId>> sweep(std::function<bool(const Link&)> may_share);

  // Notes on the disk, if that is not yet done, how often and when links were used.
  net::Async<void> keep_uses();

  // Reads what the disk has, once. Errors: of the disk.
  net::Async<Result<void>> open();

 private:
  net::Async<Result<void>> keep();

  Drive& drive_;
  bool is_open_ = false;
  LinkTable links_;
  WallTime kept_at_;             // when the table was last written
  bool is_used_ = false;         // since then
  std::uint64_t texts_ = 0;      // how many of its texts were made,
  std::uint64_t last_text_ = 0;  // and which is on the disk; touched where names are changed
};

}  // namespace hearth::drive
