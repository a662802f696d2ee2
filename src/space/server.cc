#include "space/server.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <fstream>
#include <vector>

#include <fmt/format.h>

#include "base/bytes.h"
#include "base/entries.h"
#include "base/fd.h"
#include "base/sizes.h"
#include "base/walk.h"
#include "net/crypto.h"

namespace hearth::space {
namespace {

namespace fs = std::filesystem;
using drive::SpaceGrant;
using drive::SpacePath;
using drive::SpaceUse;

constexpr std::size_t kPieceBytes = 256 * kKiB;
constexpr std::size_t kMostGrant = 100;  // bytes of its text
constexpr mode_t kFileMode = 0600;
constexpr mode_t kFolderMode = 0700;
constexpr const char* kListType = "application/vnd.x.restic.rest.v2";

unsigned status_of_space(Code code) {
  switch (code) {
    case Code::kNotFound:
      return 404;
    case Code::kPermissionDenied:
    case Code::kAlreadyExists:
      return 403;
    case Code::kUnimplemented:
      return 405;
    case Code::kResourceExhausted:
      return 507;
    case Code::kOutOfRange:
      return 413;
    case Code::kInvalidArgument:
      return 400;
    default:
      return 500;
  }
}

net::Async<void> refuse_space(net::Exchange& exchange, const Error& error) {
  co_await exchange.reply(net::text_response(status_of_space(error.code), error.message));
}

// Errors: kPermissionDenied, there is none.
Result<SpaceGrant> read_grant(const fs::path& file) {
  std::ifstream in(file, std::ios::binary);
  if (!in) {
    return fail(Code::kPermissionDenied,
                "no space is granted here; this PC's owner grants some by: hearth drive grant-space");
  }
  std::string text(kMostGrant, '\0');
  in.read(text.data(), static_cast<std::streamsize>(text.size()));
  text.resize(static_cast<std::size_t>(in.gcount()));
  return drive::parse_space_grant(text);
}

fs::path file_of(const fs::path& repository, const SpacePath& path) { return repository / path.folder / path.name; }

// What lies there; what an ended process was receiving is gone afterwards.
std::uint64_t count(const fs::path& repository) {
  std::error_code error;
  fs::remove_all(repository / "new", error);
  return bytes_below(repository);
}

Result<void> make_folder(const fs::path& folder) {
  if (::mkdir(folder.c_str(), kFolderMode) == 0 || errno == EEXIST) return {};
  return fail_errno(errno, "making " + folder.string());
}

Result<void> sync_folder(const fs::path& folder) {
  const Fd opened(::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (opened.get() < 0 || ::fsync(opened.get()) != 0) return fail_errno(errno, "writing " + folder.string());
  return {};
}

Result<void> make_repository(const fs::path& repository) {
  if (Result<void> made = make_folder(repository); !made) return made;
  for (const std::string_view folder : drive::kSpaceFolders) {
    if (Result<void> made = make_folder(repository / folder); !made) return made;
  }
  return sync_folder(repository);
}

Result<void> write_piece(int file, std::string_view bytes) {
  while (!bytes.empty()) {
    const ssize_t written = ::write(file, bytes.data(), bytes.size());
    if (written < 0 && errno == EINTR) continue;
    if (written < 0) return fail_errno(errno, "writing into a granted space");
    bytes.remove_prefix(static_cast<std::size_t>(written));
  }
  return {};
}

// A file that is being received, under a name that is gone with this object; placing it gives it its own.
class Coming {
 public:
  static Result<Coming> begin(const fs::path& repository, std::uint64_t bytes) {
    struct statvfs disk{};
    if (::statvfs(repository.c_str(), &disk) != 0) return fail(Code::kNotFound, "nothing was begun in this space yet");
    if (std::uint64_t{disk.f_bavail} * disk.f_frsize < bytes + drive::kKeptFree) {
      return fail(Code::kResourceExhausted, "the disk of the granted space is full");
    }
    if (Result<void> made = make_folder(repository / "new"); !made) return std::unexpected(made.error());
    const fs::path path = repository / "new" / to_hex(net::random_bytes(16));
    Fd file(::open(path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, kFileMode));
    if (file.get() < 0) return fail_errno(errno, "writing " + path.string());
    return Coming(std::move(file), path);
  }
  Coming(Coming&& other) noexcept : file_(std::move(other.file_)), path_(std::exchange(other.path_, {})) {}
  Coming& operator=(Coming&&) = delete;
  ~Coming() {
    if (!path_.empty()) ::unlink(path_.c_str());
  }

  Result<void> write(std::string_view bytes) {
    hash_.update(bytes);
    return write_piece(file_.get(), bytes);
  }

  // Gives whether it is new: a file of that name holds the same already.
  Result<bool> place(const SpacePath& path, const fs::path& target) {
    if (!path.is_config() && to_hex(hash_.finish()) != path.name) {
      return fail(Code::kInvalidArgument, "what arrived is not what its name says");
    }
    if (::fsync(file_.get()) != 0) return fail_errno(errno, "writing " + path_.string());
    if (::link(path_.c_str(), target.c_str()) != 0) {
      if (errno != EEXIST) return fail_errno(errno, "writing " + target.string());
      if (path.is_config()) return fail(Code::kAlreadyExists, "a space's config is not replaced");
      return false;
    }
    if (Result<void> synced = sync_folder(target.parent_path()); !synced) return std::unexpected(synced.error());
    return true;
  }

 private:
  Coming(Fd file, fs::path path) : file_(std::move(file)), path_(std::move(path)) {}

  Fd file_;
  fs::path path_;
  net::Sha256 hash_;
};

Result<std::string> list_folder(const fs::path& folder) {
  std::error_code error;
  std::string list;
  for (const auto& entry : Entries(folder, error)) {
    std::error_code none;
    const std::string name = entry.path().filename().string();
    const std::uintmax_t size = entry.file_size(none);
    // What else somebody put there is not the repository's, and may have a name that is no JSON.
    if (none || !drive::parse_space_path("/space/data/" + name)) continue;
    list += fmt::format("{}{{\"name\":\"{}\",\"size\":{}}}", list.empty() ? "" : ",", name, size);
  }
  if (error == std::errc::no_such_file_or_directory)
    return fail(Code::kNotFound, "nothing was begun in this space yet");
  if (error) return fail_errno(error.value(), folder.string());
  return "[" + list + "]";
}

}  // namespace

net::Async<void> Server::serve(net::Exchange& exchange, std::string name) {
  const net::RequestHead& head = exchange.head();
  Result<SpacePath> path = drive::parse_space_path(head.path);
  if (!path) co_return co_await refuse_space(exchange, path.error());
  const fs::path place = directory_ / name;
  const Result<SpaceGrant> grant = co_await workers_.run([&] { return read_grant(place / "grant"); });
  if (!grant) co_return co_await refuse_space(exchange, grant.error());
  if (Result<void> checked = drive::check_space_request(*grant, head.method, *path); !checked) {
    co_return co_await refuse_space(exchange, checked.error());
  }
  Result<std::shared_ptr<SpaceUse>> use = co_await use_of(name, place / "repository");
  if (!use) co_return co_await refuse_space(exchange, use.error());
  Request request{.exchange = exchange,
                  .path = *std::move(path),
                  .grant = *grant,
                  .repository = place / "repository",
                  .use = *std::move(use)};
  if (head.method == "POST") co_return co_await (request.path.is_file() ? receive(request) : make(request));
  if (head.method == "DELETE") co_return co_await remove(request);
  co_await (request.path.is_file() ? read(request) : list(request));
}

// Counted once, and again where the owner has put another repository there.
net::Async<Result<std::shared_ptr<SpaceUse>>> Server::use_of(const std::string& name, const fs::path& repository) {
  const auto number = [&]() -> std::uint64_t {
    struct stat status{};
    return ::stat(repository.c_str(), &status) == 0 ? status.st_ino : 0;
  };
  const std::uint64_t there = co_await workers_.run(number);
  const auto known = [&] {
    const auto found = uses_.find(name);
    return found != uses_.end() && found->second.repository == there ? found->second.use : nullptr;
  };
  if (const std::shared_ptr<SpaceUse> use = known()) co_return use;
  const std::uint64_t bytes = co_await workers_.run([&] { return count(repository); });
  // Another request may have counted meanwhile, and something may have come since.
  if (const std::shared_ptr<SpaceUse> use = known()) co_return use;
  const auto use = std::make_shared<SpaceUse>(bytes);
  uses_[name] = {.repository = there, .use = use};
  co_return use;
}

net::Async<void> Server::make(Request& request) {
  const Result<void> made = co_await workers_.run([&] { return make_repository(request.repository); });
  if (!made) co_return co_await refuse_space(request.exchange, made.error());
  co_await request.exchange.reply({.status = 200, .headers = {}, .body = {}});
}

net::Async<void> Server::list(Request& request) {
  const Result<std::string> listed =
      co_await workers_.run([&] { return list_folder(request.repository / request.path.folder); });
  if (!listed) co_return co_await refuse_space(request.exchange, listed.error());
  net::Response response{.status = 200, .headers = {}, .body = *listed};
  response.headers.add("Content-Type", kListType);
  co_await request.exchange.reply(std::move(response));
}

net::Async<void> Server::read(Request& request) {
  net::Exchange& exchange = request.exchange;
  struct stat status{};
  const Fd file = co_await workers_.run([&] {
    Fd opened(::open(file_of(request.repository, request.path).c_str(), O_RDONLY | O_NOFOLLOW | O_CLOEXEC));
    if (opened.get() >= 0 && ::fstat(opened.get(), &status) != 0) return Fd();
    return opened;
  });
  if (file.get() < 0) co_return co_await refuse_space(exchange, Error{Code::kNotFound, "it is not there"});
  const auto size = static_cast<std::uint64_t>(status.st_size);
  bool unsatisfiable = false;
  const std::optional<net::ByteRange> range =
      net::parse_range(exchange.head().headers.get("range"), size, unsatisfiable);
  if (unsatisfiable) co_return (void) co_await exchange.reply(net::text_response(416, "it is shorter"));
  net::Headers headers;
  headers.add("Content-Type", "application/octet-stream");
  const net::ByteRange part = range.value_or(net::ByteRange{.first = 0, .count = size});
  if (range) {
    headers.add("Content-Range", fmt::format("bytes {}-{}/{}", part.first, part.first + part.count - 1, size));
  }
  if (!co_await exchange.start(range ? 206 : 200, std::move(headers), part.count)) co_return;
  if (exchange.head().method != "HEAD" && !co_await exchange.write_file(file.get(), part.first, part.count, workers_)) {
    co_return;
  }
  (void)co_await exchange.finish();
}

net::Async<void> Server::receive(Request& request) {
  net::Exchange& exchange = request.exchange;
  const std::optional<std::uint64_t> length = exchange.head().content_length;
  if (!length) co_return (void) co_await exchange.reply(net::text_response(411, "a Content-Length is needed"));
  if (*length > drive::kMaxSpaceFile) {
    co_return co_await refuse_space(
        exchange,
        Error{Code::kOutOfRange, fmt::format("a file of a space has {} bytes at most", drive::kMaxSpaceFile)});
  }
  if (Result<void> reserved = request.use->reserve(*length, request.grant); !reserved) {
    // Read to its end first: else whoever sends it finds a closed connection, and not why.
    std::vector<char> buffer(kPieceBytes);
    for (Result<std::size_t> got = 1; got && *got > 0;) got = co_await exchange.read_body(buffer);
    co_return co_await refuse_space(exchange, reserved.error());
  }
  const Result<bool> stored = co_await store(request, *length);
  request.use->settle(*length, stored.value_or(false));
  if (!stored) co_return co_await refuse_space(exchange, stored.error());
  co_await exchange.reply({.status = 200, .headers = {}, .body = {}});
}

net::Async<Result<bool>> Server::store(Request& request, std::uint64_t length) {
  Result<Coming> coming = co_await workers_.run([&] { return Coming::begin(request.repository, length); });
  if (!coming) co_return std::unexpected(coming.error());
  std::vector<char> buffer(kPieceBytes);
  for (bool ended = false; !ended;) {
    std::size_t filled = 0;
    while (filled < buffer.size() && !ended) {
      const Result<std::size_t> got = co_await request.exchange.read_body(std::span(buffer).subspan(filled));
      if (!got) co_return std::unexpected(got.error());
      filled += *got;
      ended = *got == 0;
    }
    const Result<void> written =
        co_await workers_.run([&] { return coming->write(std::string_view(buffer.data(), filled)); });
    if (!written) co_return std::unexpected(written.error());
  }
  co_return co_await workers_.run(
      [&] { return coming->place(request.path, file_of(request.repository, request.path)); });
}

net::Async<void> Server::remove(Request& request) {
  const Result<std::uint64_t> removed = co_await workers_.run([&]() -> Result<std::uint64_t> {
    const fs::path file = file_of(request.repository, request.path);
    struct stat status{};
    if (::lstat(file.c_str(), &status) != 0 || ::unlink(file.c_str()) != 0) return fail_errno(errno, "removing it");
    return static_cast<std::uint64_t>(status.st_size);
  });
  if (!removed) co_return co_await refuse_space(request.exchange, removed.error());
  request.use->removed(*removed);
  co_await request.exchange.reply({.status = 200, .headers = {}, .body = {}});
}

}  // namespace hearth::space
