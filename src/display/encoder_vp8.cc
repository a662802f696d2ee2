#include <algorithm>
#include <array>
#include <utility>

#include <vpx/vp8cx.h>
#include <vpx/vpx_encoder.h>

#include "display/encoder.h"

namespace hearth::display {
namespace {

constexpr int kFramesPerSecond = 60;
// The cheapest that finds where a text has scrolled to: without that it takes three times the bits and costs as much.
// Below zero: it is kept to, however much time there is.
constexpr int kSpeed = -6;
// libvpx's quantizers go from 0 to 63; with the last a picture looks as with x264's coarsest.
constexpr unsigned kFine = 12;  // no finer while it moves, whatever the rate allows
constexpr unsigned kCoarsest = 63;
// Of a picture that stands still, step by step: the last is as good as the original to the eye.
constexpr std::array<unsigned, Encoder::kFinest> kStillQuantizers = {16, 8, 2};
constexpr unsigned kSameBelow = 100;   // what differs less is not encoded anew, while it moves
constexpr unsigned kKeyPercent = 900;  // of a picture's part of the rate: what a key picture may take
constexpr unsigned kBufferMillis = 170;
constexpr unsigned kFullMillis = 120;  // what the buffer is to hold

vpx_codec_enc_cfg_t parameters_for(Size size, std::uint32_t kbits) {
  vpx_codec_enc_cfg_t parameters;
  vpx_codec_enc_config_default(vpx_codec_vp8_cx(), &parameters, 0);
  parameters.g_w = size.width;
  parameters.g_h = size.height;
  parameters.g_timebase = {1, kFramesPerSecond};
  parameters.g_threads = 1;  // two wait for each other, by turning round, for longer than they work
  parameters.g_lag_in_frames = 0;
  parameters.g_error_resilient = 0;
  parameters.rc_end_usage = VPX_CBR;
  parameters.rc_dropframe_thresh = 0;
  parameters.rc_min_quantizer = kFine;
  parameters.rc_max_quantizer = kCoarsest;
  parameters.rc_target_bitrate = kbits;
  parameters.rc_buf_sz = kBufferMillis;
  parameters.rc_buf_initial_sz = kBufferMillis;
  parameters.rc_buf_optimal_sz = kFullMillis;
  parameters.kf_mode = VPX_KF_DISABLED;
  return parameters;
}

class Vp8Encoder : public Encoder {
 public:
  explicit Vp8Encoder(const vpx_codec_enc_cfg_t& parameters) : parameters_(parameters) {}
  ~Vp8Encoder() override {
    if (opened_) vpx_codec_destroy(&codec_);
  }

  bool open() {
    opened_ = vpx_codec_enc_init(&codec_, vpx_codec_vp8_cx(), &parameters_, 0) == VPX_CODEC_OK;
    return opened_ && set(VP8E_SET_CPUUSED, kSpeed) && set(VP8E_SET_STATIC_THRESHOLD, kSameBelow) &&
           set(VP8E_SET_MAX_INTRA_BITRATE_PCT, kKeyPercent) && set(VP8E_SET_SCREEN_CONTENT_MODE, 1);
  }

  void set_rate(std::uint32_t kbits) override {
    parameters_.rc_target_bitrate = kbits;
    vpx_codec_enc_config_set(&codec_, &parameters_);
  }

  Result<Unit> encode(Planes& planes, Wish wish) override {
    vpx_image_t picture;  // a view of the planes, which lie behind each other
    vpx_img_wrap(&picture, VPX_IMG_FMT_I420, parameters_.g_w, parameters_.g_h, 1, planes.plane(0).bytes);
    refine(std::clamp(wish.fineness, 0, kFinest));
    const vpx_enc_frame_flags_t flags = wish.key ? VPX_EFLAG_FORCE_KF : 0;
    if (vpx_codec_encode(&codec_, &picture, time_++, 1, flags, VPX_DL_REALTIME) != VPX_CODEC_OK) {
      return fail(Code::kInternal, "the encoder libvpx gives no picture");
    }
    vpx_codec_iter_t at = nullptr;
    while (const vpx_codec_cx_pkt_t* packet = vpx_codec_get_cx_data(&codec_, &at)) {
      if (packet->kind != VPX_CODEC_CX_FRAME_PKT) continue;
      const auto& frame = packet->data.frame;
      return Unit{{static_cast<const char*>(frame.buf), frame.sz}, (frame.flags & VPX_FRAME_IS_KEY) != 0};
    }
    return fail(Code::kInternal, "the encoder libvpx gives no picture");
  }

 private:
  template <class Value>
  bool set(int what, Value value) {
    return vpx_codec_control_(&codec_, what, value) == VPX_CODEC_OK;
  }

  void refine(int fineness) {
    if (std::exchange(fineness_, fineness) == fineness) return;
    const bool still = fineness > 0;
    const unsigned quantizer = still ? kStillQuantizers[static_cast<std::size_t>(fineness - 1)] : 0;
    parameters_.rc_min_quantizer = still ? quantizer : kFine;
    parameters_.rc_max_quantizer = still ? quantizer : kCoarsest;
    // At a constant rate libvpx lets the quantizer fall by a step for each picture, and there are but three.
    parameters_.rc_end_usage = still ? VPX_VBR : VPX_CBR;
    vpx_codec_enc_config_set(&codec_, &parameters_);
    set(VP8E_SET_STATIC_THRESHOLD, still ? 0U : kSameBelow);
  }

  vpx_codec_enc_cfg_t parameters_;
  vpx_codec_ctx_t codec_{};
  bool opened_ = false;
  vpx_codec_pts_t time_ = 0;
  int fineness_ = 0;
};

}  // namespace

Result<std::unique_ptr<Encoder>> open_vp8(Size size, std::uint32_t kbits) {
  auto encoder = std::make_unique<Vp8Encoder>(parameters_for(size, kbits));
  if (!encoder->open()) return fail(Code::kInternal, "the encoder libvpx does not start");
  return encoder;
}

}  // namespace hearth::display
