// Pictures to H.264 (constrained baseline, by x264) or VP8 (by libvpx): no picture later than the one before, a key
// picture only when asked for.
#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "base/result.h"
#include "display/planes.h"
#include "hearth/v1/screen.pb.h"

namespace hearth::display {

class Encoder {
 public:
  // Errors: kInternal (x264 or libvpx does not open).
  static Result<std::unique_ptr<Encoder>> open(v1::Codec codec, Size size, std::uint32_t kbits);
  virtual ~Encoder() = default;
  Encoder(const Encoder&) = delete;
  Encoder& operator=(const Encoder&) = delete;

  // What a second of moving pictures may take.
  virtual void set_rate(std::uint32_t kbits) = 0;

  struct Wish {
    bool key = false;
    int fineness = 0;  // 0: as the rate allows; 1 to 3: sharper, since nothing moves and this costs once
  };
  struct Unit {
    std::string data;  // H.264: Annex B; VP8: a frame
    bool key = false;
    bool held_back = false;  // the rate did not allow the fineness that was wished for; asked for again, more comes
  };
  // Of the size that it was opened for. Errors: kInternal.
  virtual Result<Unit> encode(Planes& planes, Wish wish) = 0;

  static constexpr int kFinest = 3;

 protected:
  Encoder() = default;
};

Result<std::unique_ptr<Encoder>> open_h264(Size size, std::uint32_t kbits);
Result<std::unique_ptr<Encoder>> open_vp8(Size size, std::uint32_t kbits);

}  // namespace hearth::display
