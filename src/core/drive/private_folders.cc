#include "core/drive/private_folders.h"

#include <algorithm>
#include <charconv>
#include <ranges>

#include <fmt/format.h>

namespace hearth::drive {
namespace {

bool has_control(std::string_view text) {
  return std::ranges::any_of(text, [](unsigned char c) { return c < 0x20 || c == 0x7f; });
}

}  // namespace

Result<void> PrivateFolders::set(PrivateFolder folder) {
  const Result<Path> path = Path().child(folder.name);
  if (!path) return std::unexpected(path.error());
  if (folder.people.empty() || folder.people.size() > kMostPeople) {
    return fail(Code::kInvalidArgument,
                fmt::format("{}: {} people; 1 to {} are allowed", folder.name, folder.people.size(), kMostPeople));
  }
  std::ranges::sort(folder.people);
  if (std::ranges::adjacent_find(folder.people) != folder.people.end()) {
    return fail(Code::kInvalidArgument, folder.name + ": somebody is named twice");
  }
  if (folder.people.front().empty() || std::ranges::any_of(folder.people, has_control)) {
    return fail(Code::kInvalidArgument, folder.name + ": a person without a name, or with a control character in it");
  }
  if (!folders_.contains(folder.name) && folders_.size() >= kMost) {
    return fail(Code::kResourceExhausted,
                fmt::format("the drive has {} private folders, the most there may be", kMost));
  }
  folders_[folder.name] = std::move(folder);
  return {};
}

Result<void> PrivateFolders::open_to_all(std::string_view name) {
  const auto found = folders_.find(name);
  if (found == folders_.end()) return fail(Code::kNotFound, fmt::format("/{} is everybody's", name));
  folders_.erase(found);
  return {};
}

const PrivateFolder* PrivateFolders::find(std::string_view name) const {
  const auto found = folders_.find(name);
  return found == folders_.end() ? nullptr : &found->second;
}

const PrivateFolder* PrivateFolders::around(const Path& path) const {
  return path.is_root() ? nullptr : find(path.names().front());
}

FolderNames PrivateFolders::names() const {
  FolderNames names;
  for (const auto& [name, folder] : folders_) names.insert(name);
  return names;
}

FolderNames PrivateFolders::closed_to(std::string_view person) const {
  FolderNames closed;
  for (const auto& [name, folder] : folders_) {
    if (std::ranges::find(folder.people, person) == folder.people.end()) closed.insert(name);
  }
  return closed;
}

std::string PrivateFolders::encode() const {
  std::string text;
  for (const auto& [name, folder] : folders_) {
    text += fmt::format("{}\t{}\t{}\n", folder.max_bytes, name, fmt::join(folder.people, "\t"));
  }
  return text;
}

Result<PrivateFolders> PrivateFolders::decode(std::string_view text) {
  PrivateFolders folders;
  for (std::size_t number = 1; !text.empty(); ++number) {
    const auto broken = [&] {
      return fail(Code::kDataLoss, fmt::format("line {} is none of a private folder", number));
    };
    const std::size_t end = text.find('\n');
    if (end == std::string_view::npos) return broken();
    std::vector<std::string> fields;
    for (const auto& field : std::views::split(text.substr(0, end), '\t')) {
      fields.emplace_back(std::string_view(field));
    }
    text.remove_prefix(end + 1);
    if (fields.size() < 3) return broken();
    PrivateFolder folder{.name = fields[1], .people = {fields.begin() + 2, fields.end()}};
    const std::string& most = fields[0];
    const auto [rest, error] = std::from_chars(most.data(), most.data() + most.size(), folder.max_bytes);
    if (error != std::errc() || rest != most.data() + most.size() || folders.find(folder.name) != nullptr) {
      return broken();
    }
    if (!folders.set(std::move(folder))) return broken();
  }
  return folders;
}

}  // namespace hearth::drive
