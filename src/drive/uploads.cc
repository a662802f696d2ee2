#include "drive/uploads.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <charconv>
#include <fstream>
#include <ranges>

#include <fmt/format.h>

#include "base/bytes.h"
#include "base/entries.h"
#include "base/log.h"
#include "drive/files.h"
#include "net/http.h"
#include "net/percent.h"

namespace hearth::drive {
namespace {

constexpr std::string_view kUploads = "uploads";
constexpr std::string_view kAbout = ".about";
constexpr Duration kOrphanKept = minutes(60);

template <class Number>
std::optional<Number> number(std::string_view text) {
  Number value{};
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (text.empty() || error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return value;
}

std::string_view name_of(UploadAbout::IfExists what) {
  if (what == UploadAbout::IfExists::kReplace) return "replace";
  return what == UploadAbout::IfExists::kFail ? "fail" : "rename";
}

std::optional<UploadAbout::IfExists> if_exists_named(std::string_view name) {
  using enum UploadAbout::IfExists;
  for (const UploadAbout::IfExists what : {kRename, kReplace, kFail}) {
    if (name_of(what) == name) return what;
  }
  return std::nullopt;
}

Result<std::filesystem::path> file_of(const Folder& folder, const std::string& id) {
  Result<std::filesystem::path> own = folder.own(kUploads);
  if (own) *own /= id;
  return own;
}

std::optional<WallTime> modified_at(const std::filesystem::path& file) {
  struct stat status{};
  if (::lstat(file.c_str(), &status) != 0) return std::nullopt;
  return WallTime{status.st_mtim.tv_sec * 1'000};
}

// Bytes that nothing is known of, unless they have just begun to come.
void remove_orphan(const std::filesystem::path& bytes) {
  const std::optional<WallTime> modified = modified_at(bytes);
  if (modified_at(bytes.string() + std::string(kAbout)) || !modified) return;
  if (wall_now().unix_millis - modified->unix_millis > kOrphanKept.micros / 1'000) ::unlink(bytes.c_str());
}

std::string about_name(const std::string& id) { return fmt::format("{}/{}{}", kUploads, id, kAbout); }

}  // namespace

std::string encode_about(const UploadAbout& about) {
  const auto or_none = [](const auto& value) { return value ? fmt::format("{}", *value) : std::string("-"); };
  const std::optional<std::int64_t> modified =
      about.modified ? std::optional(about.modified->unix_millis) : std::nullopt;
  return fmt::format("{} {} {} {} {} {} /{} /{} /{}\n", about.owner.value, or_none(about.bytes),
                     about.is_part ? "part" : "whole", name_of(about.if_exists), or_none(modified),
                     or_none(about.judged_bytes), net::percent_encoded(about.path),
                     net::percent_encoded(about.metadata), net::percent_encoded(about.placed));
}

std::optional<UploadAbout> decode_about(std::string_view text) {
  if (!text.ends_with('\n')) return std::nullopt;
  text.remove_suffix(1);
  std::vector<std::string> words;
  for (const auto& word : std::views::split(text, ' ')) {
    std::optional<std::string> decoded = net::percent_decoded(std::string_view(word));
    if (!decoded) return std::nullopt;
    words.push_back(*std::move(decoded));
  }
  if (words.size() != 9) return std::nullopt;
  const auto owner = number<std::uint64_t>(words[0]);
  const auto if_exists = if_exists_named(words[3]);
  if (!owner || !if_exists || !std::ranges::all_of(words | std::views::drop(6), [](const std::string& word) {
        return word.starts_with('/');
      })) {
    return std::nullopt;
  }
  UploadAbout about{.owner = {*owner},
                    .bytes = number<std::uint64_t>(words[1]),
                    .is_part = words[2] == "part",
                    .path = words[6].substr(1),
                    .if_exists = *if_exists,
                    .modified = {},
                    .metadata = words[7].substr(1),
                    .placed = words[8].substr(1)};
  about.judged_bytes = number<std::uint64_t>(words[5]);
  if (const auto modified = number<std::int64_t>(words[4])) about.modified = WallTime{*modified};
  return about;
}

Result<void> read_metadata(std::string_view header, UploadAbout& about) {
  if (header.size() > kMaxMetadataBytes) {
    return fail(Code::kInvalidArgument, fmt::format("Upload-Metadata: at most {} bytes", kMaxMetadataBytes));
  }
  about.metadata = header;
  for (const auto& range : std::views::split(header, ',')) {
    std::string_view pair(range);
    while (pair.starts_with(' ')) pair.remove_prefix(1);
    const std::string_view key = pair.substr(0, pair.find(' '));
    const std::optional<std::string> value = from_base64(pair.substr(std::min(key.size() + 1, pair.size())));
    if (!value) return fail(Code::kInvalidArgument, fmt::format("Upload-Metadata: {} is no base64", key));
    if (key == "path") {
      const Result<Path> path = Path::parse(*value);
      if (!path) return fail(path, "Upload-Metadata: path");
      if (path->is_root()) return fail(Code::kInvalidArgument, "Upload-Metadata: path: the root is a folder");
      about.path = path->text();
    } else if (key == "modified") {
      const auto millis = number<std::int64_t>(*value);
      constexpr std::int64_t kLast = 253'402'300'799'999;  // of the year 9999
      if (!millis || *millis < 0 || *millis > kLast) {
        return fail(Code::kInvalidArgument, "Upload-Metadata: modified: milliseconds since 1970");
      }
      about.modified = WallTime{*millis};
    } else if (key == "ifexists") {
      const auto what = if_exists_named(*value);
      if (!what) return fail(Code::kInvalidArgument, "Upload-Metadata: ifexists: rename, replace or fail");
      about.if_exists = *what;
    }
  }
  return {};
}

Result<std::vector<KeptUpload>> load_uploads(const Folder& folder) {
  const Result<std::filesystem::path> own = folder.own(kUploads);
  if (!own) return std::unexpected(own.error());
  std::vector<KeptUpload> kept;
  std::error_code error;
  for (const auto& found : Entries(*own, error)) {
    const std::string name = found.path().filename();
    const std::string id = name.substr(0, 32);
    if (is_unique_name(name)) remove_orphan(found.path());
    if (name != id + std::string(kAbout)) continue;
    const Result<std::string> text = folder.read_own(about_name(id));
    if (!text) {
      log_warning("an upload stays unknown until the next start: " + text.error().message);
      continue;
    }
    const std::optional<UploadAbout> about = decode_about(*text);
    const std::optional<WallTime> last_byte = modified_at(*own / id);
    const std::optional<WallTime> last_said = modified_at(found.path());
    if (!about || !is_unique_name(id) || (!last_byte && about->placed.empty())) {
      remove_upload(folder, id);
      continue;
    }
    const std::optional<std::uintmax_t> there =
        last_byte ? std::optional(std::filesystem::file_size(*own / id, error)) : std::nullopt;
    if (about->judged_bytes && there > about->judged_bytes) {
      std::filesystem::resize_file(*own / id, *about->judged_bytes, error);
    }
    // On the way to its place it gets the time that its sender said.
    const bool has_own_time = last_byte && about->placed.empty();
    if (const auto changed = has_own_time ? last_byte : last_said) {
      kept.push_back({.id = id, .about = *about, .changed = *changed});
    }
  }
  if (error) return fail_errno(error.value(), "reading the uploads");
  return kept;
}

Result<void> keep_about(const Folder& folder, const std::string& id, const UploadAbout& about) {
  return folder.write_own(about_name(id), encode_about(about));
}

Result<std::string> create_upload(const Folder& folder, const UploadAbout& about) {
  std::string id = unique_name();
  const Result<std::filesystem::path> file = file_of(folder, id);
  if (!file) return std::unexpected(file.error());
  const Fd opened(::open(file->c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600));
  if (opened.get() < 0) return fail_errno(errno, "making an upload");
  if (Result<void> kept = keep_about(folder, id, about); !kept) {
    remove_upload(folder, id);
    return std::unexpected(kept.error());
  }
  return id;
}

Result<Fd> open_upload(const Folder& folder, const std::string& id) {
  const Result<std::filesystem::path> file = file_of(folder, id);
  if (!file) return std::unexpected(file.error());
  Fd opened(::open(file->c_str(), O_RDWR | O_NOFOLLOW | O_CLOEXEC));
  if (opened.get() < 0) return fail_errno(errno, "opening an upload");
  return opened;
}

Result<std::uint64_t> upload_bytes(const Folder& folder, const std::string& id) {
  const Result<std::filesystem::path> file = file_of(folder, id);
  struct stat status{};
  if (!file) return std::unexpected(file.error());
  if (::lstat(file->c_str(), &status) != 0) return fail_errno(errno, "an upload");
  return static_cast<std::uint64_t>(status.st_size);
}

void remove_upload(const Folder& folder, const std::string& id) {
  const Result<std::filesystem::path> file = file_of(folder, id);
  if (!file) return;
  ::unlink(file->c_str());
  ::unlink((file->string() + std::string(kAbout)).c_str());
}

Result<void> append(const Fd& file, std::uint64_t at, std::string_view bytes) {
  if (Result<void> room = check_room(file.get(), bytes.size()); !room) return room;
  while (!bytes.empty()) {
    const ssize_t count = ::pwrite(file.get(), bytes.data(), bytes.size(), static_cast<off_t>(at));
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) return fail_errno(errno, "writing what is uploaded");
    bytes.remove_prefix(static_cast<std::size_t>(count));
    at += static_cast<std::uint64_t>(count);
  }
  return {};
}

Result<void> join_uploads(const Folder& folder, const std::vector<std::string>& parts, const std::string& id) {
  const Result<Fd> whole = open_upload(folder, id);
  if (!whole) return std::unexpected(whole.error());
  for (const std::string& part : parts) {
    const Result<Fd> file = open_upload(folder, part);
    if (!file) return std::unexpected(file.error());
    if (Result<void> room = check_room(whole->get(), 1); !room) return room;
    if (Result<void> copied = append_bytes(file->get(), whole->get(), "a part"); !copied) return copied;
  }
  return {};
}

bool rests_on_same(const Folder& folder, const std::string& id, UploadAbout& about) {
  const Result<Path> path = Path::parse(about.path);
  if (!path || about.if_exists != UploadAbout::IfExists::kRename || !folder.look(*path)) return false;
  const Result<Fd> sent = open_upload(folder, id);
  bool is_same = false;
  const Result<Path> place = folder.free_name(*path, [&](const Path& taken) {
    const auto there = folder.read(taken);
    return is_same = sent && there && hold_the_same(sent->get(), there->first.get());
  });
  if (!place || !is_same) return false;
  about.placed = place->text();
  const Result<std::filesystem::path> file = file_of(folder, id);
  return keep_about(folder, id, about) && file && ::unlink(file->c_str()) == 0;
}

Result<Placed> place_upload(Folder& folder, const std::string& id, UploadAbout& about) {
  Result<Path> path = Path::parse(about.path);
  if (!path) return std::unexpected(path.error());
  if (Result<void> made = folder.make_parents(*path); !made) return std::unexpected(made.error());
  if (about.if_exists == UploadAbout::IfExists::kRename) path = folder.free_name(*path);
  if (!path) return std::unexpected(path.error());
  // Said first: whoever dies in between finds neither two files nor none.
  about.placed = path->text();
  if (Result<void> kept = keep_about(folder, id, about); !kept) return std::unexpected(kept.error());
  const Result<std::filesystem::path> file = file_of(folder, id);
  if (!file) return std::unexpected(file.error());
  const Condition condition{.if_match = "",
                            .if_none_match = about.if_exists == UploadAbout::IfExists::kFail ? "*" : ""};
  return folder.place_own(*file, *path, condition, about.modified);
}

}  // namespace hearth::drive
