// The links by which somebody without an account reaches a file or folder of the drive: what each opens and for how
// long, and whether it still does. Pure: what time it is, it is told; secrets and passwords come as their hashes.
//
//   LinkTable links;
//   links.add({.id = id, .secret_hash = ..., .path = photos, .rights = {.see = true}, .made = now}, now);
//   Result<const Link*> link = links.admit(id, hash, now);   // kUnauthenticated, kNotFound, kFailedPrecondition
//   links.enter(id, now);                                    // once the password has been judged: one use
//   links.find_living(id, now);                              // each request of a guest
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/ids.h"
#include "base/result.h"
#include "base/time.h"
#include "core/drive/scope.h"

namespace hearth::drive {

// 48 random bits, no secret; spelt with 12 hexadecimal digits.
struct LinkId {
  std::uint64_t value = 0;
  auto operator<=>(const LinkId&) const = default;
};
std::string to_text(LinkId id);
std::optional<LinkId> parse_link_id(std::string_view text);

// Who a link's guests are for locks, uploads and what cuts connections: no device has such a number.
DeviceId holder_of(LinkId id);
std::optional<LinkId> link_of(DeviceId holder);

struct Link {
  LinkId id;
  std::string secret_hash;  // SHA-256 of its secret, which is kept nowhere
  std::string key;          // 32 bytes: what a guest's cookie is signed with
  Path path;
  Rights rights;
  std::string label;  // for people; may be empty
  DeviceId maker;
  std::string maker_name;
  WallTime made;
  std::optional<WallTime> expires;
  std::uint32_t max_uses = 0;  // 0: any number
  std::uint32_t uses = 0;      // how often a guest has come in by it
  std::optional<WallTime> last_used;
  std::string password;  // its hash as net::password_hash() spells it; empty: none is asked for

  bool operator==(const Link&) const = default;
};

class LinkTable {
 public:
  static constexpr std::size_t kMaxLinks = 10'000;
  static constexpr std::size_t kMaxLabelBytes = 100;
  static constexpr std::uint32_t kMaxUses = 1'000'000;
  static constexpr Duration kMaxLife = minutes(10LL * 366 * 24 * 60);
  // A link that has ended says why for so long; then it is as if it had never been.
  static constexpr Duration kRemembered = minutes(30LL * 24 * 60);

  // Errors: kInvalidArgument (rights, label, uses, time), kAlreadyExists (the id), kResourceExhausted (too many).
  Result<void> add(Link link, WallTime now);
  void restore(Link link);  // one that was kept, as it is

  // Whether it lets in whoever has the secret of that hash, but for its password. Errors: kNotFound,
  // kUnauthenticated (another secret), kFailedPrecondition (run out, used up), each in a guest's words.
  Result<const Link*> admit(LinkId id, std::string_view secret_hash, WallTime now) const;
  void enter(LinkId id, WallTime now);  // one use of a link that is there

  // One that has not run out; nothing else ends it for those who are in. Errors: kNotFound, kFailedPrecondition.
  Result<const Link*> find_living(LinkId id, WallTime now) const;
  void note_use(LinkId id, WallTime now);

  std::optional<Link> revoke(LinkId id);  // none: there is none

  std::vector<LinkId> run_out(WallTime now) const;  // those that have, and are remembered still
  void forget_old(WallTime now);

  std::vector<Link> all() const;  // the newest first
  std::size_t size() const { return links_.size(); }

 private:
  std::map<LinkId, Link> links_;
};

bool has_run_out(const Link& link, WallTime now);
bool is_used_up(const Link& link);

}  // namespace hearth::drive
