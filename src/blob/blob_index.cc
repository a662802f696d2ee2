#include "blob/blob_index.h"

#include <algorithm>
#include <iterator>
#include <tuple>

namespace hearth::blob {

void BlobIndex::load(std::vector<Found> found) {
  by_use_.clear();
  entries_.clear();
  bytes_ = 0;
  std::ranges::sort(found, {}, [](const Found& blob) { return std::tie(blob.last_used, blob.digest); });
  for (const Found& blob : found) add(blob.digest, blob.size, blob.wanted);
}

void BlobIndex::add(const std::string& digest, std::uint64_t size, Time wanted) {
  erase(digest);
  by_use_.push_back(digest);
  entries_.emplace(digest, Entry{size, wanted, std::prev(by_use_.end())});
  bytes_ += size;
}

bool BlobIndex::touch(const std::string& digest) {
  const auto found = entries_.find(digest);
  if (found == entries_.end()) return false;
  by_use_.splice(by_use_.end(), by_use_, found->second.position);
  return true;
}

bool BlobIndex::want(const std::string& digest, Time now) {
  if (!touch(digest)) return false;
  entries_.at(digest).wanted = now;
  return true;
}

bool BlobIndex::is_unwanted(const std::string& digest, Time since) const {
  const auto found = entries_.find(digest);
  return found != entries_.end() && found->second.wanted <= since;
}

std::vector<std::string> BlobIndex::unwanted(Time since) const {
  std::vector<std::string> digests;
  for (const auto& [digest, entry] : entries_) {
    if (entry.wanted <= since) digests.push_back(digest);
  }
  return digests;
}

bool BlobIndex::erase(const std::string& digest) {
  const auto found = entries_.find(digest);
  if (found == entries_.end()) return false;
  bytes_ -= found->second.size;
  by_use_.erase(found->second.position);
  entries_.erase(found);
  return true;
}

std::optional<std::string> BlobIndex::oldest() const {
  if (by_use_.empty()) return std::nullopt;
  return by_use_.front();
}

std::optional<std::string> BlobIndex::newer_than(const std::string& digest) const {
  const auto found = entries_.find(digest);
  if (found == entries_.end()) return std::nullopt;
  const auto next = std::next(found->second.position);
  if (next == by_use_.end()) return std::nullopt;
  return *next;
}

std::vector<std::string> BlobIndex::list() const {
  std::vector<std::string> digests(by_use_.begin(), by_use_.end());
  std::ranges::sort(digests);
  return digests;
}

std::vector<std::pair<std::string, std::uint64_t>> BlobIndex::largest(std::size_t most, std::uint64_t at_least) const {
  std::vector<std::pair<std::string, std::uint64_t>> found;
  for (const auto& [digest, entry] : entries_) {
    if (entry.size >= at_least) found.emplace_back(digest, entry.size);
  }
  std::ranges::sort(found, {}, [](const auto& blob) { return std::pair(~blob.second, std::string_view(blob.first)); });
  if (found.size() > most) found.resize(most);
  return found;
}

}  // namespace hearth::blob
