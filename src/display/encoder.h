// Pictures to H.264: constrained baseline, no picture later than the one before, a key picture only when asked for.
#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "base/result.h"

namespace hearth::display {

struct Size {
  std::uint32_t width = 0;  // even
  std::uint32_t height = 0;
  bool operator==(const Size&) const = default;
};

class Encoder {
 public:
  // Errors: kInternal (x264 does not open).
  static Result<std::unique_ptr<Encoder>> open(Size size, std::uint32_t kbits);
  ~Encoder();
  Encoder(const Encoder&) = delete;
  Encoder& operator=(const Encoder&) = delete;

  Size size() const;

  // What a second of moving pictures may take.
  void set_rate(std::uint32_t kbits);

  struct Wish {
    bool key = false;
    int fineness = 0;  // 0: as the rate allows; 1 to 3: sharper, since nothing moves and this costs once
  };
  struct Unit {
    std::string data;  // Annex B
    bool key = false;
  };
  // `bgrx`: rows of `stride` bytes, 4 for each pixel. Errors: kInternal.
  Result<Unit> encode(const std::uint8_t* bgrx, std::size_t stride, Wish wish);
  // Of the last picture, in microseconds.
  std::uint32_t colour_micros() const;

  static constexpr int kFinest = 3;

 private:
  struct State;
  explicit Encoder(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

}  // namespace hearth::display
