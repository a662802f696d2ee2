// What is moved, copied, removed and brought back. A thing in the trash is a folder of its own there: "content", and
// "origin", two lines: when it was removed (milliseconds since 1970) and where it was.
#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <charconv>
#include <fstream>

#include <fmt/format.h>

#include "base/entries.h"

#include "drive/files.h"

namespace hearth::drive {
namespace {

constexpr std::string_view kTrash = "trash";
constexpr std::string_view kNotInTrash = "nothing in the trash has that number";

Result<void> write_origin(const std::filesystem::path& file, const Path& path) {
  const Fd opened(::open(file.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600));
  if (opened.get() < 0) return fail_errno(errno, file.string());
  const std::string text = fmt::format("{}\n{}\n", wall_now().unix_millis, path.text());
  if (::write(opened.get(), text.data(), text.size()) != static_cast<ssize_t>(text.size())) {
    return fail_errno(errno, file.string());
  }
  if (::fsync(opened.get()) != 0) return fail_errno(errno, file.string());
  return {};
}

struct Origin {
  WallTime removed;
  std::string path;
};

std::optional<Origin> read_origin(const std::filesystem::path& file) {
  std::ifstream stream(file);
  std::string millis;
  Origin origin;
  if (!std::getline(stream, millis) || !std::getline(stream, origin.path)) return std::nullopt;
  const auto [end, error] = std::from_chars(millis.data(), millis.data() + millis.size(), origin.removed.unix_millis);
  if (error != std::errc() || end != millis.data() + millis.size()) return std::nullopt;
  return origin;
}

Result<void> sync_folder(int folder, const Path& path) {
  if (::fsync(folder) != 0) return fail_errno(errno, path.text());
  return {};
}

}  // namespace

Result<void> Folder::into_trash(const Path& path) {
  const Result<Fd> parent = open_beneath(path.parent(), O_RDONLY | O_DIRECTORY);
  if (!parent) return std::unexpected(parent.error());
  const Result<std::filesystem::path> trash = own(kTrash);
  if (!trash) return std::unexpected(trash.error());
  const std::filesystem::path place = *trash / unique_name();
  if (::mkdir(place.c_str(), 0700) != 0) return fail_errno(errno, place.string());
  if (Result<void> noted = write_origin(place / "origin", path); !noted) return noted;
  const Fd folder(::open(place.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (::renameat(parent->get(), path.name().c_str(), folder.get(), "content") != 0) {
    const int error = errno;
    std::error_code ignored;
    std::filesystem::remove_all(place, ignored);
    return fail_errno(error, path.text());
  }
  if (Result<void> synced = sync_folder(folder.get(), path); !synced) return synced;
  const Fd above(::open(trash->c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (Result<void> synced = sync_folder(above.get(), path); !synced) return synced;
  return sync_folder(parent->get(), path);
}

Result<void> Folder::remove(const Path& path) {
  if (path.is_root()) return fail(Code::kInvalidArgument, "the root of the drive stays");
  if (const Result<Entry> found = look(path); !found) return std::unexpected(found.error());
  return into_trash(path);
}

Result<void> Folder::check_apart(const Path& from, const Path& to) {
  if (from.is_root() || to.is_root() || to.is_within(from) || from.is_within(to)) {
    return fail(Code::kInvalidArgument,
                fmt::format("{} cannot be put at {}: one lies within the other", from.text(), to.text()));
  }
  return {};
}

Result<bool> Folder::check_way(const Path& from, const Path& to, bool replace) const {
  if (const Result<Entry> found = look(from); !found) return std::unexpected(found.error());
  if (const Result<Fd> parent = parent_of(to); !parent) {
    return fail(Code::kFailedPrecondition, "there is no folder " + to.parent().text());
  }
  const Result<Entry> there = look(to);
  if (!there) return false;
  if (!replace) return fail(Code::kAlreadyExists, to.text() + " is there already");
  return true;
}

Result<bool> Folder::clear_way(const Path& from, const Path& to, bool replace) {
  const Result<bool> is_there = check_way(from, to, replace);
  if (!is_there || !*is_there) return is_there;
  if (Result<void> removed = into_trash(to); !removed) return std::unexpected(removed.error());
  return true;
}

Result<void> Folder::take_room(const Path& from, const Path& to) {
  if (!allowances_->allowance(*this, to)) return {};
  const Result<Fd> above = parent_of(from);
  if (!above) return std::unexpected(above.error());
  return allowances_->take(*this, to, tree_bytes(above->get(), from.name()));
}

Result<bool> Folder::move(const Path& from, const Path& to, bool replace) {
  if (Result<void> apart = check_apart(from, to); !apart) return std::unexpected(apart.error());
  if (from.names().front() != to.names().front()) {
    if (Result<void> fits = take_room(from, to); !fits) return std::unexpected(fits.error());
  }
  const Result<bool> was_there = clear_way(from, to, replace);
  if (!was_there) return was_there;
  const Result<Fd> source = open_beneath(from.parent(), O_RDONLY | O_DIRECTORY);
  if (!source) return std::unexpected(source.error());
  const Result<Fd> target = open_beneath(to.parent(), O_RDONLY | O_DIRECTORY);
  if (!target) return std::unexpected(target.error());
  if (::renameat2(source->get(), from.name().c_str(), target->get(), to.name().c_str(), RENAME_NOREPLACE) != 0) {
    return fail_errno(errno, from.text());
  }
  if (Result<void> synced = sync_folder(target->get(), to); !synced) return std::unexpected(synced.error());
  if (Result<void> synced = sync_folder(source->get(), from); !synced) return std::unexpected(synced.error());
  return was_there;
}

Copied::~Copied() {
  std::error_code ignored;
  if (!place_.empty()) std::filesystem::remove_all(place_, ignored);
}

Result<Copied> Folder::copy_aside(const Path& from, const Path& to, bool replace, bool deep) const {
  if (Result<void> apart = check_apart(from, to); !apart) return std::unexpected(apart.error());
  if (const Result<bool> way = check_way(from, to, replace); !way) return std::unexpected(way.error());
  const Result<Fd> source = parent_of(from);
  if (!source) return std::unexpected(source.error());
  const std::uint64_t bytes = deep ? tree_bytes(source->get(), from.name()) : 0;
  if (Result<void> fits = allowances_->check(*this, to, bytes); !fits) return std::unexpected(fits.error());
  const Result<std::filesystem::path> fresh = own("new");
  if (!fresh) return std::unexpected(fresh.error());
  const Fd folder(::open(fresh->c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  const std::string name = unique_name();
  Copied copied(*fresh / name);
  if (Result<void> done = copy_tree(source->get(), from.name(), folder.get(), name, deep); !done) {
    return std::unexpected(done.error());
  }
  copied.bytes_ = tree_bytes(folder.get(), name);
  return copied;
}

Result<bool> Folder::place_copy(Copied& copied, const Path& from, const Path& to, bool replace) {
  if (Result<void> apart = check_apart(from, to); !apart) return std::unexpected(apart.error());
  if (Result<void> fits = allowances_->check(*this, to, copied.bytes_); !fits) return std::unexpected(fits.error());
  const Result<bool> was_there = clear_way(from, to, replace);
  if (!was_there) return was_there;
  const Result<Fd> target = open_beneath(to.parent(), O_RDONLY | O_DIRECTORY);
  if (!target) return std::unexpected(target.error());
  if (::renameat2(AT_FDCWD, copied.place_.c_str(), target->get(), to.name().c_str(), RENAME_NOREPLACE) != 0) {
    return fail_errno(errno, to.text());
  }
  copied.place_.clear();
  (void)allowances_->take(*this, to, copied.bytes_);  // it was found to fit
  if (Result<void> synced = sync_folder(target->get(), to); !synced) return std::unexpected(synced.error());
  return was_there;
}

Result<std::vector<Trashed>> Folder::trash() const {
  const Result<std::filesystem::path> trash = own(kTrash);
  if (!trash) return std::unexpected(trash.error());
  std::vector<Trashed> all;
  std::error_code error;
  for (const auto& found : Entries(*trash, error)) {
    const std::optional<Origin> origin = read_origin(found.path() / "origin");
    struct stat status{};
    if (!origin || ::lstat((found.path() / "content").c_str(), &status) != 0) continue;
    const std::optional<Entry> entry = entry_of(status, "");
    if (!entry) continue;
    all.push_back({.id = found.path().filename(),
                   .path = origin->path,
                   .kind = entry->kind,
                   .bytes = tree_bytes(AT_FDCWD, found.path() / "content"),
                   .removed = origin->removed});
  }
  if (error) return fail_errno(error.value(), "reading the trash");
  std::ranges::sort(
      all, [](const Trashed& a, const Trashed& b) { return std::tie(b.removed, b.id) < std::tie(a.removed, a.id); });
  return all;
}

Result<std::vector<std::string>> Folder::trash_ids() const {
  const Result<std::filesystem::path> trash = own(kTrash);
  if (!trash) return std::unexpected(trash.error());
  std::vector<std::string> ids;
  std::error_code error;
  for (const auto& found : Entries(*trash, error)) {
    if (std::string id = found.path().filename(); is_unique_name(id)) ids.push_back(std::move(id));
  }
  if (error) return fail_errno(error.value(), "reading the trash");
  return ids;
}

Result<Path> Folder::free_name(const Path& path, const std::function<bool(const Path&)>& fits) const {
  const std::string& name = path.name();
  const std::size_t dot = name.rfind('.');
  const std::size_t stem = dot == std::string::npos || dot == 0 ? name.size() : dot;
  Result<Path> free = path;
  for (int number = 2; free && look(*free) && !(fits && fits(*free)); ++number) {
    free = path.parent().child(fmt::format("{} ({}){}", name.substr(0, stem), number, name.substr(stem)));
  }
  return free;
}

Result<Path> Folder::origin(const std::string& id) const {
  const Result<std::filesystem::path> trash = own(kTrash);
  if (!trash) return std::unexpected(trash.error());
  const std::optional<Origin> origin = is_unique_name(id) ? read_origin(*trash / id / "origin") : std::nullopt;
  if (!origin) return fail(Code::kNotFound, std::string(kNotInTrash));
  return Path::parse(origin->path);
}

Result<void> Folder::make_parents(const Path& path) {
  Path above;
  for (std::size_t i = 0; i + 1 < path.names().size(); ++i) {
    above = *above.child(path.names()[i]);
    const Result<Entry> made = look(above) ? look(above) : make_folder(above);
    if (!made && made.error().code != Code::kAlreadyExists) return std::unexpected(made.error());
  }
  return {};
}

Result<Path> Folder::restore(const std::string& id) {
  const Result<std::filesystem::path> trash = own(kTrash);
  if (!trash) return std::unexpected(trash.error());
  const Result<Path> was = origin(id);
  if (!was) return std::unexpected(was.error());
  if (Result<void> made = make_parents(*was); !made) return std::unexpected(made.error());
  const Result<Path> path = free_name(*was);
  if (!path) return path;
  const Result<Fd> parent = open_beneath(path->parent(), O_RDONLY | O_DIRECTORY);
  if (!parent) return std::unexpected(parent.error());
  const std::filesystem::path content = *trash / id / "content";
  const std::uint64_t bytes = allowances_->allowance(*this, *path) ? tree_bytes(AT_FDCWD, content) : 0;
  if (Result<void> fits = allowances_->take(*this, *path, bytes); !fits) return std::unexpected(fits.error());
  if (::renameat2(AT_FDCWD, content.c_str(), parent->get(), path->name().c_str(), RENAME_NOREPLACE) != 0) {
    return fail_errno(errno, path->text());
  }
  if (Result<void> synced = sync_folder(parent->get(), *path); !synced) return std::unexpected(synced.error());
  std::error_code ignored;
  std::filesystem::remove_all(*trash / id, ignored);
  return path;
}

Result<std::filesystem::path> Folder::discard(const std::string& id) {
  const Result<std::filesystem::path> trash = own(kTrash);
  if (!trash) return std::unexpected(trash.error());
  if (!is_unique_name(id)) return fail(Code::kNotFound, std::string(kNotInTrash));
  const Result<std::filesystem::path> fresh = own("new");
  if (!fresh) return std::unexpected(fresh.error());
  std::filesystem::path away = *fresh / unique_name();
  if (::rename((*trash / id).c_str(), away.c_str()) == 0) return away;
  if (errno == ENOENT) return fail(Code::kNotFound, std::string(kNotInTrash));
  return fail_errno(errno, "erasing for good");
}

Result<std::vector<std::filesystem::path>> Folder::discard_older(Duration age) {
  const WallTime limit{wall_now().unix_millis - age.micros / 1'000};
  const Result<std::filesystem::path> trash = own(kTrash);
  if (!trash) return std::unexpected(trash.error());
  const Result<std::vector<std::string>> ids = trash_ids();
  if (!ids) return std::unexpected(ids.error());
  std::vector<std::filesystem::path> discarded;
  for (const std::string& id : *ids) {
    const std::optional<Origin> origin = read_origin(*trash / id / "origin");
    if (!origin || !(origin->removed < limit)) continue;
    if (Result<std::filesystem::path> away = discard(id)) discarded.push_back(*std::move(away));
  }
  return discarded;
}

}  // namespace hearth::drive
