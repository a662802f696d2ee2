// A picture as encoders take it: brightness, and colours at half the resolution (I420).
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

namespace hearth::display {

struct Size {
  std::uint32_t width = 0;  // even
  std::uint32_t height = 0;
  bool operator==(const Size&) const = default;
};

class Planes {
 public:
  // `bgrx`: rows of `stride` bytes, 4 for each pixel.
  void take(const std::uint8_t* bgrx, std::size_t stride, Size size);

  Size size() const { return size_; }
  struct Plane {
    std::uint8_t* bytes;  // rows of `stride` bytes
    int stride;
  };
  // Of brightness, of blue, of red, which lie behind each other; until the next take(). Encoders, which only read, want
  // them as if they were to be written.
  Plane plane(int which);

 private:
  Size size_;
  std::vector<std::uint8_t> bytes_;
};

}  // namespace hearth::display
