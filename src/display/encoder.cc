#include "display/encoder.h"

namespace hearth::display {

Result<std::unique_ptr<Encoder>> Encoder::open(v1::Codec codec, Size size, std::uint32_t kbits) {
  return codec == v1::CODEC_VP8 ? open_vp8(size, kbits) : open_h264(size, kbits);
}

}  // namespace hearth::display
