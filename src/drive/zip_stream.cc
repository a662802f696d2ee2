#include "drive/zip_stream.h"

#include <archive.h>
#include <archive_entry.h>
#include <unistd.h>
#include <clocale>

#include <algorithm>
#include <cerrno>
#include <utility>

#include "base/check.h"
#include "drive/executable.h"

namespace hearth::drive {
namespace {

constexpr std::size_t kPieceBytes = 256 << 10;

// libarchive takes the names' encoding from the thread's locale.
class Utf8Locale {
 public:
  Utf8Locale() : before_(::uselocale(utf8())) {}
  Utf8Locale(const Utf8Locale&) = delete;
  Utf8Locale& operator=(const Utf8Locale&) = delete;
  ~Utf8Locale() { ::uselocale(before_); }

 private:
  static locale_t utf8() {
    static const locale_t made = ::newlocale(LC_CTYPE_MASK, "C.UTF-8", nullptr);
    CHECK(made != nullptr);
    return made;
  }

  locale_t before_;
};

la_ssize_t take(archive*, void* out, const void* bytes, std::size_t count) {
  static_cast<std::string*>(out)->append(static_cast<const char*>(bytes), count);
  return static_cast<la_ssize_t>(count);
}

}  // namespace

ZipStream::ZipStream(const Folder& folder, Path path)
    : folder_(folder), path_(std::move(path)), archive_(::archive_write_new()) {
  CHECK(archive_ != nullptr);
  const Utf8Locale locale;
  ::archive_write_set_format_zip(archive_);
  ::archive_write_zip_set_compression_store(archive_);
  ::archive_write_set_bytes_per_block(archive_, 0);
  ::archive_write_open(archive_, &out_, nullptr, take, nullptr);
}

ZipStream::~ZipStream() { ::archive_write_free(archive_); }

Result<std::unique_ptr<ZipStream>> ZipStream::begin(const Folder& folder, const Path& path,
                                                    const std::vector<std::string>& names, const FolderNames& without) {
  std::unique_ptr<ZipStream> zip(new ZipStream(folder, path));
  Result<Walk> walk = Walk::below(folder, path, without);
  if (!walk) return std::unexpected(walk.error());
  if (names.empty()) zip->walk_ = std::move(*walk);
  for (const std::string& name : names) {
    const Result<Path> one = path.child(name);
    if (!one) return std::unexpected(one.error());
    if (path.is_root() && without.contains(name)) {
      return fail(Code::kPermissionDenied, one->text() + " is other people's own folder");
    }
    if (const Result<Entry> found = folder.look(*one); !found) return std::unexpected(found.error());
    zip->names_.push_back(*one);
  }
  std::ranges::reverse(zip->names_);
  return zip;
}

Result<void> ZipStream::check(int outcome) const {
  if (outcome == ARCHIVE_OK) return {};
  const char* text = ::archive_error_string(archive_);
  return fail(Code::kInternal, std::string("making the zip archive: ") + (text != nullptr ? text : "unknown"));
}

Result<std::string> ZipStream::next() {
  const Utf8Locale locale;
  while (out_.size() < kPieceBytes && !is_whole_) {
    if (Result<void> done = file_ ? send_file() : advance(); !done) return std::unexpected(done.error());
  }
  return std::exchange(out_, {});
}

Result<void> ZipStream::advance() {
  const Walked* found = walk_ ? walk_->next() : nullptr;
  if (found == nullptr && walk_ && walk_->trouble()) return std::unexpected(*walk_->trouble());
  if (found != nullptr) {
    const std::optional<Path> path = walk_->path();
    const std::optional<Entry> entry = walk_->entry();
    if (!path || !entry) return fail(Code::kNotFound, found->name + " is not there any more");
    return begin_entry(*path, *entry, walk_->open());
  }
  walk_.reset();
  if (!names_.empty()) return enter_next_name();
  is_whole_ = true;
  return check(::archive_write_close(archive_));
}

Result<void> ZipStream::enter_next_name() {
  const Path path = std::move(names_.back());
  names_.pop_back();
  const Result<Entry> entry = folder_.look(path);
  if (!entry) return std::unexpected(entry.error());
  if (entry->kind == Kind::kFolder) {
    Result<Walk> walk = Walk::below(folder_, path);
    if (!walk) return std::unexpected(walk.error());
    walk_ = std::move(*walk);
    return begin_entry(path, *entry, Fd());
  }
  Result<std::pair<Fd, Entry>> file = folder_.read(path);
  if (!file) return std::unexpected(file.error());
  return begin_entry(path, file->second, std::move(file->first));
}

Result<void> ZipStream::begin_entry(const Path& path, const Entry& entry, Result<Fd> file) {
  if (!file) return std::unexpected(file.error());
  const bool is_file = entry.kind == Kind::kFile;
  const std::size_t above = path_.is_root() ? 1 : path_.text().size() + 1;
  file_name_ = path.text();
  const std::unique_ptr<archive_entry, void (*)(archive_entry*)> header(::archive_entry_new(), ::archive_entry_free);
  ::archive_entry_set_pathname(header.get(), (file_name_.substr(above) + (is_file ? "" : "/")).c_str());
  ::archive_entry_set_filetype(header.get(), is_file ? AE_IFREG : AE_IFDIR);
  ::archive_entry_set_perm(header.get(), is_file && !is_executable(file->get()) ? 0644 : 0755);
  ::archive_entry_set_size(header.get(), static_cast<la_int64_t>(entry.bytes));
  ::archive_entry_set_mtime(header.get(), entry.modified.unix_millis / 1'000, 0);
  if (Result<void> begun = check(::archive_write_header(archive_, header.get())); !begun) return begun;
  left_ = entry.bytes;
  if (is_file) file_ = std::move(*file);
  return {};
}

Result<void> ZipStream::send_file() {
  if (left_ == 0) {
    file_.reset();
    return check(::archive_write_finish_entry(archive_));
  }
  buffer_.resize(kPieceBytes);
  const ssize_t count = ::read(file_->get(), buffer_.data(), std::min<std::uint64_t>(left_, kPieceBytes));
  if (count < 0 && errno == EINTR) return {};
  if (count < 0) return fail_errno(errno, file_name_);
  if (count == 0) return fail(Code::kAborted, file_name_ + " became shorter while it was read");
  left_ -= static_cast<std::uint64_t>(count);
  const la_ssize_t written = ::archive_write_data(archive_, buffer_.data(), static_cast<std::size_t>(count));
  return written == count ? Result<void>() : check(static_cast<int>(std::min<la_ssize_t>(written, ARCHIVE_FATAL)));
}

}  // namespace hearth::drive
