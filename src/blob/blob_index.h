// Which blobs a store holds, in the order of their last use. No I/O; the store guards it with its mutex.
#pragma once

#include <cstdint>
#include <list>
#include <optional>
#include <string>
#include <unordered_map>
#include <vector>

namespace hearth::blob {

class BlobIndex {
 public:
  struct Found {
    std::string digest;
    std::uint64_t size = 0;
    std::int64_t last_used = 0;  // any unit that grows
  };

  // Replaces everything.
  void load(std::vector<Found> found);

  void add(const std::string& digest, std::uint64_t size);  // the most recently used; replaces an entry of that name
  bool touch(const std::string& digest);                    // false if it is not there
  bool erase(const std::string& digest);

  // The least recently used, and from one to the next.
  std::optional<std::string> oldest() const;
  std::optional<std::string> newer_than(const std::string& digest) const;

  std::uint64_t bytes() const { return bytes_; }
  std::vector<std::string> list() const;  // sorted

 private:
  struct Entry {
    std::uint64_t size = 0;
    std::list<std::string>::iterator position;
  };
  std::list<std::string> by_use_;  // the least recently used first
  std::unordered_map<std::string, Entry> entries_;
  std::uint64_t bytes_ = 0;
};

}  // namespace hearth::blob
