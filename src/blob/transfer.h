// Blobs and trees between a client (a node, the command line) and a hub, over net/client.h: PUT and GET /blob/<hex>,
// BlobService.Missing.
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <string>
#include <vector>

#include "blob/blob_store.h"
#include "hearth/v1/swarm.pb.h"
#include "hearth/v1/types.pb.h"
#include "net/async.h"
#include "net/client.h"

namespace hearth::blob {

// Where a tree's files come from on this machine.
struct LocalFile {
  std::string tree_path;         // in the tree
  std::filesystem::path source;  // on this machine
};

// Reads folders and files as people name them: "scene.pov" -> scene.pov; "assets/" or "assets" (a folder) ->
// assets/..., symbolic links inside followed if they stay inside. Paths outside the current directory keep their last
// part. `excluded`: what is left out of folders, unread, a folder with all that is in it: shell patterns of names
// ("*.o", ".git"), or with a '/' of paths in the tree ("assets/old/*"). Errors: kNotFound, kInvalidArgument (a device,
// a socket, a name that is no UTF-8, two files of one path), kResourceExhausted (over 100,000 files).
Result<std::vector<LocalFile>> scan_inputs(const std::vector<std::string>& paths,
                                           const std::vector<std::string>& excluded = {});

struct Progress {
  std::uint64_t bytes_done = 0;
  std::uint64_t bytes_total = 0;
  std::uint64_t files_done = 0;
  std::uint64_t files_total = 0;
};

class Transfer {
 public:
  // `bearer` gives the session's token at each call (it changes when it is renewed).
  Transfer(net::Client& client, net::Workers& workers, std::function<std::string()> bearer);

  // Hashes the files, asks which the hub lacks, sends those (several at once) and the Tree; gives the Tree's blob.
  // Errors: of the disk and the network; kAborted if a file changed while it was read.
  net::Async<Result<v1::Blob>> send_tree(std::vector<LocalFile> files,
                                         std::function<void(const Progress&)> on_progress);

  net::Async<Result<v1::Blob>> send_bytes(std::string bytes);
  net::Async<Result<v1::Blob>> send_file(int file, std::uint64_t size,
                                         std::string sha256);  // skipped if the hub has it

  // A Tree's message, checked: safe paths, sorted, no duplicates, within limits. Errors: kDataLoss, kNotFound.
  net::Async<Result<v1::Tree>> fetch_tree(v1::Blob blob);

  // A small blob, verified. kResourceExhausted if larger than `limit`.
  net::Async<Result<std::string>> fetch_bytes(v1::Blob blob, std::uint64_t limit);

  // Fetches into `store` what it lacks of the blobs, verified, several at once. Errors as above.
  net::Async<Result<void>> fetch_into(BlobStore& store, std::vector<v1::Blob> blobs,
                                      std::function<void(const Progress&)> on_progress);

  // Fetches one blob to a file that appears whole or not at all (a temporary name beside it, then rename). The parent
  // must exist.
  net::Async<Result<void>> fetch_file(v1::Blob blob, std::filesystem::path destination, bool executable,
                                      std::function<void(std::uint64_t)> on_bytes);

  // Of a blob that travels as a swarm: its pieces, as the hub says them, within limits; and a part of the blob itself,
  // not verified.
  net::Async<Result<v1::SwarmLayout>> fetch_swarm_layout(v1::Blob blob);
  net::Async<Result<std::string>> fetch_part(v1::Blob blob, std::uint64_t offset, std::uint64_t count);

 private:
  net::Client& client_;
  net::Workers& workers_;
  std::function<std::string()> bearer_;
};

// The rules of hearth.v1.Tree. Errors: kInvalidArgument (which file, what is wrong).
Result<void> check_tree(const v1::Tree& tree);

inline constexpr std::size_t kMaxTreeBytes = 32 << 20;  // of a tree's message

}  // namespace hearth::blob
