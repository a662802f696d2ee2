#include <algorithm>
#include <array>

#include "display/encoder.h"
extern "C" {
#include <x264.h>
}

namespace hearth::display {
namespace {

constexpr int kCoarsest = 42;
constexpr int kFramesPerSecond = 60;
// H.264, tables E-3 to E-5.
constexpr int kOfBt709 = 1;
constexpr int kOfSrgb = 13;
constexpr int kOfBt601 = 6;
constexpr int kDeblocking = -2;
constexpr float kQuality = 23;  // x264's CRF, while the rate allows it
// The same quantizer however little moves: else x264 spends on what stands still, beside a cursor that blinks, all that
// the rate allows. Finer pictures come once nothing moves.
constexpr float kSameForAll = 1;
// Of a picture that stands still, step by step: the last is as good as the original to the eye.
constexpr std::array<int, Encoder::kFinest> kStillQuantizers = {24, 18, 11};

void bound_rate(x264_param_t& parameters, std::uint32_t kbits) {
  // x264 goes beyond 51 where the rate is not to be held otherwise, and then lets whole changes fall away. So pictures
  // may be too large, and fewer of them go.
  parameters.rc.i_qp_max = kCoarsest;
  parameters.rc.i_vbv_max_bitrate = static_cast<int>(kbits);
  parameters.rc.i_vbv_buffer_size = static_cast<int>(std::max(kbits / 6, 100U));
}

x264_param_t parameters_for(Size size, std::uint32_t kbits) {
  x264_param_t parameters;
  x264_param_default_preset(&parameters, "ultrafast", "zerolatency");
  parameters.i_width = static_cast<int>(size.width);
  parameters.i_height = static_cast<int>(size.height);
  parameters.i_csp = X264_CSP_I420;
  parameters.i_fps_num = kFramesPerSecond;
  parameters.i_fps_den = 1;
  parameters.b_vfr_input = 0;
  parameters.i_keyint_max = X264_KEYINT_MAX_INFINITE;
  parameters.i_scenecut_threshold = 0;
  parameters.b_repeat_headers = 1;
  parameters.b_annexb = 1;
  // What ultrafast leaves out and is worth its price: with it a game's pictures take less of the processor, since less
  // is left to code, and a quarter fewer bits. Filtered by little, as text that moves wants it.
  parameters.b_deblocking_filter = 1;
  parameters.i_deblocking_filter_alphac0 = kDeblocking;
  parameters.i_deblocking_filter_beta = kDeblocking;
  parameters.analyse.i_me_method = X264_ME_HEX;
  parameters.i_threads = 2;
  parameters.b_sliced_threads = 1;
  parameters.i_log_level = X264_LOG_ERROR;
  // sRGB by the matrix of libyuv's ARGBToI420. Where the stream does not say so, decoders take one of 720 rows or more
  // for BT.709's.
  parameters.vui.i_colorprim = kOfBt709;
  parameters.vui.i_transfer = kOfSrgb;
  parameters.vui.i_colmatrix = kOfBt601;
  parameters.rc.i_rc_method = X264_RC_CRF;
  parameters.rc.f_rf_constant = kQuality;
  parameters.rc.f_qcompress = kSameForAll;
  bound_rate(parameters, kbits);
  x264_param_apply_profile(&parameters, "baseline");
  return parameters;
}

class H264Encoder : public Encoder {
 public:
  H264Encoder(const x264_param_t& parameters, x264_t* encoder) : parameters_(parameters), encoder_(encoder) {
    x264_picture_init(&picture_);
    picture_.img.i_csp = X264_CSP_I420;
    picture_.img.i_plane = 3;
  }
  ~H264Encoder() override { x264_encoder_close(encoder_); }

  void set_rate(std::uint32_t kbits) override {
    bound_rate(parameters_, kbits);
    x264_encoder_reconfig(encoder_, &parameters_);
  }

  Result<Unit> encode(Planes& planes, Wish wish) override {
    for (int which = 0; which < 3; ++which) {
      const Planes::Plane plane = planes.plane(which);
      picture_.img.plane[which] = plane.bytes;
      picture_.img.i_stride[which] = plane.stride;
    }
    picture_.i_type = wish.key ? X264_TYPE_IDR : X264_TYPE_AUTO;
    const int finer = std::clamp(wish.fineness, 0, kFinest);
    const int quantizer = finer == 0 ? -1 : kStillQuantizers[static_cast<std::size_t>(finer - 1)];
    picture_.i_qpplus1 = finer == 0 ? X264_QP_AUTO : quantizer + 1;
    ++picture_.i_pts;
    x264_nal_t* units = nullptr;
    int count = 0;
    x264_picture_t out;
    const int bytes = x264_encoder_encode(encoder_, &units, &count, &picture_, &out);
    if (bytes <= 0 || count == 0) return fail(Code::kInternal, "the encoder x264 gives no picture");
    // Row by row x264 takes a coarser quantizer than was asked for, so as to keep to its rate; this is the mean.
    const bool held_back = finer > 0 && out.prop.f_crf_avg > static_cast<double>(quantizer + 1);
    // The payloads of one picture lie behind each other.
    return Unit{{reinterpret_cast<const char*>(units[0].p_payload), static_cast<std::size_t>(bytes)},
                out.b_keyframe != 0,
                held_back};
  }

 private:
  x264_param_t parameters_;
  x264_t* encoder_;
  x264_picture_t picture_{};
};

}  // namespace

Result<std::unique_ptr<Encoder>> open_h264(Size size, std::uint32_t kbits) {
  x264_param_t parameters = parameters_for(size, kbits);
  x264_t* encoder = x264_encoder_open(&parameters);
  if (encoder == nullptr) return fail(Code::kInternal, "the encoder x264 does not start");
  return std::make_unique<H264Encoder>(parameters, encoder);
}

}  // namespace hearth::display
