#include "blob/blob_store.h"

#include <fcntl.h>
#include <linux/openat2.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <cstring>
#include <ctime>
#include <system_error>

#include "base/bytes.h"
#include "base/check.h"
#include "base/entries.h"
#include "base/log.h"
#include "blob/blob_index.h"
#include "blob/local_file.h"
#include "net/crypto.h"

namespace hearth::blob {
namespace {

namespace fs = std::filesystem;

constexpr std::size_t kPieceBytes = 256UL * 1024;
constexpr std::size_t kMaxDamagedKept = 64;

Time steady_now() {
  const auto since_some_start = std::chrono::steady_clock::now().time_since_epoch();
  return {std::chrono::duration_cast<std::chrono::microseconds>(since_some_start).count()};
}

Result<void> sync_directory(const fs::path& directory) {
  const Fd file(::open(directory.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (file.get() < 0 || ::fsync(file.get()) != 0) return fail_errno(errno, "cannot write " + directory.string());
  return {};
}

Result<void> make_directory(const fs::path& directory) {
  if (::mkdir(directory.c_str(), 0700) == 0 || errno == EEXIST) return {};
  return fail_errno(errno, "cannot make the directory " + directory.string());
}

bool is_hex_digest(std::string_view name) {
  return name.size() == 64 && name.find_first_not_of("0123456789abcdef") == std::string_view::npos;
}

// The bytes of an open file from its start to its end, piece by piece.
template <class Sink>
Result<void> read_all(int file, const fs::path& path, Sink sink) {
  std::string piece(kPieceBytes, '\0');
  for (off_t offset = 0;;) {
    const ssize_t count = ::pread(file, piece.data(), piece.size(), offset);
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) return fail_errno(errno, "cannot read " + path.string());
    if (count == 0) return {};
    sink(std::string_view(piece).substr(0, static_cast<std::size_t>(count)));
    offset += count;
  }
}

// The bytes of an open file of that size; fewer if it has become shorter.
Result<void> read_whole(int file, const fs::path& path, std::uint64_t size, std::string& bytes) {
  int error = 0;
  bytes.resize_and_overwrite(size, [&](char* to, std::size_t room) {
    std::size_t filled = 0;
    while (filled < room) {
      const ssize_t count = ::pread(file, to + filled, room - filled, static_cast<off_t>(filled));
      if (count < 0 && errno == EINTR) continue;
      if (count < 0) error = errno;
      if (count <= 0) break;
      filled += static_cast<std::size_t>(count);
    }
    return filled;
  });
  return error == 0 ? Result<void>() : fail_errno(error, "cannot read " + path.string());
}

// An invalid descriptor if the way to the file is not in memory.
Fd open_cached(const fs::path& path) {
  open_how how{.flags = O_RDONLY | O_CLOEXEC | O_NOFOLLOW, .mode = 0, .resolve = RESOLVE_CACHED};
  return Fd(static_cast<int>(::syscall(SYS_openat2, AT_FDCWD, path.c_str(), &how, sizeof how)));
}

std::optional<std::string> read_cached(int file, std::size_t size) {
  std::string bytes;
  bytes.resize_and_overwrite(size, [file](char* to, std::size_t room) {
    iovec part{.iov_base = to, .iov_len = room};
    return static_cast<std::size_t>(std::max<ssize_t>(::preadv2(file, &part, 1, 0, RWF_NOWAIT), 0));
  });
  if (bytes.size() < size) return std::nullopt;
  return bytes;
}

}  // namespace

struct BlobStore::State {
  State(fs::path directory_in, const Options& options_in, Fd lock_in)
      : directory(std::move(directory_in)), options(options_in), lock(std::move(lock_in)) {}

  const fs::path directory;
  Options options;  // max_bytes under mutex
  const Fd lock;    // of the directory: two processes on one store would remove each other's incoming files
  mutable std::mutex mutex;
  BlobIndex index;                                 // under mutex
  std::uint64_t reserved_bytes = 0;                // under mutex: room promised to writers
  std::atomic<std::uint64_t> unwritten_bytes = 0;  // the part of it that the disk does not show as used yet
  std::atomic<std::uint64_t> next_incoming = 0;

  fs::path folder_of(const Digest& digest) const { return directory / to_hex(digest.substr(0, 1)); }
  fs::path path_of(const Digest& digest) const { return folder_of(digest) / to_hex(digest); }

