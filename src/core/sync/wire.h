// What a drive and those that keep a folder the same as it say to each other, below /sync/ (drive/sync_server.h):
// bodies of frames, each a length of four bytes, least first, and so many bytes. Whatever is malformed or too long is
// refused.
//
//   std::string body;
//   append_frame(body, encode(Wanted{.path = "a.jpg", .etag = etag}));
//   Frames frames;
//   frames.add(bytes);
//   for (Result<std::optional<std::string>> frame = frames.next(); frame && *frame; frame = frames.next())
//     const Result<Wanted> wanted = decode_wanted(**frame);
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "core/sync/reconcile.h"

namespace hearth::sync {

inline constexpr std::size_t kMaxSmallFile = 1 << 20;  // what travels within one frame; longer files go by PUT and GET
inline constexpr std::size_t kMaxFrame = kMaxSmallFile + (64 << 10);
inline constexpr std::size_t kMaxBatch = 256;            // changes, or files wanted, of one request
inline constexpr std::size_t kMaxBatchBytes = 16 << 20;  // of one request's body
inline constexpr std::size_t kHashBytes = 32;            // SHA-256

void append_frame(std::string& body, std::string_view frame);

// Bytes as they come, taken apart.
class Frames {
 public:
  void add(std::string_view bytes);
  // Nothing: more must come. Errors: kInvalidArgument (a frame of more than kMaxFrame).
  Result<std::optional<std::string>> next();
  bool is_empty() const { return at_ == buffer_.size(); }

 private:
  std::string buffer_;
  std::size_t at_ = 0;
};

// All frames of a whole body, `most` at most.
Result<std::vector<std::string>> frames_of(std::string_view body, std::size_t most);

// GET tree?path=: one for each file and folder, folders before what is in them, and in the end one that says whether
// that was all.
struct Listed {
  bool is_end = false;
  std::string trouble;  // of the end: why something is missing; empty: nothing is
  Side side;            // a file's version is its etag
  std::string path;
  std::uint64_t bytes = 0;
  std::int64_t modified_millis = 0;
  bool is_executable = false;  // a file that its owner may run
  bool operator==(const Listed&) const = default;
};

// POST changes?path=: folders are made first, then come files, then removals. For each one Outcome, in their order.
struct Change {
  enum class What : std::uint8_t { kFile, kFolder, kRemoval };
  What what = What::kFile;
  std::string path;
  std::string etag;     // of the file that is replaced or removed; empty: nothing is to be there
  std::string content;  // of a file; of a folder's removal: tree_digest's text, hashed
  std::int64_t modified_millis = 0;
  bool is_executable = false;  // of a file
  bool operator==(const Change&) const = default;
};

struct Outcome {
  Code code = Code::kUnknown;  // if there is a message
  std::string message;         // empty: done
  std::string etag;            // of the file as it is now
  bool operator==(const Outcome&) const = default;
};

// POST read?path=, POST hash?path=: files as they are listed. For each one Given, in their order.
struct Wanted {
  std::string path;
  std::string etag;
  bool operator==(const Wanted&) const = default;
};

struct Given {
  Code code = Code::kUnknown;
  std::string message;  // empty: here it is
  std::string content;  // its bytes, or their hash
  std::int64_t modified_millis = 0;
  bool operator==(const Given&) const = default;
};

// GET chunks?path=: how the file is cut, first; then its chunks; in the end one of no length, with the whole's hash.
struct ChunkHead {
  unsigned doublings = 0;  // see ChunkSizes
  std::uint64_t bytes = 0;
  bool operator==(const ChunkHead&) const = default;
};
struct ChunkAt {
  std::uint32_t bytes = 0;
  std::string hash;
  bool operator==(const ChunkAt&) const = default;
};

struct ChunkList {
  ChunkHead head;
  std::vector<ChunkAt> chunks;
  std::string hash;  // of the whole
};

// PUT delta?path=: a file, told by what an older version of it has. The last one says what it must come to.
struct DeltaPart {
  enum class What : std::uint8_t { kCopy, kBytes, kEnd };
  What what = What::kEnd;
  std::uint64_t offset = 0;  // of what is copied
  std::uint64_t length = 0;  // of what is copied; in the end: of the whole
  std::string content;       // the bytes; in the end: the whole's hash
  bool operator==(const DeltaPart&) const = default;
};

std::string encode(const Listed& listed);
std::string encode(const Change& change);
std::string encode(const Outcome& outcome);
std::string encode(const Wanted& wanted);
std::string encode(const Given& given);
std::string encode(const ChunkHead& head);
std::string encode(const ChunkAt& chunk);
std::string encode(const DeltaPart& part);

// Errors: kInvalidArgument.
Result<Listed> decode_listed(std::string_view frame);
Result<Change> decode_change(std::string_view frame);
Result<Outcome> decode_outcome(std::string_view frame);
Result<Wanted> decode_wanted(std::string_view frame);
Result<Given> decode_given(std::string_view frame);
Result<ChunkHead> decode_chunk_head(std::string_view frame);
Result<ChunkAt> decode_chunk(std::string_view frame);
Result<DeltaPart> decode_delta_part(std::string_view frame);

// What GET chunks answers. Chunks are held in memory, so only sizes that ChunkSizes::for_file() gives are taken.
// Errors: kInvalidArgument.
Result<ChunkList> decode_chunk_list(std::string_view body);

// What all in a folder comes to: paths from the folder on, with their versions. Its hash says whether a folder is still
// what somebody wants removed.
std::string tree_digest_text(const std::map<std::string, Side>& below);

}  // namespace hearth::sync
