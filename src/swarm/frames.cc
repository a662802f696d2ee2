#include "swarm/frames.h"

#include <algorithm>
#include <bit>

namespace hearth::swarm {
namespace {

constexpr std::size_t kLengthBytes = 4;
constexpr std::size_t kHashBytes = 20;
constexpr std::size_t kMaxEndpointBytes = 64;
constexpr std::size_t kMaxErrorBytes = 1 << 10;

std::size_t length_of(std::string_view bytes) {
  std::size_t length = 0;
  for (const char byte : bytes.substr(0, kLengthBytes)) length = length << 8 | static_cast<unsigned char>(byte);
  return length;
}

std::unexpected<Error> wrong(std::string_view what) {
  return fail(Code::kInvalidArgument, "a swarm's " + std::string(what));
}

Result<void> check_name(const std::string& name) {
  return name.size() == kNameBytes ? Result<void>() : wrong("name has 32 bytes");
}

template <class Strings>
Result<void> check_endpoints(const Strings& peers) {
  if (peers.size() > kMaxPeers) return wrong("peers are 32 at most");
  const bool fit = std::ranges::all_of(peers, [](const auto& peer) { return peer.size() <= kMaxEndpointBytes; });
  return fit ? Result<void>() : wrong("peer is an address and a port");
}

}  // namespace

Result<void> FrameReader::push(std::string_view bytes) {
  if (!failed_) bytes_.append(bytes);
  failed_ = failed_ || (bytes_.size() >= kLengthBytes && length_of(bytes_) > kMaxFrameBytes);
  return failed_ ? wrong("frame is too long") : Result<void>();
}

std::optional<std::string> FrameReader::next() {
  if (failed_ || bytes_.size() < kLengthBytes) return std::nullopt;
  const std::size_t length = length_of(bytes_);
  failed_ = length > kMaxFrameBytes;
  if (failed_ || bytes_.size() - kLengthBytes < length) return std::nullopt;
  std::string frame = bytes_.substr(kLengthBytes, length);
  bytes_.erase(0, kLengthBytes + length);
  return frame;
}

std::string frame_of(const google::protobuf::MessageLite& message) {
  const std::string content = message.SerializeAsString();
  std::string frame;
  for (int shift = 24; shift >= 0; shift -= 8) frame.push_back(static_cast<char>(content.size() >> shift & 0xff));
  return frame + content;
}

Result<void> check_layout(const v1::SwarmLayout& layout) {
  if (Result<void> name = check_name(layout.name()); !name) return name;
  if (layout.size() == 0 || layout.size() > kMaxBytes) return wrong("size is 1 byte to 64 GiB");
  const std::uint32_t piece = layout.piece_bytes();
  if (!std::has_single_bit(piece) || piece < kLeastPieceBytes || piece > kMaxPieceBytes) {
    return wrong("pieces have 256 KiB to 4 MiB");
  }
  if (layout.hashes().size() != kHashBytes * pieces_of(layout)) return wrong("pieces have a hash each");
  return {};
}

Result<void> check_peers(const v1::SwarmPeers& peers) {
  Result<void> name = check_name(peers.name());
  return name ? check_endpoints(peers.peers()) : name;
}

Result<void> check_swarm(const v1::Swarm& swarm) {
  if (Result<void> name = check_name(swarm.name()); !name) return name;
  if (swarm.key().size() != kKeyBytes || swarm.blob().sha256().size() != 32) return wrong("key and blob have 32 bytes");
  if (swarm.blob().size() == 0 || swarm.blob().size() > kMaxBytes) return wrong("size is 1 byte to 64 GiB");
  return check_endpoints(swarm.peers());
}

Result<v1::SwarmOrder> parse_order(const std::string& frame) {
  v1::SwarmOrder order;
  if (!order.ParseFromString(frame)) return wrong("order cannot be read");
  Result<void> checked;
  switch (order.order_case()) {
    case v1::SwarmOrder::kBegin:
      if (order.begin().port() > 65'535) checked = wrong("port is 0 to 65535");
      break;
    case v1::SwarmOrder::kJoin:
      checked = check_layout(order.join().layout());
      break;
    case v1::SwarmOrder::kPeers:
      checked = check_peers(order.peers());
      break;
    case v1::SwarmOrder::kPiece:
      checked = check_name(order.piece().name());
      break;
    case v1::SwarmOrder::kLeave:
      checked = check_name(order.leave());
      break;
    case v1::SwarmOrder::kUploadBytesPerSecond:
      break;
    case v1::SwarmOrder::ORDER_NOT_SET:
      checked = wrong("order is missing");
  }
  if (!checked) return std::unexpected(checked.error());
  return order;
}

Result<v1::SwarmNews> parse_news(const std::string& frame) {
  v1::SwarmNews news;
  if (!news.ParseFromString(frame)) return wrong("news cannot be read");
  Result<void> checked;
  switch (news.news_case()) {
    case v1::SwarmNews::kListening:
      if (news.listening() > 65'535) checked = wrong("port is 0 to 65535");
      break;
    case v1::SwarmNews::kWanted:
      checked = check_name(news.wanted().name());
      break;
    case v1::SwarmNews::kProgress:
      checked = check_name(news.progress().name());
      if (news.progress().error().size() > kMaxErrorBytes)
        news.mutable_progress()->mutable_error()->resize(kMaxErrorBytes);
      break;
    case v1::SwarmNews::NEWS_NOT_SET:
      checked = wrong("news are missing");
  }
  if (!checked) return std::unexpected(checked.error());
  return news;
}

std::uint32_t pieces_of(const v1::SwarmLayout& layout) {
  return static_cast<std::uint32_t>((layout.size() + layout.piece_bytes() - 1) / layout.piece_bytes());
}

std::uint64_t bytes_of_piece(const v1::SwarmLayout& layout, std::uint32_t index) {
  const std::uint64_t offset = std::uint64_t{index} * layout.piece_bytes();
  return std::min<std::uint64_t>(layout.piece_bytes(), layout.size() - std::min(layout.size(), offset));
}

}  // namespace hearth::swarm