  Result<void> prepare_directories();
  Result<void> count_blobs();
  Result<void> reserve(std::uint64_t bytes);
  Result<void> check_room(std::uint64_t bytes) const;  // under mutex
  bool evict_one();                                    // under mutex
  bool want(const Digest& digest);
  static bool is_open(const fs::path& path);  // under mutex
  Result<Reader> open_blob(const Digest& digest);
  void set_aside(const Digest& digest);
  void forget(const Digest& digest);
};

Result<void> BlobStore::State::prepare_directories() {
  // What an earlier process had not finished was never acknowledged.
  std::error_code error;
  fs::remove_all(directory / "incoming", error);
  if (error) return fail_errno(error.value(), "cannot clear " + (directory / "incoming").string());
  for (const char* name : {"incoming", "damaged"}) {
    if (Result<void> made = make_directory(directory / name); !made) return made;
  }
  return options.durable ? sync_directory(directory) : Result<void>();
}

Result<void> BlobStore::State::count_blobs() {
  std::vector<BlobIndex::Found> found;
  const std::int64_t calendar = std::time(nullptr);
  for (int first = 0; first < 256; ++first) {
    const fs::path folder = directory / to_hex(std::string(1, static_cast<char>(first)));
    std::error_code error;
    if (!fs::exists(folder, error)) continue;  // folders are made with their first blob
    for (const auto& entry : Entries(folder, error)) {
      struct stat status{};
      const std::string name = entry.path().filename();
      if (!is_hex_digest(name) || ::lstat(entry.path().c_str(), &status) != 0 || !S_ISREG(status.st_mode)) continue;
      const Duration age = seconds(std::max<std::int64_t>(0, calendar - status.st_mtim.tv_sec));
      found.push_back({*from_hex(name), static_cast<std::uint64_t>(status.st_size),
                       std::max(status.st_atim.tv_sec, status.st_mtim.tv_sec), steady_now() - age});
    }
    if (error) return fail_errno(error.value(), "cannot read " + folder.string());
  }
  index.load(std::move(found));
  return {};
}

Result<void> BlobStore::State::check_room(std::uint64_t bytes) const {
  if (options.max_bytes != 0) {
    const std::uint64_t used = index.bytes() + reserved_bytes;
    if (bytes > options.max_bytes || used > options.max_bytes - bytes) {
      return fail(Code::kResourceExhausted, "no room for " + format_bytes(bytes) + " more: " + format_bytes(used) +
                                                " of at most " + format_bytes(options.max_bytes) + " are in use in " +
                                                directory.string());
    }
  }
  struct statvfs disk{};
  if (::statvfs(directory.c_str(), &disk) != 0) return fail_errno(errno, "cannot ask for the room on the disk");
  const std::uint64_t free = disk.f_bavail * disk.f_frsize;
  const std::uint64_t kept = options.keep_free_bytes + unwritten_bytes;
  if (free < kept || free - kept < bytes) {
    return fail(Code::kResourceExhausted, "no room for " + format_bytes(bytes) + " more: the disk of " +
                                              directory.string() + " has " + format_bytes(free) + " left, of which " +
                                              format_bytes(options.keep_free_bytes) + " are kept free");
  }
  return {};
}

// A Reader holds a shared lock; so does a process that got the descriptor from one.
bool BlobStore::State::is_open(const fs::path& path) {
  const Fd file(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW));
  return file.get() >= 0 && ::flock(file.get(), LOCK_EX | LOCK_NB) != 0;
}

bool BlobStore::State::evict_one() {
  for (auto digest = index.oldest(); digest; digest = index.newer_than(*digest)) {
    const fs::path path = path_of(*digest);
    if (is_open(path) || (::unlink(path.c_str()) != 0 && errno != ENOENT)) continue;
    index.erase(*digest);
    return true;
  }
  return false;
}

Result<void> BlobStore::State::reserve(std::uint64_t bytes) {
  const std::lock_guard lock_guard(mutex);
  Result<void> room = check_room(bytes);
  while (!room && options.evict && evict_one()) room = check_room(bytes);
  if (!room) return room;
  reserved_bytes += bytes;
  unwritten_bytes += bytes;
  return {};
}

bool BlobStore::State::want(const Digest& digest) {
  const std::lock_guard lock_guard(mutex);
  return index.want(digest, steady_now());
}

Result<Reader> BlobStore::State::open_blob(const Digest& digest) {
  const fs::path path = path_of(digest);
  // Under the mutex, so that nothing is evicted between the open and the lock.
  const std::lock_guard lock_guard(mutex);
  if (!index.touch(digest)) return fail(Code::kNotFound, "no blob " + to_hex(digest) + " is stored here");
  Fd file(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW));
  struct stat status{};
  if (file.get() < 0 || ::fstat(file.get(), &status) != 0) {
    const int error = errno;
    if (error == ENOENT) index.erase(digest);
    return fail_errno(error, "cannot open the blob " + path.string());
  }
  if (::flock(file.get(), LOCK_SH | LOCK_NB) != 0) return fail_errno(errno, "cannot lock the blob " + path.string());
  return Reader(file.release(), static_cast<std::uint64_t>(status.st_size), path);
}

