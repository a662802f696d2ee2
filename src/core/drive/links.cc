#include "core/drive/links.h"

#include <algorithm>
#include <charconv>

#include <fmt/format.h>

#include "base/bytes.h"

namespace hearth::drive {
namespace {

constexpr std::uint64_t kIsLink = 1ULL << 63U;
constexpr std::size_t kIdDigits = 12;

WallTime later(WallTime from, Duration by) { return {from.unix_millis + by.micros / 1'000}; }

}  // namespace

std::string to_text(LinkId id) { return fmt::format("{:012x}", id.value); }

std::optional<LinkId> parse_link_id(std::string_view text) {
  LinkId id;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), id.value, 16);
  if (text.size() != kIdDigits || error != std::errc() || end != text.data() + text.size() || to_text(id) != text) {
    return std::nullopt;
  }
  return id;
}

DeviceId holder_of(LinkId id) { return {id.value | kIsLink}; }

std::optional<LinkId> link_of(DeviceId holder) {
  if ((holder.value & kIsLink) == 0) return std::nullopt;
  return LinkId{holder.value & ~kIsLink};
}

bool has_run_out(const Link& link, WallTime now) { return link.expires && *link.expires <= now; }

bool is_used_up(const Link& link) { return link.max_uses != 0 && link.uses >= link.max_uses; }

Result<void> LinkTable::add(Link link, WallTime now) {
  if (Result<void> checked = check_rights(link.rights); !checked) return checked;
  if (link.label.size() > kMaxLabelBytes || (!link.label.empty() && !is_plain_utf8(link.label))) {
    return fail(Code::kInvalidArgument,
                fmt::format("label: at most {} bytes of UTF-8 without control characters", kMaxLabelBytes));
  }
  if (link.max_uses > kMaxUses) {
    return fail(Code::kInvalidArgument,
                fmt::format("max_uses: {}; at most {}, 0: any number", link.max_uses, kMaxUses));
  }
  if (link.expires && (*link.expires <= now || *link.expires > later(now, kMaxLife))) {
    return fail(Code::kInvalidArgument, "expires: a time to come, within ten years");
  }
  forget_old(now);
  if (links_.size() >= kMaxLinks) {
    return fail(Code::kResourceExhausted,
                fmt::format("the drive has {} links already: take some back first", links_.size()));
  }
  const LinkId id = link.id;
  if (!links_.emplace(id, std::move(link)).second) return fail(Code::kAlreadyExists, "a link of that id is there");
  return {};
}

void LinkTable::restore(Link link) {
  const LinkId id = link.id;
  links_.insert_or_assign(id, std::move(link));
}

Result<const Link*> LinkTable::find_living(LinkId id, WallTime now) const {
  const auto found = links_.find(id);
  if (found == links_.end()) {
    return fail(Code::kNotFound, "there is no such link: it was taken back, or not copied whole");
  }
  if (has_run_out(found->second, now)) {
    return fail(Code::kFailedPrecondition, "this link has expired: ask for a new one");
  }
  return &found->second;
}

Result<const Link*> LinkTable::admit(LinkId id, std::string_view secret_hash, WallTime now) const {
  Result<const Link*> link = find_living(id, now);
  if (!link) {
    // Nobody who has not the secret learns how a link has ended.
    const auto found = links_.find(id);
    if (found == links_.end() || equal_constant_time(found->second.secret_hash, secret_hash)) return link;
  }
  if (!link || !equal_constant_time((*link)->secret_hash, secret_hash)) {
    return fail(Code::kUnauthenticated, "this link is not whole: its last part is another; copy all of it");
  }
  if (is_used_up(**link)) {
    return fail(Code::kFailedPrecondition,
                fmt::format("this link was good for {} {}, and has been used: ask for a new one", (*link)->max_uses,
                            (*link)->max_uses == 1 ? "use" : "uses"));
  }
  return link;
}

void LinkTable::enter(LinkId id, WallTime now) {
  const auto found = links_.find(id);
  if (found == links_.end()) return;
  ++found->second.uses;
  found->second.last_used = now;
}

void LinkTable::note_use(LinkId id, WallTime now) {
  const auto found = links_.find(id);
  if (found != links_.end()) found->second.last_used = now;
}

std::optional<Link> LinkTable::revoke(LinkId id) {
  const auto found = links_.find(id);
  if (found == links_.end()) return std::nullopt;
  Link link = std::move(found->second);
  links_.erase(found);
  return link;
}

std::vector<LinkId> LinkTable::run_out(WallTime now) const {
  std::vector<LinkId> ids;
  for (const auto& [id, link] : links_) {
    if (has_run_out(link, now)) ids.push_back(id);
  }
  return ids;
}

void LinkTable::forget_old(WallTime now) {
  std::erase_if(links_, [&](const auto& entry) {
    return entry.second.expires && later(*entry.second.expires, kRemembered) <= now;
  });
}

std::vector<Link> LinkTable::all() const {
  std::vector<Link> all;
  for (const auto& [id, link] : links_) all.push_back(link);
  std::ranges::sort(all, std::greater<>(), [](const Link& link) { return link.made.unix_millis; });
  return all;
}

}  // namespace hearth::drive
