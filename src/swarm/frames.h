// What a node and its helper program hearth-swarm say to each other (proto/hearth/v1/swarm.proto), and its limits. Used
// at both ends, each of which takes the other for an attacker: the helper speaks with strangers' programs.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "base/result.h"
#include "hearth/v1/swarm.pb.h"

namespace hearth::swarm {

inline constexpr std::size_t kNameBytes = 32;
inline constexpr std::size_t kKeyBytes = 32;
inline constexpr std::uint64_t kMaxBytes = 64ULL << 30;
inline constexpr std::uint32_t kLeastPieceBytes = 256 << 10;
inline constexpr std::uint32_t kMaxPieceBytes = 4 << 20;
inline constexpr int kMaxPeers = 32;
inline constexpr std::size_t kMaxFrameBytes = kMaxPieceBytes + (64 << 10);

// Bytes of a stream become whole frames.
class FrameReader {
 public:
  // Errors: kInvalidArgument (longer than kMaxFrameBytes); nothing can be read any more then.
  Result<void> push(std::string_view bytes);
  // The next whole frame's content.
  std::optional<std::string> next();

 private:
  std::string bytes_;
  bool failed_ = false;
};

// The message as a frame.
std::string frame_of(const google::protobuf::MessageLite& message);

// Errors of all: kInvalidArgument, with what is wrong.
Result<v1::SwarmOrder> parse_order(const std::string& frame);
Result<v1::SwarmNews> parse_news(const std::string& frame);
Result<void> check_layout(const v1::SwarmLayout& layout);
Result<void> check_swarm(const v1::Swarm& swarm);
Result<void> check_peers(const v1::SwarmPeers& peers);

// Of a good layout.
std::uint32_t pieces_of(const v1::SwarmLayout& layout);
std::uint64_t bytes_of_piece(const v1::SwarmLayout& layout, std::uint32_t index);

}  // namespace hearth::swarm
