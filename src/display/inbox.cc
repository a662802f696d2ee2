#include "display/inbox.h"

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <filesystem>

#include <fcntl.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "base/bytes.h"
#include "base/entries.h"
#include "screen/file_name.h"

namespace hearth::display {
namespace {

constexpr std::string_view kPartial = ".hearth-file-";
constexpr int kMaxSameName = 1'000;

Result<void> write_all(int file, std::string_view bytes) {
  while (!bytes.empty()) {
    const ssize_t count = ::write(file, bytes.data(), bytes.size());
    if (count < 0 && errno == EINTR) continue;
    if (count < 0 && (errno == ENOSPC || errno == EDQUOT)) {
      return fail(Code::kResourceExhausted, "there is no room left in the app's folder");
    }
    if (count < 0) return fail_errno(errno, "the file could not be written");
    bytes.remove_prefix(static_cast<std::size_t>(count));
  }
  return {};
}

}  // namespace

Inbox::Inbox(std::string folder, std::uint64_t most) : folder_(std::move(folder)), most_(most) {}

Inbox::~Inbox() { drop(); }

void Inbox::drop() {
  if (file_ < 0) return;
  ::close(file_);
  ::unlink(partial_.c_str());
  file_ = -1;
}

v1::FileProgress Inbox::take(const v1::FilePiece& piece) {
  v1::FileProgress progress;
  progress.set_number(piece.number());
  const auto stop = [&](const Error& error) {
    drop();
    progress.set_problem(error.message);
    return progress;
  };
  if (piece.cancelled()) {
    if (piece.number() == number_) drop();
    return progress;
  }
  if (piece.number() != number_) {
    if (Result<void> begun = begin(piece); !begun) return stop(begun.error());
  }
  if (file_ < 0) return progress;
  if (Result<void> added = add(piece); !added) return stop(added.error());
  progress.set_received(received_);
  if (!piece.last()) return progress;
  const Result<std::string> name = finish();
  if (!name) return stop(name.error());
  progress.set_saved_as(*name);
  return progress;
}

Result<void> Inbox::begin(const v1::FilePiece& piece) {
  drop();
  number_ = piece.number();
  name_ = screen::plain_name(piece.name());
  size_ = piece.size();
  received_ = 0;
  if (size_ > most_)
    return fail(Code::kResourceExhausted, "a file of at most " + format_bytes(most_) + " can be added");
  struct statvfs room{};
  if (::statvfs(folder_.c_str(), &room) != 0) return fail_errno(errno, "the app's folder cannot be read");
  const std::uint64_t free = static_cast<std::uint64_t>(room.f_bavail) * room.f_frsize;
  if (size_ > free / 2) {
    return fail(Code::kResourceExhausted,
                "it is too large for the app's folder, where " + format_bytes(free) + " are free");
  }
  partial_ = folder_ + "/" + std::string(kPartial) + "XXXXXX";
  file_ = ::mkostemp(partial_.data(), O_CLOEXEC);
  if (file_ < 0) return fail_errno(errno, "the app's folder takes no file");
  return {};
}

Result<void> Inbox::add(const v1::FilePiece& piece) {
  const std::string_view data = piece.data();
  if (piece.offset() != received_ || data.size() > size_ - received_) {
    return fail(Code::kInvalidArgument, "its pieces do not fit together");
  }
  if (Result<void> written = write_all(file_, data); !written) return written;
  received_ += data.size();
  if (piece.last() && received_ != size_) return fail(Code::kDataLoss, "it was cut short");
  return {};
}

// The name is taken by an empty file first, which nobody else can have made meanwhile.
Result<std::string> Inbox::finish() {
  const auto [stem, ending] = screen::parts_of(name_);
  for (int count = 1; count <= kMaxSameName; ++count) {
    std::string name =
        count == 1 ? name_ : std::string(stem) + " (" + std::to_string(count) + ")" + std::string(ending);
    const std::string path = folder_ + "/" + name;
    const int place = ::open(path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
    if (place < 0 && errno == EEXIST) continue;
    if (place < 0) return fail_errno(errno, "the app's folder takes no file");
    ::close(place);
    if (::rename(partial_.c_str(), path.c_str()) != 0) {
      const int error = errno;
      ::unlink(path.c_str());
      return fail_errno(error, "the file could not be named");
    }
    ::close(file_);
    file_ = -1;
    return name;
  }
  return fail(Code::kAlreadyExists, "there are too many files of this name in the app's folder");
}

void Inbox::remove_leftovers(const std::string& folder) {
  std::error_code failure;
  for (const auto& entry : Entries(folder, failure)) {
    if (!entry.path().filename().string().starts_with(kPartial)) continue;
    ::unlink(entry.path().c_str());
  }
}

}  // namespace hearth::display
