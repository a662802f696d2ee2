#include "core/drive/copy.h"

#include <algorithm>

#include <fmt/format.h>

#include "core/drive/path.h"

namespace hearth::drive {
namespace {

// The holder has this very file from here.
bool came_from_here(const CopyEntry& theirs, std::string_view etag, std::string_view self) {
  return theirs.is_as_placed() && theirs.mark->source == self && theirs.mark->theirs == etag;
}

bool differs_in_words(const CopyEntry& theirs, const CopyEntry& ours) {
  return theirs.attributes != ours.attributes || (!theirs.is_folder && theirs.mode != ours.mode);
}

void plan_file(const CopyEntry& theirs, const CopyEntry& ours, std::string_view source, std::string_view self,
               std::vector<CopyAction>& actions) {
  const bool is_ours = ours.is_as_placed() && ours.mark->source == source;
  if (is_ours && ours.mark->theirs == theirs.etag) {
    if (differs_in_words(theirs, ours)) actions.push_back({CopyStep::kAttributes, theirs});
  } else if (is_ours) {
    actions.push_back({CopyStep::kFetch, theirs});
  } else if (came_from_here(theirs, ours.etag, self)) {
    actions.push_back({CopyStep::kAdopt, theirs});
  } else if (theirs.bytes == ours.bytes) {
    actions.push_back({CopyStep::kCompare, theirs});
  } else {
    actions.push_back({CopyStep::kSetAside, ours});
    actions.push_back({CopyStep::kFetch, theirs});
  }
}

void plan_both(const CopyEntry& theirs, const CopyEntry& ours, std::string_view source, std::string_view self,
               std::vector<CopyAction>& actions) {
  if (theirs.is_folder != ours.is_folder) {
    actions.push_back({CopyStep::kSetAside, ours});
    actions.push_back({theirs.is_folder ? CopyStep::kMakeFolder : CopyStep::kFetch, theirs});
  } else if (!theirs.is_folder) {
    plan_file(theirs, ours, source, self, actions);
  } else if (differs_in_words(theirs, ours)) {
    actions.push_back({CopyStep::kAttributes, theirs});
  }
}

}  // namespace

std::string below(std::string_view folder, std::string_view name) {
  return folder.empty() ? std::string(name) : fmt::format("{}/{}", folder, name);
}

bool is_copied(std::string_view folder, std::string_view name) {
  if (folder.empty()) return name != Path::kOwnFolder;
  if (folder != Path::kOwnFolder) return true;
  return std::ranges::find(kCopiedOwn, name) != std::ranges::end(kCopiedOwn);
}

Result<void> check_copy_path(std::string_view path) {
  if (path.size() > Path::kMaxBytes) return fail(Code::kInvalidArgument, "a path that is too long");
  if (path == Path::kOwnFolder) return {};
  std::string folder;
  std::size_t depth = 0;
  for (std::string_view left = path; !left.empty();) {
    const std::size_t slash = left.find('/');
    const std::string_view name = left.substr(0, slash);
    if (Result<void> named = check_name(name); !named) return named;
    const bool is_own = folder.empty() && name == Path::kOwnFolder;
    if (!is_own && !is_copied(folder, name)) {
      return fail(Code::kInvalidArgument, fmt::format("{} does not belong to the drive's copy", path));
    }
    folder = below(folder, name);
    // The drive's own folder adds a few levels to what lies in its trash.
    if (++depth > Path::kMaxDepth + 8) return fail(Code::kInvalidArgument, "a path that is too deep");
    if (slash == std::string_view::npos) break;
    left.remove_prefix(slash + 1);
    if (left.empty()) return fail(Code::kInvalidArgument, "a path with an empty name");
  }
  return {};
}

std::string encode(const CopyMark& mark) { return fmt::format("{} {} {}", mark.source, mark.theirs, mark.ours); }

std::optional<CopyMark> decode_copy_mark(std::string_view text) {
  constexpr std::size_t kMost = 512;
  const std::size_t first = text.find(' ');
  const std::size_t second = first == std::string_view::npos ? first : text.find(' ', first + 1);
  if (text.size() > kMost || second == std::string_view::npos) return std::nullopt;
  CopyMark mark{.source = std::string(text.substr(0, first)),
                .theirs = std::string(text.substr(first + 1, second - first - 1)),
                .ours = std::string(text.substr(second + 1))};
  const bool is_whole = !mark.source.empty() && !mark.theirs.empty() && !mark.ours.empty() && !mark.ours.contains(' ');
  return is_whole ? std::optional(std::move(mark)) : std::nullopt;
}

std::string copy_digest_text(const std::vector<CopyEntry>& entries) {
  std::string text;
  for (const CopyEntry& entry : entries) {
    text += fmt::format("{}/{}/{}/{:o}/", entry.name, entry.is_folder, entry.etag, entry.is_folder ? 0 : entry.mode);
    for (const auto& [name, value] : entry.attributes) text += fmt::format("{} {} {}", name, value.size(), value);
    text += '\n';
  }
  return text;
}

std::vector<CopyAction> plan_copy(const std::vector<CopyEntry>& theirs, const std::vector<CopyEntry>& ours,
                                  std::string_view source, std::string_view self) {
  std::vector<CopyAction> actions;
  auto mine = ours.begin();
  const auto drop_until = [&](const CopyEntry* next) {
    for (; mine != ours.end() && (next == nullptr || mine->name < next->name); ++mine) {
      const bool is_kept_apart = !mine->is_folder && !(mine->is_as_placed() && mine->mark->source == source);
      actions.push_back({is_kept_apart ? CopyStep::kSetAside : CopyStep::kRemove, *mine});
    }
  };
  for (const CopyEntry& wanted : theirs) {
    drop_until(&wanted);
    if (mine != ours.end() && mine->name == wanted.name) {
      plan_both(wanted, *mine++, source, self, actions);
    } else {
      actions.push_back({wanted.is_folder ? CopyStep::kMakeFolder : CopyStep::kFetch, wanted});
    }
  }
  drop_until(nullptr);
  return actions;
}

std::vector<std::string> copy_keys_of_wanted(const CopyEntry& wanted, std::string_view source, std::string_view self) {
  std::vector<std::string> keys = {fmt::format("{} {}", source, wanted.etag)};
  if (wanted.is_as_placed() && wanted.mark->source == self)
    keys.push_back(fmt::format("{} {}", self, wanted.mark->theirs));
  return keys;
}

std::string copy_key_of_kept(const CopyEntry& entry, std::string_view source, std::string_view self) {
  const bool is_copy = entry.is_as_placed() && entry.mark->source == source;
  return is_copy ? fmt::format("{} {}", source, entry.mark->theirs) : fmt::format("{} {}", self, entry.etag);
}

}  // namespace hearth::drive
