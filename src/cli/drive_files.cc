#include "cli/drive_files.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <ctime>
#include <utility>

#include <fmt/format.h>

#include "base/bytes.h"
#include "base/fd.h"
#include "blob/local_file.h"
#include "cli/commands.h"
#include "cli/documents.h"
#include "cli/output.h"
#include "cli/results.h"
#include "cli/values.h"
#include "net/crypto.h"
#include "net/percent.h"
#include "sync/refusal.h"

namespace hearth::cli {
namespace {

constexpr std::uint32_t kPage = 2'000;         // entries, as many as the hub gives at a time
constexpr int kMaxDepth = 100;                 // of folders
constexpr const char* kOwnFolder = ".hearth";  // of the drive itself: trash, versions

std::string joined(const std::string& folder, const std::string& name) {
  return folder + (folder.ends_with('/') ? "" : "/") + name;
}

std::string last_name(std::string_view path) {
  while (path.size() > 1 && path.ends_with('/')) path.remove_suffix(1);
  return std::string(path.substr(path.rfind('/') + 1));
}

std::string target_of(std::string_view path) {
  std::string target = "/dav";
  while (!path.empty()) {
    const std::size_t end = std::min(path.find('/'), path.size());
    if (end > 0) target += "/" + net::percent_encoded(path.substr(0, end));
    path.remove_prefix(std::min(end + 1, path.size()));
  }
  return target;
}

std::unexpected<Error> fail_status(const net::Response& response, const std::string& path) {
  Error error =
      sync::fail_refused(response, path, "it is there already: --replace puts the new one in its place").error();
  error.message = plain(error.message);
  return std::unexpected(std::move(error));
}

bool is_same(const std::filesystem::path& one, const std::filesystem::path& other) {
  std::error_code error;
  if (std::filesystem::file_size(one, error) != std::filesystem::file_size(other, error) || error) return false;
  const Result<blob::HashedFile> hash = blob::hash_file(one);
  const Result<blob::HashedFile> other_hash = blob::hash_file(other);
  return hash && other_hash && hash->sha256 == other_hash->sha256;
}

// A sequence of transfers, told of in one line and counted.
class Transfers {
 public:
  // `version`: of what is fetched; empty: the present one.
  Transfers(Client& client, bool replace, std::string version = "")
      : client_(client), replace_(replace), version_(std::move(version)) {}

  std::int64_t files() const { return files_; }
  std::int64_t bytes() const { return bytes_; }
  std::int64_t left_out() const { return left_out_; }  // of folders, told of each
  void clear_progress() { progress_.clear(); }

  Result<void> put(const std::filesystem::path& local, const std::string& remote);
  Result<void> make_folder(const std::string& remote);  // or it is there
  Result<void> put_folder(const std::filesystem::path& local, const std::string& remote);
  // `place`: relative to the destination.
  Result<void> get(const std::string& remote, const Destination& destination, const std::string& place);
  Result<void> get_folder(const std::string& remote, const Destination& destination, const std::string& place,
                          int depth);

 private:
  Result<net::Headers> headers();
  Result<net::Response> fetch(const std::string& remote, int file);

  // As a request's target.
  std::string target_of_version(const std::string& remote) const {
    return target_of(remote) + (version_.empty() ? "" : "?version=" + version_);
  }

