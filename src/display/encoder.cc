#include "display/encoder.h"

#include <algorithm>
#include <array>
#include <chrono>

#include <libyuv/convert.h>
extern "C" {
#include <x264.h>
}

namespace hearth::display {
namespace {

using Clock = std::chrono::steady_clock;

constexpr int kCoarsest = 42;
constexpr int kFramesPerSecond = 60;
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
  parameters.i_threads = 2;
  parameters.b_sliced_threads = 1;
  parameters.i_log_level = X264_LOG_ERROR;
  parameters.rc.i_rc_method = X264_RC_CRF;
  parameters.rc.f_rf_constant = kQuality;
  parameters.rc.f_qcompress = kSameForAll;
  bound_rate(parameters, kbits);
  x264_param_apply_profile(&parameters, "baseline");
  return parameters;
}

}  // namespace

struct Encoder::State {
  Size size;
  x264_param_t parameters{};
  x264_t* encoder = nullptr;
  x264_picture_t picture{};
  std::uint32_t colour_micros = 0;

  ~State() {
    if (encoder == nullptr) return;
    x264_picture_clean(&picture);
    x264_encoder_close(encoder);
  }
};

Encoder::Encoder(std::unique_ptr<State> state) : state_(std::move(state)) {}
Encoder::~Encoder() = default;
Size Encoder::size() const { return state_->size; }
std::uint32_t Encoder::colour_micros() const { return state_->colour_micros; }

Result<std::unique_ptr<Encoder>> Encoder::open(Size size, std::uint32_t kbits) {
  auto state = std::make_unique<State>();
  state->size = size;
  state->parameters = parameters_for(size, kbits);
  x264_picture_t picture;
  if (x264_picture_alloc(&picture, X264_CSP_I420, state->parameters.i_width, state->parameters.i_height) != 0) {
    return fail(Code::kInternal, "there is no memory for pictures");
  }
  state->encoder = x264_encoder_open(&state->parameters);
  if (state->encoder == nullptr) {
    x264_picture_clean(&picture);
    return fail(Code::kInternal, "the encoder x264 does not start");
  }
  state->picture = picture;
  return std::unique_ptr<Encoder>(new Encoder(std::move(state)));
}

void Encoder::set_rate(std::uint32_t kbits) {
  bound_rate(state_->parameters, kbits);
  x264_encoder_reconfig(state_->encoder, &state_->parameters);
}

Result<Encoder::Unit> Encoder::encode(const std::uint8_t* bgrx, std::size_t stride, Wish wish) {
  const Clock::time_point begun = Clock::now();
  x264_picture_t& picture = state_->picture;
  const auto& planes = picture.img;
  libyuv::ARGBToI420(bgrx, static_cast<int>(stride), planes.plane[0], planes.i_stride[0], planes.plane[1],
                     planes.i_stride[1], planes.plane[2], planes.i_stride[2], state_->parameters.i_width,
                     state_->parameters.i_height);
  state_->colour_micros =
      static_cast<std::uint32_t>(std::chrono::duration_cast<std::chrono::microseconds>(Clock::now() - begun).count());
  picture.i_type = wish.key ? X264_TYPE_IDR : X264_TYPE_AUTO;
  const int finer = std::clamp(wish.fineness, 0, kFinest);
  picture.i_qpplus1 = finer == 0 ? X264_QP_AUTO : kStillQuantizers[static_cast<std::size_t>(finer - 1)] + 1;
  ++picture.i_pts;
  x264_nal_t* units = nullptr;
  int count = 0;
  x264_picture_t out;
  const int bytes = x264_encoder_encode(state_->encoder, &units, &count, &picture, &out);
  if (bytes <= 0 || count == 0) return fail(Code::kInternal, "the encoder x264 gives no picture");
  // The payloads of one picture lie behind each other.
  return Unit{{reinterpret_cast<const char*>(units[0].p_payload), static_cast<std::size_t>(bytes)},
              out.b_keyframe != 0};
}

}  // namespace hearth::display
