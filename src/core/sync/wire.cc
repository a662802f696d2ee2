#include "core/sync/wire.h"

#include <algorithm>
#include <type_traits>

#include <fmt/format.h>

#include "core/sync/chunks.h"

namespace hearth::sync {
namespace {

constexpr std::size_t kLengthBytes = 4;

class Writer {
 public:
  template <class Number>
  Writer& number(Number value) {
    auto left = static_cast<std::make_unsigned_t<Number>>(value);
    for (std::size_t i = 0; i < sizeof value; ++i) {
      bytes_ += static_cast<char>(left & 0xFFU);
      left = sizeof value > 1 ? static_cast<decltype(left)>(left >> 8U) : 0;
    }
    return *this;
  }
  Writer& text(std::string_view text) {
    number(static_cast<std::uint32_t>(text.size()));
    bytes_ += text;
    return *this;
  }
  std::string take() { return std::move(bytes_); }

 private:
  std::string bytes_;
};

// Reads until something does not fit; then everything is zero, and ended() an error.
class Reader {
 public:
  explicit Reader(std::string_view bytes) : bytes_(bytes) {}

  template <class Number>
  Number number() {
    if (bytes_.size() < sizeof(Number)) return give_up<Number>();
    std::uint64_t value = 0;
    for (std::size_t i = sizeof(Number); i-- > 0;) value = value << 8U | static_cast<unsigned char>(bytes_[i]);
    bytes_.remove_prefix(sizeof(Number));
    return static_cast<Number>(value);
  }
  std::string text(std::size_t most = kMaxFrame) {
    const auto size = number<std::uint32_t>();
    if (size > bytes_.size() || size > most) return give_up<std::string>();
    std::string text(bytes_.substr(0, size));
    bytes_.remove_prefix(size);
    return text;
  }
  // A number from `first` on and below `end`.
  template <class Enum>
  Enum one_of(std::uint8_t end, std::uint8_t first = 0) {
    const auto value = number<std::uint8_t>();
    return value >= first && value < end ? static_cast<Enum>(value) : give_up<Enum>();
  }

  template <class Message>
  Result<Message> ended(Message message) const {
    if (is_bad_ || !bytes_.empty()) return fail(Code::kInvalidArgument, "a frame that is malformed");
    return message;
  }

 private:
  template <class Value>
  Value give_up() {
    is_bad_ = true;
    bytes_ = {};
    return Value();
  }

