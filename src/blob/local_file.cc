#include "blob/local_file.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>

#include "base/bytes.h"
#include "base/sizes.h"
#include "net/crypto.h"

namespace hearth::blob {
namespace {

namespace fs = std::filesystem;

constexpr std::size_t kPieceBytes = 256 * kKiB;

std::int64_t modified(const struct stat& status) {
  return status.st_mtim.tv_sec * 1'000'000'000 + status.st_mtim.tv_nsec;
}

struct Opened {
  Fd file;
  struct stat status{};
};

// Not blocking: a FIFO that took the file's place must not hold up a worker.
Result<Opened> open_regular(const fs::path& source) {
  Opened opened{.file = Fd(::open(source.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK))};
  if (opened.file.get() < 0 || ::fstat(opened.file.get(), &opened.status) != 0) {
    return fail_errno(errno, "cannot read " + source.string());
  }
  if (!S_ISREG(opened.status.st_mode)) return fail(Code::kInvalidArgument, source.string() + " is no regular file");
  return opened;
}

// The bytes of the file, piece by piece; how many.
template <class Sink>
Result<std::uint64_t> read_pieces(int file, const fs::path& source, Sink sink) {
  std::string piece(kPieceBytes, '\0');
  for (std::uint64_t total = 0;;) {
    const ssize_t count = ::read(file, piece.data(), piece.size());
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) return fail_errno(errno, "cannot read " + source.string());
    if (count == 0) return total;
    sink(std::string_view(piece).substr(0, static_cast<std::size_t>(count)));
    total += static_cast<std::uint64_t>(count);
  }
}

}  // namespace

std::unexpected<Error> fail_changed(const fs::path& source) {
  return fail(Code::kAborted, source.string() + " changed while it was being sent; send it again when it is finished");
}

Result<HashedFile> hash_file(const fs::path& source) {
  Result<Opened> opened = open_regular(source);
  if (!opened) return std::unexpected(opened.error());
  net::Sha256 hash;
  const Result<std::uint64_t> size =
      read_pieces(opened->file.get(), source, [&hash](std::string_view piece) { hash.update(piece); });
  if (!size) return std::unexpected(size.error());
  struct stat after{};
  if (::fstat(opened->file.get(), &after) != 0) return fail_errno(errno, "cannot read " + source.string());
  if (*size != static_cast<std::uint64_t>(after.st_size) || modified(after) != modified(opened->status)) {
    return fail_changed(source);
  }
  return HashedFile{.sha256 = hash.finish(),
                    .size = *size,
                    .executable = (after.st_mode & 0111) != 0,
                    .modified_nanos = modified(after)};
}

Result<Fd> open_unchanged(const fs::path& source, const HashedFile& hashed) {
  Result<Opened> opened = open_regular(source);
  if (!opened) return std::unexpected(opened.error());
  const bool same = static_cast<std::uint64_t>(opened->status.st_size) == hashed.size &&
                    modified(opened->status) == hashed.modified_nanos;
  if (!same) return fail_changed(source);
  return std::move(opened->file);
}

Result<std::string> read_unchanged(const fs::path& source, const HashedFile& hashed) {
  const Result<Fd> file = open_unchanged(source, hashed);
  if (!file) return std::unexpected(file.error());
  std::string bytes;
  const Result<std::uint64_t> size =
      read_pieces(file->get(), source, [&bytes](std::string_view piece) { bytes.append(piece); });
  if (!size) return std::unexpected(size.error());
  if (*size != hashed.size) return fail_changed(source);
  return bytes;
}

Result<NewFile> NewFile::create(fs::path destination, bool executable) {
  const fs::path temporary = destination.parent_path() / (".hearth-" + to_hex(net::random_bytes(8)));
  // The umask has its say, as with any file that a program makes.
  Fd file(::open(temporary.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, executable ? 0777 : 0666));
  if (file.get() < 0) return fail_errno(errno, "cannot write " + destination.string());
  return NewFile(std::move(file), temporary, std::move(destination));
}

NewFile::~NewFile() {
  if (!temporary_.empty()) ::unlink(temporary_.c_str());
}

Result<void> NewFile::write(std::string_view bytes) {
  return write_all(file_.get(), bytes, "cannot write " + destination_.string());
}

Result<void> NewFile::commit() {
  if (::rename(temporary_.c_str(), destination_.c_str()) != 0) {
    return fail_errno(errno, "cannot write " + destination_.string());
  }
  temporary_.clear();
  return {};
}

Result<void> write_all(int file, std::string_view bytes, std::string_view what) {
  while (!bytes.empty()) {
    const ssize_t count = ::write(file, bytes.data(), bytes.size());
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) return fail_errno(errno, what);
    bytes.remove_prefix(static_cast<std::size_t>(count));
  }
  return {};
}

}  // namespace hearth::blob
