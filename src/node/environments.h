// The environments that tasks run in on this node: images come from the hub into the cache of blobs, are unpacked once
// and shared by all tasks that run in them.
//
//   DIR/<sha256>/root     the root file system; DIR/<sha256>/size what it takes. Appears whole or not at all
//   DIR/incoming          being unpacked; what a crash left of it is removed at the next start
//
// Cache and environments together stay within the owner's limit: the least recently used goes first, never one in use.
// The loop's thread only.
#pragma once

#include <atomic>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "blob/blob_store.h"
#include "hearth/v1/types.pb.h"
#include "net/async.h"
#include "node/unpack.h"
#include "sandbox/sandbox.h"

namespace hearth::node {

// One that is unpacked. It stays for as long as somebody has it.
struct Environment {
  std::filesystem::path root;
  std::uint64_t bytes = 0;
};

class Environments {
 public:
  struct World {
    net::Loop& loop;
    net::Workers& workers;
    sandbox::Host& host;
    blob::BlobStore& cache;
    std::filesystem::path directory;
    Duration unpack_limit = minutes(60);  // of one image: the others wait meanwhile
  };
  // Brings the image into the cache.
  using Fetch = std::function<net::Async<Result<void>>()>;

  explicit Environments(World world) : world_(std::move(world)) {}

  // Takes up what an earlier process unpacked and removes what it did not finish. Blocks; once, before the loop runs.
  Result<void> open();

  // The image, unpacked; fetched and unpacked now if need be, once for however many ask. Errors: of `fetch`, of
  // unpack_image(), kResourceExhausted (the owner's limit).
  net::Async<Result<std::shared_ptr<const Environment>>> get(v1::Blob image, Fetch fetch);

  // Of cache and environments together. Frees what is over it and not in use, soon.
  void set_limit(std::uint64_t bytes);
  // Frees what is still over it, soon, and was in use before. To be called now and then.
  void trim();

  // The node ends: nothing is unpacked any more, and what is being unpacked is given up.
  void end() { ending_ = true; }

  std::uint64_t bytes() const { return bytes_; }
  std::vector<v1::Blob> images() const;  // of those that are unpacked, with the size that they take

 private:
  struct Entry {
    std::shared_ptr<Environment> environment;
    std::uint64_t last_use = 0;  // counts up
  };

  Result<void> take_up(const std::filesystem::path& directory);
  std::shared_ptr<const Environment> use(const std::string& name);
  net::Async<Result<void>> make(const v1::Blob& image, const std::string& name, const Fetch& fetch);
  Result<sandbox::TreeSize> unpack(const std::string& digest, const std::string& name, std::uint64_t most) const;
  net::Async<void> make_room(std::uint64_t bytes, std::uint64_t within);
  std::uint64_t bytes_in_use() const;
  void share_with_cache();

  World world_;
  std::uint64_t limit_ = 20ULL << 30;
  std::map<std::string, Entry> entries_;  // by hexadecimal SHA-256
  std::uint64_t bytes_ = 0;
  std::uint64_t uses_ = 0;
  std::set<std::string> arriving_;
  bool changing_ = false;  // somebody unpacks or removes: one at a time
  net::Event changed_;     // arriving_ or changing_
  std::atomic<bool> ending_ = false;
};

}  // namespace hearth::node
