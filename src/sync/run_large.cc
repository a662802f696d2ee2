// Large files: of those that both sides have in some version, only what has changed.
#include <sys/stat.h>

#include <algorithm>
#include <unordered_map>
#include <utility>

#include <fmt/format.h>

#include "base/bytes.h"
#include "core/sync/chunks.h"
#include "net/crypto.h"
#include "sync/run.h"

namespace hearth::sync {
namespace {

constexpr std::uint64_t kPart = 8 << 20;        // of a file, fetched with one request
constexpr std::size_t kDeltaBytes = 256 << 10;  // of one part of a delta
constexpr std::size_t kRead = 4 << 20;

std::uint64_t bytes_of(int file) {
  struct stat status{};
  return ::fstat(file, &status) == 0 ? static_cast<std::uint64_t>(status.st_size) : 0;
}

// Gives each chunk of a file and where it begins.
template <class Take>
Result<void> for_each_chunk(int file, ChunkSizes sizes, Take take) {
  std::string buffer;
  std::uint64_t begin = 0;  // of the buffer
  for (bool is_end = false; !is_end;) {
    const std::uint64_t at = begin + buffer.size();
    // One byte more than there is, which tells of the end: no memory for what a hub says the file has.
    const std::uint64_t left_there = bytes_of(file) - std::min(bytes_of(file), at) + 1;
    const std::size_t wanted = std::min<std::uint64_t>(std::max(kRead, sizes.most()), left_there);
    const Result<std::string> more = read_at(file, at, wanted);
    if (!more) return std::unexpected(more.error());
    is_end = more->size() < wanted;
    buffer += *more;
    std::string_view left = buffer;
    while (!left.empty() && (is_end || left.size() >= sizes.most())) {
      const std::string_view chunk = left.substr(0, next_chunk(left, sizes));
      if (Result<void> taken = take(begin + static_cast<std::uint64_t>(left.data() - buffer.data()), chunk); !taken) {
        return taken;
      }
      left.remove_prefix(chunk.size());
    }
    begin += buffer.size() - left.size();
    buffer.erase(0, buffer.size() - left.size());
  }
  return {};
}

struct Found {
  int file = -1;
  std::uint64_t offset = 0;
};

// A delta as it is made: neighbours become one part.
class DeltaWriter {
 public:
  explicit DeltaWriter(int file) : file_(file) {}

  Result<void> copy(std::uint64_t offset, std::uint64_t length) {
    if (length_ > 0 && offset_ + length_ == offset) {
      length_ += length;
      return {};
    }
    if (Result<void> ended = end_parts(); !ended) return ended;
    offset_ = offset;
    length_ = length;
    return {};
  }

  Result<void> bytes(std::string_view bytes) {
    if (length_ > 0) {
      if (Result<void> ended = end_parts(); !ended) return ended;
    }
    bytes_ += bytes;
    return bytes_.size() < kDeltaBytes ? Result<void>() : end_parts();
  }

  Result<void> end(std::uint64_t length, const std::string& hash) {
    if (Result<void> ended = end_parts(); !ended) return ended;
    return write({.what = DeltaPart::What::kEnd, .length = length, .content = hash});
  }

 private:
  Result<void> end_parts() {
    if (length_ > 0) {
      const DeltaPart part{.what = DeltaPart::What::kCopy, .offset = offset_, .length = std::exchange(length_, 0)};
      if (Result<void> written = write(part); !written) return written;
    }
    if (bytes_.empty()) return {};
    return write({.what = DeltaPart::What::kBytes, .content = std::exchange(bytes_, {})});
  }
  Result<void> write(const DeltaPart& part) {
    std::string frame;
    append_frame(frame, encode(part));
    return write_all_to(file_, frame);
  }

