#include "sync/state_file.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>

#include "sync/local_folder.h"

namespace hearth::sync {
namespace {

constexpr std::size_t kMaxStateBytes = std::size_t{4} << 30;
constexpr std::size_t kSpareLines = 1'000;

}  // namespace

Result<StateFile> StateFile::open(std::filesystem::path file) {
  StateFile opened(std::move(file));
  const Fd disk(::open(opened.file_.c_str(), O_RDONLY | O_NOFOLLOW | O_CLOEXEC));
  if (disk.get() < 0 && errno == ENOENT) return opened;
  struct stat status{};
  if (disk.get() < 0 || ::fstat(disk.get(), &status) != 0) return fail_errno(errno, opened.file_.string());
  const auto bytes = static_cast<std::size_t>(status.st_size);
  if (bytes > kMaxStateBytes) return fail(Code::kDataLoss, opened.file_.string() + " is too long to be what it was");
  const Result<std::string> text = read_at(disk.get(), 0, bytes);
  if (!text) return std::unexpected(text.error());
  Result<State> state = parse_state(*text);
  if (!state) {
    return fail(Code::kDataLoss, opened.file_.string() + ": " + state.error().message +
                                     "; remove it, and both sides are compared anew: nothing is lost");
  }
  opened.is_new_ = state->good_bytes < bytes;  // what comes behind half a line counts for nothing
  opened.state_ = *std::move(state);
  return opened;
}

void StateFile::bind(Binding binding) { state_.binding = std::move(binding); }

void StateFile::note(const std::string& path, Known known) {
  pending_ += noted_line(path, known);
  ++state_.lines;
  state_.note(path, std::move(known));
}

void StateFile::forget(const std::string& path) {
  pending_ += forgotten_line(path);
  ++state_.lines;
  state_.forget(path);
}

Result<void> StateFile::flush() {
  if (is_new_) return write_anew();
  if (pending_.empty()) return {};
  const Fd disk(::open(file_.c_str(), O_WRONLY | O_APPEND | O_NOFOLLOW | O_CLOEXEC));
  if (disk.get() < 0) return fail_errno(errno, file_.string());
  if (Result<void> written = write_all_to(disk.get(), pending_); !written) {
    is_new_ = true;  // what comes behind half a line counts for nothing
    return written;
  }
  pending_.clear();
  is_dirty_ = true;
  return {};
}

Result<void> StateFile::finish() {
  if (Result<void> flushed = flush(); !flushed) return flushed;
  if (!is_dirty_) return {};
  if (state_.lines > 2 * state_.known.size() + kSpareLines) return write_anew();
  const Fd disk(::open(file_.c_str(), O_WRONLY | O_NOFOLLOW | O_CLOEXEC));
  if (disk.get() < 0 || ::fdatasync(disk.get()) != 0) return fail_errno(errno, file_.string());
  is_dirty_ = false;
  return {};
}

Result<void> StateFile::write_anew() {
  const std::filesystem::path fresh = file_.string() + ".new";
  const Fd disk(::open(fresh.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC, 0600));
  if (disk.get() < 0) return fail_errno(errno, fresh.string());
  if (Result<void> written = write_all_to(disk.get(), text_of(state_)); !written) return written;
  const Fd folder(::open(file_.parent_path().c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (::fsync(disk.get()) != 0 || ::rename(fresh.c_str(), file_.c_str()) != 0 || ::fsync(folder.get()) != 0) {
    return fail_errno(errno, file_.string());
  }
  state_.lines = state_.known.size();
  pending_.clear();
  is_dirty_ = false;
  is_new_ = false;
  return {};
}

}  // namespace hearth::sync
