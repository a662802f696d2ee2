// Requests in JSON: whatever is accepted means the same after it was written and read again.
#include <cstdint>
#include <string_view>

#include <google/protobuf/util/message_differencer.h>

#include "base/check.h"
#include "hearth/v1/jobs.pb.h"
#include "net/connect_codec.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using hearth::net::Codec;
  const std::string_view input(reinterpret_cast<const char*>(data), size);
  hearth::v1::SubmitRequest binary;
  (void)hearth::net::decode_message(Codec::kProto, input, binary);
  hearth::v1::SubmitRequest request;
  if (!hearth::net::decode_message(Codec::kJson, input, request)) return 0;
  const auto json = hearth::net::encode_message(Codec::kJson, request);
  if (!json) return 0;  // a string that is no UTF-8
  hearth::v1::SubmitRequest again;
  CHECK(hearth::net::decode_message(Codec::kJson, *json, again).has_value());
  CHECK(google::protobuf::util::MessageDifferencer::Equals(request, again));
  return 0;
}