  Client& client_;
  bool replace_;
  std::string version_;
  ProgressLine progress_;
  std::int64_t files_ = 0;
  std::int64_t bytes_ = 0;
  std::int64_t left_out_ = 0;
};

Result<net::Headers> Transfers::headers() {
  const Result<std::string> token = client_.loop().run_until_done(client_.session().token());
  if (!token) return std::unexpected(client_.explain(token.error()));
  net::Headers headers;
  headers.add("authorization", "Bearer " + *token);
  return headers;
}

Result<void> Transfers::put(const std::filesystem::path& local, const std::string& remote) {
  const Fd file(::open(local.c_str(), O_RDONLY | O_NONBLOCK | O_CLOEXEC));
  struct stat status{};
  if (file.get() < 0 || ::fstat(file.get(), &status) != 0) return fail_errno(errno, local.string());
  if (!S_ISREG(status.st_mode)) {
    return fail(Code::kFailedPrecondition, fmt::format("{}: neither a file nor a folder", plain(local.string())));
  }
  Result<net::Headers> headers = this->headers();
  if (!headers) return std::unexpected(headers.error());
  headers->add("X-OC-MTime", std::to_string(status.st_mtim.tv_sec));
  if ((status.st_mode & S_IXUSR) != 0) headers->add("X-Hearth-Executable", "1");
  if (!replace_) headers->add("If-None-Match", "*");
  progress_.show(
      fmt::format("sending {}, {}", plain(local.string()), format_bytes(static_cast<std::uint64_t>(status.st_size))));
  const Result<net::Response> response = client_.loop().run_until_done(client_.session().client().send_file(
      target_of(remote), std::move(*headers), file.get(), static_cast<std::uint64_t>(status.st_size)));
  if (!response) return std::unexpected(client_.explain(response.error()));
  if (response->status != 201 && response->status != 204) return fail_status(*response, remote);
  ++files_;
  bytes_ += status.st_size;
  return {};
}

Result<void> Transfers::make_folder(const std::string& remote) {
  v1::MakeDriveFolderRequest request;
  request.set_path(remote);
  const Result<v1::MakeDriveFolderReply> made =
      client_.call<v1::MakeDriveFolderReply>("hearth.v1.DriveService/MakeFolder", request);
  if (made || made.error().code == Code::kAlreadyExists) return {};
  return std::unexpected(made.error());
}

// What keeps one of a folder's from being sent with it, while the others are; empty: nothing known here. A link is not
// followed: it may lead anywhere.
std::string why_not_sent(const std::filesystem::path& local, bool is_folder) {
  struct stat status{};
  if (::lstat(local.c_str(), &status) == 0 && !is_folder && !S_ISREG(status.st_mode)) {
    return S_ISLNK(status.st_mode) ? "it is a symbolic link" : "it is neither a file nor a folder";
  }
  return ::access(local.c_str(), is_folder ? R_OK | X_OK : R_OK) == 0 ? "" : std::strerror(errno);
}

Result<void> Transfers::put_folder(const std::filesystem::path& local, const std::string& remote) {
  if (Result<void> made = make_folder(remote); !made) return made;
  std::error_code error;
  for (std::filesystem::recursive_directory_iterator below(local, error), end; !error && below != end;
       below.increment(error)) {
    const std::string place = joined(remote, below->path().lexically_relative(local).string());
    const bool is_folder = below->symlink_status(error).type() == std::filesystem::file_type::directory;
    std::string lack = why_not_sent(below->path(), is_folder);
    if (lack.empty()) {
      const Result<void> done = is_folder ? make_folder(place) : put(below->path(), place);
      if (!done && done.error().code != Code::kInvalidArgument) return done;
      if (done) continue;
      lack = done.error().message;  // its name is none that the drive has
    }
    progress_.clear();
    say(fmt::format("{}: left out: {}", plain(below->path().string()), lack));
    ++left_out_;
    if (is_folder) below.disable_recursion_pending();
  }
  if (error) return fail_errno(error.value(), local.string());
  return {};
}

Result<net::Response> Transfers::fetch(const std::string& remote, int file) {
  Result<net::Headers> headers = this->headers();
  if (!headers) return std::unexpected(headers.error());
  std::uint64_t received = 0;
  const auto take = [&](std::string_view piece) -> net::Async<Result<void>> {
    received += piece.size();
    progress_.show(fmt::format("fetching {}, {}", plain(remote), format_bytes(received)));
    co_return co_await client_.workers().run([&] { return write_all(file, piece); });
  };
  const Result<net::Response> response = client_.loop().run_until_done(
      client_.session().client().fetch(target_of_version(remote), std::move(*headers), take));
  if (!response) return std::unexpected(client_.explain(response.error()));
  if (response->status != 200) return fail_status(*response, remote);
  bytes_ += static_cast<std::int64_t>(received);
  return response;
}

// The moment that the hub says the file was changed at.
void set_modified(int file, const net::Response& response) {
  std::tm parts{};
  const std::string text(response.headers.get("last-modified"));
  if (::strptime(text.c_str(), "%a, %d %b %Y %H:%M:%S GMT", &parts) == nullptr) return;
  const timespec times[2] = {{.tv_sec = 0, .tv_nsec = UTIME_OMIT}, {.tv_sec = ::timegm(&parts), .tv_nsec = 0}};
  ::futimens(file, times);
}

// For whoever may read it, where it is one in the drive.
void set_executable(int file, const net::Response& response) {
  struct stat status{};
  if (response.headers.get("x-hearth-executable") != "1" || ::fstat(file, &status) != 0) return;
  const mode_t readers = status.st_mode & (S_IRUSR | S_IRGRP | S_IROTH);
  ::fchmod(file, (status.st_mode & 0777U) | readers >> 2U);
}

Result<void> Transfers::get(const std::string& remote, const Destination& destination, const std::string& place) {
  const Result<Destination::Place> found = destination.place(place);
  if (!found) return std::unexpected(found.error());
  const std::filesystem::path target = found->file();
  struct stat status{};
  if (!replace_ && ::lstat(target.c_str(), &status) == 0) {
    return fail(Code::kAlreadyExists,
                fmt::format("{} is there already: --replace puts the new one in its place", plain(place)));
  }
  const std::filesystem::path part = target.parent_path() / (".hearth-" + to_hex(net::random_bytes(8)));
  const Fd file(::open(part.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666));
  if (file.get() < 0) return fail_errno(errno, place);
  const Result<net::Response> response = fetch(remote, file.get());
  if (response) {
    set_modified(file.get(), *response);
    set_executable(file.get(), *response);
  }
  if (response && ::rename(part.c_str(), target.c_str()) == 0) {
    ++files_;
    return {};
  }
  const int error = errno;
  ::unlink(part.c_str());
  if (!response) return std::unexpected(response.error());
  return fail_errno(error, place);
}

Result<void> made_in(const Destination& destination, const std::string& directory) {
  const Result<Destination::Place> within = destination.place(directory + "/file");
  return within ? Result<void>() : std::unexpected(within.error());
}

Result<void> Transfers::get_folder(const std::string& remote, const Destination& destination, const std::string& place,
                                   int depth) {
  if (depth == kMaxDepth) return fail(Code::kFailedPrecondition, plain(remote) + ": too many folders in each other");
  const Result<v1::ListDriveReply> list = list_drive_folder(client_, remote);
  if (!list) return std::unexpected(list.error());
  // A folder without files, too: the directory of a place is made.
  if (const auto made = place.empty() ? Result<void>() : made_in(destination, place); !made) return made;
  for (const v1::DriveEntry& one : list->entries()) {
    const std::string from = joined(remote, one.name());
    const std::string to = place.empty() ? one.name() : place + "/" + one.name();
    Result<void> done = one.folder() ? get_folder(from, destination, to, depth + 1) : get(from, destination, to);
    if (!done) return done;
  }
  return {};
}

int finish(const Context& context, const Transfers& transfers) {
  if (context.json) print(object_json({{"files", transfers.files()}, {"bytes", transfers.bytes()}}));
  say(fmt::format("{} {}, {}", transfers.files(), transfers.files() == 1 ? "file" : "files",
                  format_bytes(static_cast<std::uint64_t>(transfers.bytes()))));
  return 0;
}

}  // namespace

Result<v1::ListDriveReply> list_drive_folder(Client& client, const std::string& path) {
  v1::ListDriveRequest request;
  request.set_path(path);
  request.set_count(kPage);
  v1::ListDriveReply all;
  for (;;) {
    const Result<v1::ListDriveReply> reply = client.call<v1::ListDriveReply>("hearth.v1.DriveService/List", request);
    if (!reply) return reply;
    all.mutable_entries()->MergeFrom(reply->entries());
    all.set_total(reply->total());
    request.set_offset(request.offset() + kPage);
    if (request.offset() >= reply->total()) return all;
  }
}

Result<int> put_into_drive(const Context& context, const DriveOptions& options) {
  if (options.paths.size() < 2) {
    return fail(Code::kInvalidArgument,
                "PATHS: a file at least is needed, and then the folder of the drive, for "
                "example: hearth drive put a.jpg /photos");
  }
  for (std::size_t i = 0; i + 1 < options.paths.size(); ++i) {
    if (::access(options.paths[i].c_str(), F_OK) != 0) return fail_errno(errno, plain(options.paths[i]));
  }
  const Result<std::unique_ptr<Client>> client = Client::open(context.home, context.home.cli());
  if (!client) return std::unexpected(client.error());
  Transfers transfers(**client, options.replace);
  for (std::size_t i = 0; i + 1 < options.paths.size(); ++i) {
    const std::filesystem::path local = options.paths[i];
    std::error_code error;
    const std::string place =
        joined(options.paths.back(), last_name(std::filesystem::absolute(local).lexically_normal().string()));
    const bool is_folder = std::filesystem::is_directory(local, error);
    if (is_folder && !options.recursive) {
      return fail(Code::kFailedPrecondition,
                  fmt::format("{} is a folder: -r sends it with all that it holds", plain(options.paths[i])));
    }
    if (Result<void> done = is_folder ? transfers.put_folder(local, place) : transfers.put(local, place); !done) {
      return std::unexpected(done.error());
    }
  }
  const int code = finish(context, transfers);
  if (transfers.left_out() == 0) return code;
  return fail(Code::kFailedPrecondition, fmt::format("{} left out, see above", transfers.left_out()));
}

Result<BroughtBack> bring_back_into_drive(Client& client, const std::filesystem::path& from,
                                          const std::filesystem::path& drive) {
  namespace fs = std::filesystem;
  Transfers transfers(client, true);
  BroughtBack done;
  std::error_code error;
  for (fs::recursive_directory_iterator below(from, error), end; !error && below != end; below.increment(error)) {
    const fs::path place = below->path().lexically_relative(from);
    const bool is_folder = below->symlink_status(error).type() == fs::file_type::directory;
    if (place == kOwnFolder) {
      below.disable_recursion_pending();
      continue;
    }
    if (!is_folder && is_same(below->path(), drive / place)) {
      ++done.same;
      continue;
    }
    const std::string remote = "/" + place.string();
    const bool has_file_there = is_folder && fs::is_regular_file(fs::symlink_status(drive / place, error));
    const Result<void> put = has_file_there ? fail(Code::kAlreadyExists, plain(remote) + ": a file is in its place")
                             : is_folder    ? transfers.make_folder(remote)
                                            : transfers.put(below->path(), remote);
    error.clear();
    if (put) continue;
    const Code code = put.error().code;
    if (code == Code::kUnavailable || code == Code::kUnauthenticated || code == Code::kResourceExhausted) {
      return std::unexpected(put.error());
    }
    transfers.clear_progress();
    say("error: " + put.error().message);
    ++done.left_out;
    if (is_folder) below.disable_recursion_pending();
  }
  if (error) return fail_errno(error.value(), from.string());
  done.files = transfers.files();
  done.bytes = transfers.bytes();
  return done;
}

Result<int> get_from_drive(const Context& context, const DriveOptions& options) {
  const bool is_version = !options.id.empty();
  if (is_version && (options.paths.size() > 1 || options.id.find_first_not_of("0123456789") != std::string::npos)) {
    return fail(Code::kInvalidArgument,
                "--version: of one file, the digits that are shown by: hearth drive versions PATH");
  }
  const Result<std::unique_ptr<Client>> client = Client::open(context.home, context.home.cli());
  if (!client) return std::unexpected(client.error());
  const Result<Destination> destination = Destination::open(options.directory);
  if (!destination) return std::unexpected(destination.error());
  Transfers transfers(**client, options.replace, options.id);
  for (const std::string& path : options.paths) {
    v1::ListDriveRequest look;
    look.set_path(path);
    look.set_count(1);
    const Result<v1::ListDriveReply> folder = (*client)->call<v1::ListDriveReply>("hearth.v1.DriveService/List", look);
    if (!folder && folder.error().code != Code::kFailedPrecondition) return std::unexpected(folder.error());
    if (folder && is_version) return fail(Code::kInvalidArgument, plain(path) + ": a folder; --version is for a file");
    const std::string place = last_name(path);
    const bool is_root = place.empty() || place == "/";
    Result<void> done = folder ? transfers.get_folder(path, *destination, is_root ? "" : place, 0)
                               : transfers.get(path, *destination, place);
    if (!done) return std::unexpected(done.error());
  }
  return finish(context, transfers);
}

}  // namespace hearth::cli
