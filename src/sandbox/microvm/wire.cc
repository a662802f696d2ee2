#include "sandbox/microvm/wire.h"

#include <algorithm>

namespace hearth::sandbox::wire {
namespace {

template <class Number>
void put(char* at, Number number) {
  for (std::size_t i = 0; i < sizeof number; ++i) at[i] = static_cast<char>(number >> (8 * i) & 0xFF);
}

template <class Number>
Number get(const char* at) {
  std::uint64_t number = 0;
  for (std::size_t i = 0; i < sizeof(Number); ++i) {
    number |= static_cast<std::uint64_t>(static_cast<unsigned char>(at[i])) << (8 * i);
  }
  return static_cast<Number>(number);
}

}  // namespace

std::array<char, kHeaderBytes> encode(const Header& header) {
  std::array<char, kHeaderBytes> bytes{};
  bytes[0] = static_cast<char>(header.kind);
  bytes[1] = static_cast<char>(header.flags);
  put(&bytes[2], header.name_bytes);
  put(&bytes[4], header.number);
  put(&bytes[8], header.size);
  return bytes;
}

Result<Header> decode(std::string_view bytes) {
  if (bytes.size() < kHeaderBytes) return fail(Code::kInvalidArgument, "a record is cut short");
  auto kind = static_cast<unsigned char>(bytes[0]);
  if (kind > static_cast<unsigned char>(kLastKind)) return fail(Code::kInvalidArgument, "a record of no known kind");
  Header header{.kind = static_cast<Kind>(kind),
                .flags = static_cast<std::uint8_t>(bytes[1]),
                .name_bytes = get<std::uint16_t>(&bytes[2]),
                .number = get<std::uint32_t>(&bytes[4]),
                .size = get<std::uint64_t>(&bytes[8])};
  if (header.name_bytes > kMaxNameBytes) return fail(Code::kInvalidArgument, "a record's name is too long");
  return header;
}

Result<void> Reader::begin_record() {
  Result<void> done = sink_.on_record(header_, std::string_view(head_).substr(kHeaderBytes));
  head_.clear();
  if (!done) return done;
  left_ = header_.size;
  in_content_ = left_ > 0;
  ended_ = header_.kind == Kind::kEnd;
  return in_content_ ? Result<void>() : sink_.on_record_end();
}

Result<void> Reader::take_content(std::string_view& bytes) {
  std::string_view piece = bytes.substr(0, std::min<std::uint64_t>(bytes.size(), left_));
  bytes.remove_prefix(piece.size());
  left_ -= piece.size();
  if (Result<void> done = sink_.on_content(piece); !done) return done;
  if (left_ > 0) return {};
  in_content_ = false;
  return sink_.on_record_end();
}

Result<void> Reader::feed(std::string_view bytes) {
  while (!bytes.empty() && !ended_) {
    if (in_content_) {
      if (Result<void> done = take_content(bytes); !done) return done;
      continue;
    }
    bool has_header = head_.size() >= kHeaderBytes;
    std::size_t wanted = kHeaderBytes + (has_header ? header_.name_bytes : 0);
    std::string_view part = bytes.substr(0, wanted - head_.size());
    head_ += part;
    bytes.remove_prefix(part.size());
    if (!has_header && head_.size() == kHeaderBytes) {
      Result<Header> header = decode(head_);
      if (!header) return std::unexpected(header.error());
      header_ = *header;
      wanted += header_.name_bytes;
    }
    if (head_.size() < wanted || head_.size() < kHeaderBytes) continue;
    if (Result<void> done = begin_record(); !done) return done;
  }
  return {};
}

}  // namespace hearth::sandbox::wire