void BlobStore::State::set_aside(const Digest& digest) {
  const fs::path path = path_of(digest);
  const fs::path damaged = directory / "damaged";
  std::error_code error;
  std::size_t kept = 0;
  for ([[maybe_unused]] const auto& one : Entries(damaged, error)) ++kept;
  const std::lock_guard lock_guard(mutex);
  if (!index.erase(digest)) return;  // another thread was first
  log_error("a stored blob is damaged and was set aside; check this disk", {{"blob", to_hex(digest)}});
  if (!error && kept < kMaxDamagedKept) {
    if (::rename(path.c_str(), (damaged / to_hex(digest)).c_str()) == 0) return;
  }
  ::unlink(path.c_str());
}

void BlobStore::State::forget(const Digest& digest) {
  const std::lock_guard lock_guard(mutex);
  if (index.erase(digest)) ::unlink(path_of(digest).c_str());
}

Reader::~Reader() {
  if (file_ >= 0) ::close(file_);
}

BlobStore::BlobStore(std::shared_ptr<State> state) : state_(std::move(state)) {}
BlobStore::~BlobStore() = default;

Result<std::unique_ptr<BlobStore>> BlobStore::open(const fs::path& directory, const Options& options) {
  std::error_code error;
  fs::create_directories(directory.parent_path(), error);  // if it fails, so does the next step
  if (Result<void> made = make_directory(directory); !made) return std::unexpected(made.error());
  Fd lock(::open(directory.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (lock.get() < 0) return fail_errno(errno, "cannot open " + directory.string());
  if (::flock(lock.get(), LOCK_EX | LOCK_NB) != 0) {
    return fail(Code::kFailedPrecondition, directory.string() + " is in use by another process");
  }
  auto state = std::make_shared<State>(directory, options, std::move(lock));
  if (Result<void> prepared = state->prepare_directories(); !prepared) return std::unexpected(prepared.error());
  if (Result<void> counted = state->count_blobs(); !counted) return std::unexpected(counted.error());
  return std::unique_ptr<BlobStore>(new BlobStore(std::move(state)));
}

bool BlobStore::has(const Digest& digest) const { return state_->want(digest); }

Result<Reader> BlobStore::read(const Digest& digest) { return state_->open_blob(digest); }

Result<std::string> BlobStore::load(const Digest& digest, std::uint64_t limit) {
  Result<Reader> reader = read(digest);
  if (!reader) return std::unexpected(reader.error());
  if (reader->size() > limit) {
    return fail(Code::kResourceExhausted, "the blob " + to_hex(digest) + " has " + format_bytes(reader->size()) +
                                              ", more than the " + format_bytes(limit) + " that are taken here");
  }
  return load(digest, *reader);
}

Result<std::string> BlobStore::load(const Digest& digest, const Reader& reader) {
  std::string bytes;
  const Result<void> done = read_whole(reader.file(), reader.path(), reader.size(), bytes);
  if (!done) return std::unexpected(done.error());
  if (net::sha256(bytes) == digest) return bytes;
  state_->set_aside(digest);
  return fail(Code::kDataLoss, "the stored blob " + to_hex(digest) + " is damaged");
}

std::optional<std::string> BlobStore::load_cached(const Digest& digest, std::uint64_t limit) {
  std::unique_lock lock(state_->mutex, std::try_to_lock);
  if (!lock.owns_lock() || !state_->index.touch(digest)) return std::nullopt;
  const Fd file = open_cached(state_->path_of(digest));
  lock.unlock();  // open, it can be read even if it is evicted now
  struct stat status{};
  if (file.get() < 0 || ::fstat(file.get(), &status) != 0) return std::nullopt;
  if (static_cast<std::uint64_t>(status.st_size) > limit) return std::nullopt;
  std::optional<std::string> bytes = read_cached(file.get(), static_cast<std::size_t>(status.st_size));
  if (!bytes || net::sha256(*bytes) != digest) return std::nullopt;
  return bytes;
}

Result<void> BlobStore::verify(const Digest& digest) {
  Result<Reader> reader = read(digest);
  if (!reader) return std::unexpected(reader.error());
  net::Sha256 hash;
  const Result<void> done =
      read_all(reader->file(), reader->path(), [&hash](std::string_view piece) { hash.update(piece); });
  if (!done) return done;
  if (hash.finish() == digest) return {};
  state_->set_aside(digest);
  return fail(Code::kDataLoss, "the stored blob " + to_hex(digest) + " is damaged");
}

std::vector<Digest> BlobStore::unwanted(Duration span) const {
  const std::lock_guard lock_guard(state_->mutex);
  return state_->index.unwanted(steady_now() - span);
}

// A large file takes a while to be deleted: not under the mutex, which has() waits for. What a crash leaves there is
// removed with the incoming ones.
bool BlobStore::remove_unwanted(const Digest& digest, Duration span) {
  const fs::path path = state_->path_of(digest);
  const fs::path doomed = state_->directory / "incoming" / to_hex(digest);
  {
    const std::lock_guard lock_guard(state_->mutex);
    if (!state_->index.is_unwanted(digest, steady_now() - span) || State::is_open(path)) return false;
    if (::rename(path.c_str(), doomed.c_str()) != 0 && errno != ENOENT) return false;
    state_->index.erase(digest);
  }
  ::unlink(doomed.c_str());
  return true;
}

void BlobStore::set_max_bytes(std::uint64_t bytes) {
  const std::lock_guard lock_guard(state_->mutex);
  state_->options.max_bytes = bytes;
  while (state_->options.evict && bytes != 0 && state_->index.bytes() > bytes && state_->evict_one()) {
  }
}

void BlobStore::remove(const Digest& digest) { state_->forget(digest); }

std::vector<Digest> BlobStore::list() const {
  const std::lock_guard lock_guard(state_->mutex);
  return state_->index.list();
}

std::vector<std::pair<Digest, std::uint64_t>> BlobStore::largest(std::size_t most, std::uint64_t at_least) const {
  const std::lock_guard lock_guard(state_->mutex);
  return state_->index.largest(most, at_least);
}

std::uint64_t BlobStore::bytes() const {
  const std::lock_guard lock_guard(state_->mutex);
  return state_->index.bytes();
}

struct Writer::Progress {
  Progress(std::shared_ptr<BlobStore::State> store_in, Fd file_in, fs::path path_in, std::uint64_t reserved_in)
      : store(std::move(store_in)), file(std::move(file_in)), path(std::move(path_in)), reserved(reserved_in) {}
  Progress(const Progress&) = delete;
  Progress& operator=(const Progress&) = delete;
  ~Progress() {
    // The file goes before its room is given to others.
    if (!renamed) ::unlink(path.c_str());
    const std::lock_guard lock_guard(store->mutex);
    release_room();
  }

  Result<void> store_as(const Digest& digest);
  Result<void> move_to(const fs::path& destination);
  void release_room();  // under the store's mutex

  const std::shared_ptr<BlobStore::State> store;
  const Fd file;
  const fs::path path;
  net::Sha256 hash;
  std::uint64_t reserved;
  std::uint64_t size = 0;
  bool renamed = false;
};

void Writer::Progress::release_room() {
  store->reserved_bytes -= reserved;
  store->unwritten_bytes -= reserved - size;
  reserved = size = 0;
}

// Makes the blob's folder if it is its first one; most renames need no look at it.
Result<void> Writer::Progress::move_to(const fs::path& destination) {
  if (::rename(path.c_str(), destination.c_str()) != 0) {
    if (errno != ENOENT) return fail_errno(errno, "cannot rename");
    if (Result<void> made = make_directory(destination.parent_path()); !made) return made;
    if (Result<void> synced = store->options.durable ? sync_directory(store->directory) : Result<void>(); !synced) {
      return synced;
    }
    if (::rename(path.c_str(), destination.c_str()) != 0) return fail_errno(errno, "cannot rename");
  }
  renamed = true;
  return {};
}

// Each blob has its own two fsync calls. Sharing one syncfs() among concurrent writers was measured to be no faster
// (ext4, 1 to 16 threads), and it waits for whatever else the machine is writing.
Result<void> Writer::Progress::store_as(const Digest& digest) {
  if (store->want(digest)) return {};
  const std::string context = "cannot store a blob in " + store->directory.string();
  if (store->options.durable && ::fsync(file.get()) != 0) return fail_errno(errno, context);
  const fs::path destination = store->path_of(digest);
  {
    // If another writer of the same content was first, its file stays: somebody may show it to a guest, and a file that
    // was replaced is not found any more through gocryptfs.
    const std::lock_guard lock_guard(store->mutex);
    if (store->index.touch(digest)) return {};
    if (Result<void> moved = move_to(destination); !moved) return fail(moved, context);
  }
  const Result<void> durable = store->options.durable ? sync_directory(store->folder_of(digest)) : Result<void>();
  // Only now does anybody hear that the blob is here: has() is an acknowledgement too.
  const std::lock_guard lock_guard(store->mutex);
  if (!durable) {
    if (!store->index.touch(digest)) ::unlink(destination.c_str());
    return durable;
  }
  if (::access(destination.c_str(), F_OK) != 0) return fail(Code::kAborted, context + ": it was removed meanwhile");
  store->index.add(digest, size, steady_now());
  release_room();
  return {};
}

Result<Writer> BlobStore::create(std::uint64_t expected_size) {
  if (expected_size > state_->options.max_blob_bytes) {
    return fail(Code::kResourceExhausted, "a blob of " + format_bytes(expected_size) + " is larger than " +
                                              format_bytes(state_->options.max_blob_bytes) + ", the limit");
  }
  if (Result<void> room = state_->reserve(expected_size); !room) return std::unexpected(room.error());
  const fs::path path = state_->directory / "incoming" / std::to_string(state_->next_incoming++);
  Fd file(::open(path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600));
  const int error = errno;
  const bool opened = file.get() >= 0;
  // From here on the Progress gives the room back.
  auto progress = std::make_unique<Writer::Progress>(state_, std::move(file), path, expected_size);
  if (!opened) return fail_errno(error, "cannot make a file in " + (state_->directory / "incoming").string());
  if (::fchmod(progress->file.get(), 0555) != 0) return fail_errno(errno, "cannot set the mode of " + path.string());
  return Writer(std::move(progress));
}

Result<Digest> BlobStore::put(std::string_view bytes) {
  Digest digest = net::sha256(bytes);
  if (has(digest)) return digest;
  Result<Writer> writer = create(bytes.size());
  if (!writer) return std::unexpected(writer.error());
  if (Result<void> written = writer->write(bytes); !written) return std::unexpected(written.error());
  return writer->commit(&digest);
}

Writer::Writer(std::unique_ptr<Progress> progress) : progress_(std::move(progress)) {}
Writer::Writer(Writer&&) noexcept = default;
Writer::~Writer() = default;

std::uint64_t Writer::size() const { return progress_->size; }

Result<void> Writer::write(std::string_view bytes) {
  Progress& progress = *progress_;
  BlobStore::State& store = *progress.store;
  const std::uint64_t size = progress.size + bytes.size();
  if (size > store.options.max_blob_bytes) {
    return fail(Code::kResourceExhausted,
                "a blob is larger than " + format_bytes(store.options.max_blob_bytes) + ", the limit");
  }
  if (size > progress.reserved) {
    if (Result<void> room = store.reserve(size - progress.reserved); !room) return room;
    progress.reserved = size;
  }
  progress.hash.update(bytes);
  while (!bytes.empty()) {
    const ssize_t count = ::write(progress.file.get(), bytes.data(), bytes.size());
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) return fail_errno(errno, "cannot write to the disk of " + store.directory.string());
    bytes.remove_prefix(static_cast<std::size_t>(count));
    progress.size += static_cast<std::uint64_t>(count);
    store.unwritten_bytes -= static_cast<std::uint64_t>(count);
  }
  return {};
}

Result<Digest> Writer::commit(const Digest* expected) {
  Digest digest = progress_->hash.finish();
  if (expected != nullptr && *expected != digest) {
    return fail(Code::kInvalidArgument,
                "the bytes have the SHA-256 " + to_hex(digest) + ", not " + to_hex(*expected) + " as announced");
  }
  if (Result<void> stored = progress_->store_as(digest); !stored) return std::unexpected(stored.error());
  return digest;
}

}  // namespace hearth::blob
