#include "hub/drive_inputs.h"

#include <fnmatch.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <map>

#include <fmt/format.h>

#include "blob/transfer.h"
#include "drive/walk.h"
#include "hub/drive_scope.h"

namespace hearth::hub {
namespace {

constexpr std::size_t kPieceBytes = 1 << 20;
constexpr std::size_t kPiecesAtOnce = 16;  // before other work gets its turn

// Files of the drive by where they are laid out.
using LaidOut = std::map<std::string, drive::Path>;

std::unexpected<Error> wrong(std::string_view pattern, std::string_view what) {
  return fail(Code::kInvalidArgument, fmt::format("drive_inputs: '{}': {}", pattern, what));
}

bool is_pattern(std::string_view name) { return name.find_first_of("*?[") != std::string_view::npos; }

// What the names from the `at`th on match, below a folder that is there.
Result<void> match(const drive::Folder& folder, const drive::Scope& scope, const drive::Path& below,
                   const std::vector<std::string>& names, std::size_t at, std::vector<drive::Path>& found) {
  if (at == names.size()) {
    found.push_back(below);
    return {};
  }
  if (!is_pattern(names[at])) {
    Result<drive::Path> one = below.child(names[at]);
    if (!one) return std::unexpected(one.error());
    if (const Result<drive::Path> open = scope.inside(one->text()); !open) return std::unexpected(open.error());
    return folder.look(*one) ? match(folder, scope, *one, names, at + 1, found) : Result<void>();
  }
  const Result<std::vector<drive::Entry>> entries = folder.list(below);
  if (!entries)
    return entries.error().code == Code::kFailedPrecondition ? Result<void>() : std::unexpected(entries.error());
  for (const drive::Entry& entry : *entries) {
    if (::fnmatch(names[at].c_str(), entry.name.c_str(), FNM_PERIOD) != 0) continue;
    const drive::Path one = *below.child(entry.name);
    if (!scope.reaches(one)) continue;
    if (Result<void> matched = match(folder, scope, one, names, at + 1, found); !matched) return matched;
    if (found.size() > kMaxDriveInputFiles) return {};
  }
  return {};
}

Result<void> lay_out(LaidOut& files, const std::string& name, const drive::Path& path) {
  if (const auto [same, is_new] = files.emplace(name, path); !is_new && same->second != path) {
    return fail(Code::kInvalidArgument, fmt::format("drive_inputs: {} and {} would both be laid out as '{}'",
                                                    same->second.text(), path.text(), name));
  }
  if (files.size() <= kMaxDriveInputFiles) return {};
  return fail(Code::kInvalidArgument,
              fmt::format("drive_inputs: more than {} files: put them into an archive", kMaxDriveInputFiles));
}

Result<void> lay_out_all(const drive::Folder& folder, const drive::Scope& scope, const drive::Path& path,
                         LaidOut& files) {
  const Result<drive::Entry> entry = folder.look(path);
  if (!entry) return std::unexpected(entry.error());
  if (entry->kind == drive::Kind::kFile) return lay_out(files, path.name(), path);
  Result<drive::Walk> walk = drive::Walk::below(folder, path, scope.closed);
  if (!walk) return std::unexpected(walk.error());
  for (const drive::Walked* one = walk->next(); one != nullptr; one = walk->next()) {
    const std::optional<drive::Path> found = one->kind == drive::Kind::kFile ? walk->path() : std::nullopt;
    if (!found) continue;
    const std::string rest = found->relative().substr(path.is_root() ? 0 : path.relative().size() + 1);
    const std::string name = path.is_root() ? rest : path.name() + "/" + rest;
    if (Result<void> laid_out = lay_out(files, name, *found); !laid_out) return laid_out;
  }
  if (walk->trouble()) return fail(*walk->trouble(), "drive_inputs");
  return {};
}

Result<void> lay_out_matches(const drive::Folder& folder, const drive::Scope& scope, const std::string& pattern,
                             LaidOut& files) {
  const Result<drive::Path> names = drive::Path::parse(pattern);
  if (!names) return fail(names, "drive_inputs");
  std::vector<drive::Path> found;
  if (Result<void> matched = match(folder, scope, {}, names->names(), 0, found); !matched) return matched;
  if (found.empty()) {
    return fail(Code::kNotFound, fmt::format("drive_inputs: nothing in the drive is called '{}'", pattern));
  }
  for (const drive::Path& path : found) {
    if (Result<void> laid_out = lay_out_all(folder, scope, path, files); !laid_out) return laid_out;
  }
  return {};
}

// Some of an open file. True: that was its end.
Result<bool> copy_some(int file, blob::Writer& writer) {
  std::string piece(kPieceBytes, '\0');
  for (std::size_t i = 0; i < kPiecesAtOnce; ++i) {
    const ssize_t count = ::read(file, piece.data(), piece.size());
    if (count < 0) return fail_errno(errno, "reading the drive");
    if (count == 0) return true;
    if (Result<void> written = writer.write({piece.data(), static_cast<std::size_t>(count)}); !written) {
      return std::unexpected(written.error());
    }
  }
  return false;
}

net::Async<Result<v1::TreeFile>> take_file(Parts& parts, const drive::Folder& folder, const std::string& name,
                                           const drive::Path& path) {
  auto opened = co_await parts.drive.workers().run([&] { return folder.read(path); });
  if (!opened) co_return std::unexpected(opened.error());
  const drive::Entry& entry = opened->second;
  Result<blob::Writer> writer = co_await parts.workers.run([&] { return parts.blobs.create(entry.bytes); });
  if (!writer) co_return std::unexpected(writer.error());
  for (bool ended = false; !ended;) {
    const Result<bool> copied = co_await parts.workers.run([&] { return copy_some(opened->first.get(), *writer); });
    if (!copied) co_return std::unexpected(copied.error());
    ended = *copied;
  }
  const std::uint64_t copied = writer->size();
  const Result<blob::Digest> digest = co_await parts.workers.run([&] { return writer->commit(); });
  if (!digest) co_return std::unexpected(digest.error());
  const Result<drive::Entry> now = co_await parts.drive.workers().run([&] { return folder.look(path); });
  if (!now || now->etag != entry.etag || copied != entry.bytes) {
    co_return fail(Code::kAborted, path.text() + " changed while the job was taken: ask again");
  }
  struct stat status{};
  v1::TreeFile file;
  file.set_path(name);
  file.mutable_blob()->set_sha256(*digest);
  file.mutable_blob()->set_size(entry.bytes);
  file.set_executable(::fstat(opened->first.get(), &status) == 0 && (status.st_mode & S_IXUSR) != 0);
  co_return file;
}

// With what the job brings itself, which goes first where both have a name.
Result<v1::Blob> keep_tree(blob::BlobStore& blobs, const v1::JobSpec& spec, std::vector<v1::TreeFile> files) {
  v1::Tree tree;
  if (spec.has_inputs()) {
    const Result<std::string> bytes = blobs.load(spec.inputs().sha256(), blob::kMaxTreeBytes);
    if (!bytes || !tree.ParseFromString(*bytes)) {
      return fail(Code::kFailedPrecondition, "inputs: the tree was not uploaded (PUT /blob/SHA256 first)");
    }
  }
  std::map<std::string, v1::TreeFile> all;
  for (const v1::TreeFile& file : tree.files()) all[file.path()] = file;
  for (v1::TreeFile& file : files) {
    std::string name = file.path();
    if (!all.emplace(name, std::move(file)).second) return wrong(name, "`inputs` has a file of that name, too");
  }
  tree.clear_files();
  for (auto& [name, file] : all) *tree.add_files() = std::move(file);
  if (Result<void> checked = blob::check_tree(tree); !checked) return fail(checked, "drive_inputs");
  const std::string bytes = tree.SerializeAsString();
  const Result<blob::Digest> digest = blobs.put(bytes);
  if (!digest) return std::unexpected(digest.error());
  v1::Blob blob;
  blob.set_sha256(*digest);
  blob.set_size(bytes.size());
  return blob;
}

Result<void> check(const drive::Scope& scope, const v1::JobSpec& spec) {
  if (spec.drive_inputs_size() > kMaxDriveInputs) {
    return fail(Code::kInvalidArgument,
                fmt::format("drive_inputs: {} patterns; at most {}", spec.drive_inputs_size(), kMaxDriveInputs));
  }
  if (spec.drive_outputs().empty()) return {};
  if (spec.outputs().empty()) {
    return fail(Code::kInvalidArgument, "drive_outputs: `outputs` says which files those are, and has none");
  }
  const Result<drive::Path> path = scope.inside(spec.drive_outputs());
  return path ? Result<void>() : fail(path, "drive_outputs");
}

// Whether there can be a folder of this path: nothing on the way is a file. Blocks.
Result<void> check_is_folder(const drive::Folder& folder, const drive::Scope& scope, const std::string& wanted) {
  Result<drive::Path> path = scope.inside(wanted);
  for (; path && !path->is_root(); path = path->parent()) {
    const Result<drive::Entry> there = folder.look(*path);
    if (there && there->kind == drive::Kind::kFolder) return {};
    if (there) {
      return fail(Code::kInvalidArgument,
                  fmt::format("drive_outputs: {} is a file, and results go into a folder", path->text()));
    }
  }
  return {};
}

}  // namespace

net::Async<Result<void>> take_drive_inputs(Parts& parts, v1::JobSpec& spec, DeviceId device) {
  if (spec.drive_inputs().empty() && spec.drive_outputs().empty()) co_return Result<void>();
  const Result<drive::Scope> scope = drive_scope(parts, device);
  if (!scope) co_return fail(scope, "drive_inputs, drive_outputs");
  if (Result<void> checked = check(*scope, spec); !checked) co_return checked;
  const Result<drive::Folder*> folder = co_await parts.drive.open();
  if (!folder) co_return std::unexpected(folder.error());
  if (!spec.drive_outputs().empty()) {
    const Result<void> may_be =
        co_await parts.drive.workers().run([&] { return check_is_folder(**folder, *scope, spec.drive_outputs()); });
    if (!may_be) co_return may_be;
  }
  if (spec.drive_inputs().empty()) co_return Result<void>();
  LaidOut laid_out;
  for (const std::string& pattern : spec.drive_inputs()) {
    const Result<void> matched =
        co_await parts.drive.workers().run([&] { return lay_out_matches(**folder, *scope, pattern, laid_out); });
    if (!matched) co_return matched;
  }
  std::vector<v1::TreeFile> files;
  for (const auto& [name, path] : laid_out) {
    Result<v1::TreeFile> file = co_await take_file(parts, **folder, name, path);
    if (!file) co_return fail(file, "drive_inputs");
    files.push_back(*std::move(file));
  }
  const Result<v1::Blob> tree =
      co_await parts.workers.run([&] { return keep_tree(parts.blobs, spec, std::move(files)); });
  if (!tree) co_return std::unexpected(tree.error());
  *spec.mutable_inputs() = *tree;
  spec.clear_drive_inputs();
  co_return Result<void>();
}

}  // namespace hearth::hub
