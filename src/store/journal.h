// A store in a file whose pool has a second copy on another PC: it tells what each of its commits changed, and takes
// what the other's changed. What a change looks like is SQLite's session extension's affair
// (https://sqlite.org/sessionintro.html): whatever a table may be, nothing here knows of it.
#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "base/result.h"
#include "store/shared.h"
#include "store/store.h"

namespace hearth::store {

// Where the copy stands; part of what is copied.
struct Place {
  std::uint64_t epoch = 0;     // of the hold; 0: the file has no pool yet
  std::uint64_t position = 0;  // counts the commits that were recorded
  std::string holder;          // the identity of the hub that wrote it
  bool released = false;       // it has handed the pool over
  std::string pool_name;
  NodeId witness;              // 0: none
  std::string witness_secret;  // by which that node calls the hubs
};

// What one commit changed.
struct Change {
  std::uint64_t position = 0;  // the file's, once it is applied
  std::string bytes;
};

class ChangeLog {
 public:
  virtual ~ChangeLog() = default;

  virtual const Place& place() const = 0;
  virtual std::int64_t schema() const = 0;  // both copies must have the same
  virtual Result<std::vector<HubRow>> hubs() = 0;

  // Both: one commit, recorded as any other. The position is not taken from it.
  virtual Result<void> save(const Place& place) = 0;
  virtual Result<void> save(const Place& place, const HubRow& hub, bool remove) = 0;

  // From now on commits are recorded, which costs time.
  virtual void record(bool on) = 0;
  // What was recorded since, in order.
  virtual std::vector<Change> take() = 0;

  // What the other hub's commit changed. Errors: kAborted (it is not the next one, or does not fit: the file has to be
  // copied afresh), and those of Store::commit().
  virtual Result<void> apply(const Change& change) = 0;

  // Copies the whole file, which must not be there yet. Blocks for as long as that takes.
  virtual Result<void> copy_to(const std::filesystem::path& file) = 0;
};

class Journal : public Store {
 public:
  virtual ChangeLog& changes() = 0;
};

// As open_sqlite().
Result<std::unique_ptr<Journal>> open_journal(const std::filesystem::path& file);

}  // namespace hearth::store
