#include "core/drive/space.h"

#include <algorithm>
#include <charconv>

#include "base/bytes.h"
#include "base/check.h"

namespace hearth::drive {
namespace {

constexpr std::string_view kPrefix = "/space/";
constexpr std::string_view kConfig = "config";
constexpr std::string_view kAppendOnly = " append-only";
constexpr std::size_t kNameLength = 64;

bool is_hash(std::string_view name) {
  return name.size() == kNameLength &&
         std::ranges::all_of(name, [](char c) { return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f'); });
}

bool is_folder(std::string_view name) { return std::ranges::find(kSpaceFolders, name) != std::end(kSpaceFolders); }

}  // namespace

Result<SpaceGrant> parse_space_grant(std::string_view text) {
  if (text.ends_with('\n')) text.remove_suffix(1);
  SpaceGrant grant{.append_only = text.ends_with(kAppendOnly)};
  if (grant.append_only) text.remove_suffix(kAppendOnly.size());
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), grant.bytes);
  if (error == std::errc() && end == text.data() + text.size()) return grant;
  return fail(Code::kDataLoss, "a grant of space is a number of bytes, and perhaps \"append-only\"");
}

Result<SpacePath> parse_space_path(std::string_view path) {
  const auto nothing = [] {
    return fail(Code::kNotFound,
                "a space has config, data, index, keys, locks and snapshots, and in those files named "
                "by 64 hexadecimal digits");
  };
  if (!path.starts_with(kPrefix)) return nothing();
  path.remove_prefix(kPrefix.size());
  if (path.empty()) return SpacePath();
  if (path == kConfig) return SpacePath{.folder = "", .name = std::string(kConfig)};
  const std::size_t slash = path.find('/');
  const std::string_view folder = path.substr(0, slash);
  if (slash == std::string_view::npos || !is_folder(folder)) return nothing();
  const std::string_view name = path.substr(slash + 1);
  if (!name.empty() && !is_hash(name)) return nothing();
  return SpacePath{.folder = std::string(folder), .name = std::string(name)};
}

Result<void> check_space_request(const SpaceGrant& grant, std::string_view method, const SpacePath& path) {
  const bool is_whole = path.folder.empty() && path.name.empty();
  const bool is_known = (method == "POST" && (is_whole || path.is_file())) || (method == "GET" && !is_whole) ||
                        ((method == "HEAD" || method == "DELETE") && path.is_file());
  if (!is_known) return fail(Code::kUnimplemented, "a space has no such request");
  if (method == "DELETE" && grant.append_only && path.folder != "locks") {
    return fail(Code::kPermissionDenied, "this space is append-only: nothing of it is removed but locks");
  }
  if (method == "DELETE" && path.is_config()) {
    return fail(Code::kPermissionDenied, "a space's config is not removed");
  }
  return {};
}

Result<void> SpaceUse::reserve(std::uint64_t bytes, const SpaceGrant& grant) {
  const std::uint64_t taken = held_ + coming_;
  if (bytes > grant.bytes || taken > grant.bytes - bytes) {
    return fail(Code::kResourceExhausted, "the granted space is full: " + format_bytes(held_) + " of " +
                                              format_bytes(grant.bytes) + " are taken");
  }
  coming_ += bytes;
  return {};
}

void SpaceUse::settle(std::uint64_t bytes, bool is_there) {
  CHECK(bytes <= coming_);
  coming_ -= bytes;
  if (is_there) held_ += bytes;
}

void SpaceUse::removed(std::uint64_t bytes) { held_ -= std::min(bytes, held_); }

}  // namespace hearth::drive
