// Which blobs a store holds, in the order of their last use, and when each was last wanted: stored, or asked for by
// somebody who relies on the answer. No I/O; the store guards it with its mutex.
#pragma once

#include <cstdint>
#include <list>
#include <optional>
#include <string>
#include <unordered_map>
#include <utility>
#include <vector>

#include "base/time.h"

namespace hearth::blob {

class BlobIndex {
 public:
  struct Found {
    std::string digest;
    std::uint64_t size = 0;
    std::int64_t last_used = 0;  // any unit that grows
    Time wanted;
  };

  // Replaces everything.
  void load(std::vector<Found> found);

  // The most recently used; replaces an entry of that name.
  void add(const std::string& digest, std::uint64_t size, Time wanted);
  bool touch(const std::string& digest);           // false if it is not there
  bool want(const std::string& digest, Time now);  // a touch as well
  bool erase(const std::string& digest);

  // The least recently used, and from one to the next.
  std::optional<std::string> oldest() const;
  std::optional<std::string> newer_than(const std::string& digest) const;

  std::uint64_t bytes() const { return bytes_; }
  std::vector<std::string> list() const;  // sorted
  std::vector<std::pair<std::string, std::uint64_t>> largest(std::size_t most, std::uint64_t at_least) const;
  bool is_unwanted(const std::string& digest, Time since) const;
  std::vector<std::string> unwanted(Time since) const;  // in no order

 private:
  struct Entry {
    std::uint64_t size = 0;
    Time wanted;
    std::list<std::string>::iterator position;
  };
  std::list<std::string> by_use_;  // the least recently used first
  std::unordered_map<std::string, Entry> entries_;
  std::uint64_t bytes_ = 0;
};

}  // namespace hearth::blob
