#include "display/planes.h"

#include <libyuv/convert.h>

namespace hearth::display {

void Planes::take(const std::uint8_t* bgrx, std::size_t stride, Size size) {
  size_ = size;
  const std::size_t pixels = std::size_t{size.width} * size.height;
  bytes_.resize(pixels + pixels / 2);
  const Plane brightness = plane(0);
  const Plane blue = plane(1);
  const Plane red = plane(2);
  libyuv::ARGBToI420(bgrx, static_cast<int>(stride), brightness.bytes, brightness.stride, blue.bytes, blue.stride,
                     red.bytes, red.stride, static_cast<int>(size.width), static_cast<int>(size.height));
}

Planes::Plane Planes::plane(int which) {
  const int width = static_cast<int>(size_.width);
  if (which == 0) return {bytes_.data(), width};
  const std::size_t pixels = std::size_t{size_.width} * size_.height;
  return {bytes_.data() + pixels + (which == 1 ? 0 : pixels / 4), width / 2};
}

}  // namespace hearth::display