  std::string_view bytes_;
  bool is_bad_ = false;
};

constexpr std::uint8_t kProgram = 3;  // a file that is executable, where a file is 0
constexpr std::uint8_t kCodes = 17;
constexpr std::size_t kMaxChunks = 1'000'000;  // twice what ChunkSizes::for_file() comes to
constexpr std::size_t kMaxPath = 4'096;
constexpr std::size_t kMaxEtag = 200;
constexpr std::size_t kMaxMessage = 8'192;

}  // namespace

void append_frame(std::string& body, std::string_view frame) {
  body += Writer().number(static_cast<std::uint32_t>(frame.size())).take();
  body += frame;
}

void Frames::add(std::string_view bytes) {
  buffer_.erase(0, at_);
  at_ = 0;
  buffer_ += bytes;
}

Result<std::optional<std::string>> Frames::next() {
  const std::string_view left = std::string_view(buffer_).substr(at_);
  if (left.size() < kLengthBytes) return std::optional<std::string>();
  const auto size = Reader(left).number<std::uint32_t>();
  if (size > kMaxFrame) {
    return fail(Code::kInvalidArgument, fmt::format("a frame of {} bytes; at most {}", size, kMaxFrame));
  }
  if (left.size() - kLengthBytes < size) return std::optional<std::string>();
  at_ += kLengthBytes + size;
  return std::string(left.substr(kLengthBytes, size));
}

Result<std::vector<std::string>> frames_of(std::string_view body, std::size_t most) {
  Frames frames;
  frames.add(body);
  std::vector<std::string> all;
  for (;;) {
    Result<std::optional<std::string>> frame = frames.next();
    if (!frame) return std::unexpected(frame.error());
    if (!*frame) break;
    if (all.size() == most) return fail(Code::kInvalidArgument, fmt::format("more than {} frames", most));
    all.push_back(**std::move(frame));
  }
  if (!frames.is_empty()) return fail(Code::kInvalidArgument, "the last frame is cut");
  return all;
}

std::string encode(const Listed& listed) {
  Writer writer;
  const auto kind = listed.is_executable ? kProgram : static_cast<std::uint8_t>(listed.side.kind);
  writer.number(listed.is_end ? std::uint8_t{2} : kind);
  if (listed.is_end) return writer.text(listed.trouble).take();
  return writer.number(listed.bytes).number(listed.modified_millis).text(listed.path).text(listed.side.version).take();
}

Result<Listed> decode_listed(std::string_view frame) {
  Reader reader(frame);
  Listed listed;
  const auto kind = reader.one_of<std::uint8_t>(kProgram + 1);
  listed.is_end = kind == 2;
  if (listed.is_end) {
    listed.trouble = reader.text(kMaxMessage);
    return reader.ended(std::move(listed));
  }
  listed.is_executable = kind == kProgram;
  listed.side.kind = listed.is_executable ? Kind::kFile : static_cast<Kind>(kind);
  listed.bytes = reader.number<std::uint64_t>();
  listed.modified_millis = reader.number<std::int64_t>();
  listed.path = reader.text(kMaxPath);
  listed.side.version = reader.text(kMaxEtag);
  return reader.ended(std::move(listed));
}

std::string encode(const Change& change) {
  return Writer()
      .number(change.is_executable ? kProgram : static_cast<std::uint8_t>(change.what))
      .number(change.modified_millis)
      .text(change.path)
      .text(change.etag)
      .text(change.content)
      .take();
}

Result<Change> decode_change(std::string_view frame) {
  Reader reader(frame);
  const auto what = reader.one_of<std::uint8_t>(kProgram + 1);
  Change change{.what = what == kProgram ? Change::What::kFile : static_cast<Change::What>(what)};
  change.is_executable = what == kProgram;
  change.modified_millis = reader.number<std::int64_t>();
  change.path = reader.text(kMaxPath);
  change.etag = reader.text(kMaxEtag);
  change.content = reader.text(kMaxSmallFile);
  return reader.ended(std::move(change));
}

std::string encode(const Outcome& outcome) {
  return Writer().number(static_cast<std::uint8_t>(outcome.code)).text(outcome.message).text(outcome.etag).take();
}

Result<Outcome> decode_outcome(std::string_view frame) {
  Reader reader(frame);
  Outcome outcome{.code = reader.one_of<Code>(kCodes, 1)};
  outcome.message = reader.text(kMaxMessage);
  outcome.etag = reader.text(kMaxEtag);
  return reader.ended(std::move(outcome));
}

std::string encode(const Wanted& wanted) { return Writer().text(wanted.path).text(wanted.etag).take(); }

Result<Wanted> decode_wanted(std::string_view frame) {
  Reader reader(frame);
  Wanted wanted{.path = reader.text(kMaxPath)};
  wanted.etag = reader.text(kMaxEtag);
  return reader.ended(std::move(wanted));
}

std::string encode(const Given& given) {
  return Writer()
      .number(static_cast<std::uint8_t>(given.code))
      .number(given.modified_millis)
      .text(given.message)
      .text(given.content)
      .take();
}

Result<Given> decode_given(std::string_view frame) {
  Reader reader(frame);
  Given given{.code = reader.one_of<Code>(kCodes, 1)};
  given.modified_millis = reader.number<std::int64_t>();
  given.message = reader.text(kMaxMessage);
  given.content = reader.text(kMaxSmallFile);
  return reader.ended(std::move(given));
}

std::string encode(const ChunkHead& head) {
  return Writer().number(static_cast<std::uint8_t>(head.doublings)).number(head.bytes).take();
}

Result<ChunkHead> decode_chunk_head(std::string_view frame) {
  Reader reader(frame);
  ChunkHead head{.doublings = reader.one_of<std::uint8_t>(ChunkSizes::kMaxDoublings + 1)};
  head.bytes = reader.number<std::uint64_t>();
  return reader.ended(head);
}

std::string encode(const ChunkAt& chunk) { return Writer().number(chunk.bytes).text(chunk.hash).take(); }

Result<ChunkAt> decode_chunk(std::string_view frame) {
  Reader reader(frame);
  ChunkAt chunk{.bytes = reader.number<std::uint32_t>()};
  chunk.hash = reader.text(kHashBytes);
  if (chunk.hash.size() != kHashBytes) return fail(Code::kInvalidArgument, "a chunk without a hash");
  return reader.ended(std::move(chunk));
}

Result<ChunkList> decode_chunk_list(std::string_view body) {
  const Result<std::vector<std::string>> frames = frames_of(body, kMaxChunks);
  if (!frames) return std::unexpected(frames.error());
  if (frames->size() < 2) return fail(Code::kInvalidArgument, "a list of chunks that is cut");
  const Result<ChunkHead> head = decode_chunk_head(frames->front());
  if (!head) return std::unexpected(head.error());
  const ChunkSizes sizes = ChunkSizes::for_file(head->bytes);
  if (head->doublings != sizes.doublings) {
    return fail(Code::kInvalidArgument, fmt::format("chunks of up to {} bytes for a file of {}; at most {}",
                                                    ChunkSizes{head->doublings}.most(), head->bytes, sizes.most()));
  }
  ChunkList list{.head = *head, .chunks = {}, .hash = {}};
  std::uint64_t bytes = 0;
  for (std::size_t i = 1; i < frames->size(); ++i) {
    Result<ChunkAt> chunk = decode_chunk((*frames)[i]);
    if (!chunk) return std::unexpected(chunk.error());
    if (!list.hash.empty()) return fail(Code::kInvalidArgument, "a list of chunks that goes on behind its end");
    if (chunk->bytes > sizes.most()) {
      return fail(Code::kInvalidArgument, fmt::format("a chunk of {} bytes; at most {}", chunk->bytes, sizes.most()));
    }
    bytes += chunk->bytes;
    if (chunk->bytes == 0)
      list.hash = std::move(chunk->hash);
    else
      list.chunks.push_back(*std::move(chunk));
  }
  if (list.hash.empty() || bytes != head->bytes) return fail(Code::kInvalidArgument, "a list of chunks that is cut");
  return list;
}

std::string encode(const DeltaPart& part) {
  return Writer()
      .number(static_cast<std::uint8_t>(part.what))
      .number(part.offset)
      .number(part.length)
      .text(part.content)
      .take();
}

Result<DeltaPart> decode_delta_part(std::string_view frame) {
  Reader reader(frame);
  DeltaPart part{.what = reader.one_of<DeltaPart::What>(3)};
  part.offset = reader.number<std::uint64_t>();
  part.length = reader.number<std::uint64_t>();
  part.content = reader.text(kMaxSmallFile);
  if (part.what == DeltaPart::What::kEnd && part.content.size() != kHashBytes) {
    return fail(Code::kInvalidArgument, "the end of a delta says no hash");
  }
  return reader.ended(std::move(part));
}

std::string tree_digest_text(const std::map<std::string, Side>& below) {
  Writer writer;
  for (const auto& [path, side] : below) {
    writer.number(static_cast<std::uint8_t>(side.kind)).text(path).text(side.version);
  }
  return writer.take();
}

}  // namespace hearth::sync
