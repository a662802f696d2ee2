// Immutable bytes in files named by their SHA-256, under one directory: DIR/ab/abcdef...; incoming ones in DIR/incoming
// until they are whole, checked and on disk (fsync of file and directory before a Writer's commit() returns: an
// acknowledged blob survives a power cut).
//
// All functions but has() and load_cached() block on the disk: call them on a worker. Any thread; a Writer belongs to
// one at a time.
#pragma once

#include <atomic>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/result.h"
#include "base/time.h"

namespace hearth::blob {

// 32 raw bytes.
using Digest = std::string;

struct Options {
  std::uint64_t max_bytes = 0;  // of all blobs together; 0: as much as the disk has, less `keep_free_bytes`
  std::uint64_t keep_free_bytes = 256ULL << 20;
  std::uint64_t max_blob_bytes = 64ULL << 30;
  bool evict = false;   // true (a node's cache): make room by removing the least recently used unpinned blobs. false (a
                        // hub): refuse
  bool durable = true;  // false (a node's cache): no fsync
};

class Writer;

// An open blob. Keeps it from being evicted while it lives.
class Reader {
 public:
  Reader(int file, std::uint64_t size, std::filesystem::path path) : file_(file), size_(size), path_(std::move(path)) {}
  Reader(Reader&& other) noexcept
      : file_(std::exchange(other.file_, -1)), size_(other.size_), path_(std::move(other.path_)) {}
  Reader& operator=(Reader&&) = delete;
  ~Reader();
  int file() const { return file_; }
  std::uint64_t size() const { return size_; }
  const std::filesystem::path& path() const { return path_; }  // mode 0555: may be bound read-only into a sandbox

 private:
  int file_;
  std::uint64_t size_;
  std::filesystem::path path_;
};

class BlobStore {
 public:
  // Makes the directory, removes incoming leftovers, counts what is there. Errors: kPermissionDenied,
  // kResourceExhausted, kFailedPrecondition (another store has the directory open).
  static Result<std::unique_ptr<BlobStore>> open(const std::filesystem::path& directory, const Options& options);
  ~BlobStore();
  BlobStore(const BlobStore&) = delete;
  BlobStore& operator=(const BlobStore&) = delete;

  // The answer may be relied on: the blob is wanted from now on, see remove_unwanted().
  bool has(const Digest& digest) const;

  // Errors: kNotFound. Bytes are not verified here; see verify().
  Result<Reader> read(const Digest& digest);

  // The whole content of a small blob, verified. Errors: kNotFound; kResourceExhausted if larger than `limit`;
  // kDataLoss if damaged (it is set aside then).
  Result<std::string> load(const Digest& digest, std::uint64_t limit);
  Result<std::string> load(const Digest& digest, const Reader& reader);

  // What load() would give, if it is whole and in the page cache. Nothing else is told apart: then ask load().
  std::optional<std::string> load_cached(const Digest& digest, std::uint64_t limit);

  // Errors: kResourceExhausted (limits; disk full). `expected_size` 0: unknown.
  Result<Writer> create(std::uint64_t expected_size);
  Result<Digest> put(std::string_view bytes);

  // Reads a blob whole and compares. A damaged one is moved to DIR/damaged, so that it is asked for again. Errors:
  // kNotFound, kDataLoss.
  Result<void> verify(const Digest& digest);

  // A new Options::max_bytes. A store that evicts makes room at once, as far as nobody reads what is in the way.
  void set_max_bytes(std::uint64_t bytes);

  void remove(const Digest& digest);

  // A blob is unwanted for `span` if for so long it was neither stored, nor uploaded again, nor asked for with has().
  // It outlives a restart of the process to the second (by the calendar, which is asked at open() only).
  std::vector<Digest> unwanted(Duration span) const;
  // False: it is not there, wanted after all, or open.
  bool remove_unwanted(const Digest& digest, Duration span);

  std::vector<Digest> list() const;
  // With their sizes, the largest first; takes one look at each blob.
  std::vector<std::pair<Digest, std::uint64_t>> largest(std::size_t most, std::uint64_t at_least) const;
  std::uint64_t bytes() const;

 private:
  friend class Writer;
  struct State;
  explicit BlobStore(std::shared_ptr<State> state);
  std::shared_ptr<State> state_;
};

// A blob on its way in. Destroyed without commit(): nothing stays.
class Writer {
 public:
  Writer(Writer&&) noexcept;
  ~Writer();
  // Errors: kResourceExhausted.
  Result<void> write(std::string_view bytes);
  // Once, and nothing is written afterwards. Errors: kInvalidArgument if `expected` is given and differs,
  // kResourceExhausted, kAborted (removed at the same moment).
  Result<Digest> commit(const Digest* expected = nullptr);
  std::uint64_t size() const;

 private:
  friend class BlobStore;
  struct Progress;
  explicit Writer(std::unique_ptr<Progress> progress);
  std::unique_ptr<Progress> progress_;
};

}  // namespace hearth::blob