  int file_;
  std::uint64_t offset_ = 0;
  std::uint64_t length_ = 0;  // of what is to be copied
  std::string bytes_;
};

}  // namespace

// Writes what makes the file here of the one there. The hash of the whole.
Result<std::string> Run::write_delta(const Fd& from, const ChunkList& before, const Aside& to) {
  std::unordered_map<std::string_view, std::uint64_t> there;
  std::uint64_t at = 0;
  for (const ChunkAt& chunk : before.chunks) {
    there.emplace(chunk.hash, at);
    at += chunk.bytes;
  }
  net::Sha256 whole;
  std::uint64_t bytes = 0;
  DeltaWriter delta(to.file.get());
  const Result<void> cut =
      for_each_chunk(from.get(), {.doublings = before.head.doublings}, [&](std::uint64_t, std::string_view chunk) {
        whole.update(chunk);
        bytes += chunk.size();
        const auto found = there.find(net::sha256(chunk));
        return found == there.end() ? delta.bytes(chunk) : delta.copy(found->second, chunk.size());
      });
  if (!cut) return std::unexpected(cut.error());
  std::string hash = whole.finish();
  if (Result<void> ended = delta.end(bytes, hash); !ended) return std::unexpected(ended.error());
  return hash;
}

Result<void> Run::send_large(const Action& action) {
  const std::string& path = action.path;
  const Seen& seen = scan_.seen.at(path);
  options_.progress(fmt::format("sending {}, {}", path, format_bytes(seen.bytes)));
  const Result<Fd> file = local_.open_file(path);
  if (!file) return std::unexpected(file.error());
  if (LocalFolder::look_at(file->get()) != seen.side) {
    return fail(Code::kFailedPrecondition, path + " is just being changed here: the next run sends it");
  }
  const Wanted target = wanted(action);
  Result<std::string> etag = fail(Code::kUnknown, "");
  std::string hash;
  if (action.there && there_.at(path).bytes > kMaxSmallFile) {
    const Result<ChunkList> before = remote_.chunks(target);
    if (!before) return std::unexpected(before.error());
    const Result<Aside> delta = local_.receive("delta");
    if (!delta) return std::unexpected(delta.error());
    const Result<std::string> written = write_delta(*file, *before, *delta);
    if (!written) return std::unexpected(written.error());
    const std::uint64_t bytes = bytes_of(delta->file.get());
    if (bytes < seen.bytes) {
      hash = *written;
      etag = remote_.put_delta(target, delta->file.get(), bytes, seen);
    }
    local_.drop(delta->name);
  }
  if (hash.empty()) {
    const Result<std::string> whole = hash_here(path);
    if (!whole) return std::unexpected(whole.error());
    hash = *whole;
    etag = remote_.put(target, file->get(), seen);
  }
  if (!etag) return std::unexpected(etag.error());
  // What was written to meanwhile is there as nobody has it: it is sent again with the next run.
  const bool is_still = LocalFolder::look_at(file->get()) == seen.side;
  note_file(path, is_still ? seen.side.version : "changing", *etag, is_still ? hash : "");
  if (!is_still) report_.problems.push_back(path + " was being changed here while it was sent: the next run goes on");
  ++report_.sent;
  return keep();
}

Result<std::string> Run::fetch_whole(const Wanted& file, const Aside& to) {
  const std::uint64_t bytes = there_.at(file.path).bytes;
  net::Sha256 whole;
  for (std::uint64_t at = 0; at < bytes;) {
    options_.progress(fmt::format("fetching {}, {} of {}", file.path, format_bytes(at), format_bytes(bytes)));
    const Result<std::string> part = remote_.range(file, at, std::min(kPart, bytes - at));
    if (!part) return part;
    whole.update(*part);
    if (Result<void> written = write_all_to(to.file.get(), *part); !written) return std::unexpected(written.error());
    at += part->size();
  }
  return whole.finish();
}

Result<std::string> Run::fetch_by_chunks(const Wanted& file, const Aside& to, const std::vector<Fd>& sources) {
  const Result<ChunkList> list = remote_.chunks(file);
  if (!list) return std::unexpected(list.error());
  std::unordered_map<std::string, Found> here;
  for (const Fd& source : sources) {
    const Result<void> cut = for_each_chunk(source.get(), {.doublings = list->head.doublings},
                                            [&](std::uint64_t at, std::string_view chunk) -> Result<void> {
                                              here.emplace(net::sha256(chunk), Found{source.get(), at});
                                              return {};
                                            });
    if (!cut) return std::unexpected(cut.error());
  }
  net::Sha256 whole;
  const auto take = [&](std::string_view bytes) {
    whole.update(bytes);
    return write_all_to(to.file.get(), bytes);
  };
  std::uint64_t at = 0;
  for (std::size_t i = 0; i < list->chunks.size();) {
    options_.progress(
        fmt::format("fetching {}, {} of {}", file.path, format_bytes(at), format_bytes(list->head.bytes)));
    std::uint64_t missing = 0;  // from there on
    std::size_t end = i;
    while (end < list->chunks.size() && missing < kPart && !here.contains(list->chunks[end].hash)) {
      missing += list->chunks[end++].bytes;
    }
    Result<std::string> bytes = missing > 0 ? remote_.range(file, at, missing)
                                            : read_at(here.at(list->chunks[i].hash).file,
                                                      here.at(list->chunks[i].hash).offset, list->chunks[i].bytes);
    if (!bytes) return bytes;
    if (Result<void> taken = take(*bytes); !taken) return std::unexpected(taken.error());
    at += bytes->size();
    i = missing > 0 ? end : i + 1;
  }
  std::string hash = whole.finish();
  if (hash == list->hash) return hash;
  return fail(Code::kFailedPrecondition, file.path + " was being changed while it was fetched: the next run goes on");
}

Result<void> Run::fetch_large(const Action& action) {
  const std::string& path = action.path;
  const Wanted file = wanted(action);
  const std::string digits = to_hex(net::sha256(path)).substr(0, 32);
  const std::string name = "part-" + digits;
  const std::string earlier = name + "-earlier";
  // What a run that was ended had of it, and what is replaced.
  if (local_.open_left(name)) local_.rename_left(name, earlier);
  std::vector<Fd> sources;
  if (std::optional<Fd> left = local_.open_left(earlier)) sources.push_back(*std::move(left));
  if (action.here) {
    if (Result<Fd> before = local_.open_file(path)) sources.push_back(*std::move(before));
  }
  const Result<Aside> fresh = local_.receive(name);
  if (!fresh) return std::unexpected(fresh.error());
  const Result<std::string> hash = sources.empty() ? fetch_whole(file, *fresh) : fetch_by_chunks(file, *fresh, sources);
  if (!hash) return std::unexpected(hash.error());
  LocalFolder::set_modified(*fresh, there_.at(path).modified_millis);
  if (there_.at(path).is_executable) LocalFolder::make_executable(*fresh);
  if (Result<void> finished = LocalFolder::finish({&*fresh}); !finished) return finished;
  const Result<Side> placed = local_.place(*fresh, path, here_now(action));
  if (!placed) return std::unexpected(placed.error());
  local_.drop(earlier);
  note_file(path, placed->version, action.there->version, *hash);
  ++report_.fetched;
  return keep();
}

}  // namespace hearth::sync
