#include "core/drive/path.h"

#include <algorithm>
#include <span>

#include <fmt/format.h>

#include "base/bytes.h"
#include "base/check.h"

namespace hearth::drive {
namespace {

bool is_control(char c) { return static_cast<unsigned char>(c) < 0x20 || c == 0x7f; }

}  // namespace

Result<void> check_name(std::string_view name) {
  if (name.empty() || name == "." || name == "..") {
    return fail(Code::kInvalidArgument, fmt::format("\"{}\" is no name of a file", name));
  }
  if (name.size() > Path::kMaxNameBytes) {
    return fail(Code::kInvalidArgument,
                fmt::format("a name of {} bytes; at most {}", name.size(), Path::kMaxNameBytes));
  }
  if (!is_utf8(name)) return fail(Code::kInvalidArgument, "a name that is not UTF-8");
  if (std::ranges::any_of(name, is_control) || name.find('/') != std::string_view::npos) {
    return fail(Code::kInvalidArgument, "a name with a slash, a line break or another control character");
  }
  if (name.contains("\xef\xbf\xbe") || name.contains("\xef\xbf\xbf")) {
    return fail(Code::kInvalidArgument, "a name with U+FFFE or U+FFFF, which XML cannot say");
  }
  return {};
}

Result<Path> Path::parse(std::string_view text) {
  if (text.size() > kMaxBytes) {
    return fail(Code::kInvalidArgument, fmt::format("a path of {} bytes; at most {}", text.size(), kMaxBytes));
  }
  if (text.starts_with('/')) text.remove_prefix(1);
  if (text.ends_with('/')) text.remove_suffix(1);
  Path path;
  while (!text.empty()) {
    const std::size_t slash = text.find('/');
    Result<Path> longer = path.child(text.substr(0, slash));
    if (!longer) return longer;
    path = std::move(*longer);
    if (slash == std::string_view::npos) break;
    text.remove_prefix(slash + 1);
    if (text.empty()) return fail(Code::kInvalidArgument, "a path with an empty name");
  }
  return path;
}

const std::string& Path::name() const {
  CHECK(!is_root());
  return names_.back();
}

Path Path::parent() const {
  CHECK(!is_root());
  Path parent = *this;
  parent.names_.pop_back();
  return parent;
}

Result<Path> Path::child(std::string_view name) const {
  if (Result<void> checked = check_name(name); !checked) return std::unexpected(checked.error());
  if (is_root() && name == kOwnFolder) {
    return fail(Code::kInvalidArgument, fmt::format("{} at the top is the drive's own folder", kOwnFolder));
  }
  if (names_.size() == kMaxDepth) {
    return fail(Code::kInvalidArgument, fmt::format("a path of more than {} folders", kMaxDepth));
  }
  Path child = *this;
  child.names_.emplace_back(name);
  if (child.text().size() > kMaxBytes) {
    return fail(Code::kInvalidArgument, fmt::format("a path of more than {} bytes", kMaxBytes));
  }
  return child;
}

bool Path::is_within(const Path& folder) const {
  return names_.size() >= folder.names_.size() &&
         std::ranges::equal(folder.names_, std::span(names_).first(folder.names_.size()));
}

std::string Path::text() const { return is_root() ? "/" : "/" + relative(); }

std::string Path::relative() const { return is_root() ? "." : fmt::format("{}", fmt::join(names_, "/")); }

}  // namespace hearth::drive
