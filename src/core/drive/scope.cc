#include "core/drive/scope.h"

#include <span>

#include <fmt/format.h>

namespace hearth::drive {

bool covers(const Rights& granted, const Rights& wanted) {
  return (granted.see || !wanted.see) && (granted.download || !wanted.download) && (granted.add || !wanted.add) &&
         (granted.edit || !wanted.edit);
}

Result<void> check_rights(const Rights& rights) {
  if (rights == Rights{}) return fail(Code::kInvalidArgument, "rights: at least one of see, download, add, edit");
  if (rights.edit && rights != kAllRights) {
    return fail(Code::kInvalidArgument, "rights: who may edit may see, download and add as well");
  }
  if (rights.download && !rights.see) {
    return fail(Code::kInvalidArgument, "rights: who may download sees what there is");
  }
  return {};
}

bool Scope::reaches(const Path& path) const {
  return path.is_within(root) && (path.is_root() || !closed.contains(path.names().front()));
}

Result<Path> Scope::inside(std::string_view named) const {
  const std::string_view below = named.starts_with('/') ? named.substr(1) : named;
  Result<Path> path = root.is_root() ? Path::parse(named) : Path::parse(fmt::format("{}/{}", root.text(), below));
  if (!path || reaches(*path)) return path;
  return fail(Code::kPermissionDenied, fmt::format("/{} is other people's own folder", path->names().front()));
}

std::string Scope::outside(const Path& path) const {
  if (!path.is_within(root) || path == root) return "/";
  return fmt::format("/{}", fmt::join(std::span(path.names()).subspan(root.names().size()), "/"));
}

Result<void> Scope::allow(const Rights& wanted) const {
  if (covers(rights, wanted)) return {};
  const std::string_view what = wanted.see && !rights.see             ? "see what is in there"
                                : wanted.download && !rights.download ? "download"
                                : wanted.add && !rights.add           ? "add anything"
                                                                      : "change anything";
  return fail(Code::kPermissionDenied, fmt::format("this link lets nobody {}", what));
}

Result<void> Scope::allow_change(const Path& path) const {
  if (Result<void> allowed = allow({.edit = true}); !allowed) return allowed;
  if (is_whole() && path.names().size() == 1 && settled.contains(path.name())) {
    return fail(Code::kPermissionDenied,
                path.text() + " is some people's own folder and stays where it is; what is in it may be changed");
  }
  if (is_whole() || path != root) return {};
  return fail(Code::kPermissionDenied, "what a link shares stays where it is; what is in it may be changed");
}

Result<void> Scope::allow_in_place_of(const Path& path) const {
  if (!is_whole() && path == root) {
    return fail(Code::kPermissionDenied, "nothing takes the place of what a link shares");
  }
  if (path.names().size() != 1 || !settled.contains(path.name())) return {};
  return fail(Code::kPermissionDenied, "nothing takes the place of some people's own folder, " + path.text());
}

Error Scope::told(Error error) const {
  if (root.is_root()) return error;
  const std::string hidden = root.text();
  for (std::size_t at = error.message.find(hidden); at != std::string::npos; at = error.message.find(hidden, at)) {
    const std::size_t end = at + hidden.size();
    const bool goes_on = end < error.message.size() && error.message[end] == '/';
    error.message.replace(at, hidden.size(), goes_on ? "" : "/");
    at += goes_on ? 0 : 1;
  }
  return error;
}

}  // namespace hearth::drive
