#include "display/sound.h"

#include <algorithm>
#include <array>
#include <cerrno>
#include <string>

#include <fcntl.h>
#include <opus/opus.h>
#include <sys/stat.h>
#include <unistd.h>

#include "screen/frames.h"

namespace hearth::display {
namespace {

constexpr int kRate = 48'000;
constexpr int kChannels = 2;
constexpr int kPacketSamples = kRate / 100;
constexpr std::size_t kPacketBytes = sizeof(std::int16_t) * kChannels * kPacketSamples;
constexpr int kBitsPerSecond = 96'000;
constexpr int kComplexity = 5;
constexpr int kSilentPackets = 20;              // so many are heard still, then there are none
constexpr std::int64_t kPauseMicros = 100'000;  // without a sample: the app was silent
constexpr int kMaxVoiceSamples = kRate * 120 / 1'000;
constexpr int kVoicePipeBytes = 4'096;  // 43 ms: what nobody records is not heard later

struct Freer {
  void operator()(OpusEncoder* encoder) const { opus_encoder_destroy(encoder); }
  void operator()(OpusDecoder* decoder) const { opus_decoder_destroy(decoder); }
};

// For reading and writing, so that it has another end even while PulseAudio is away.
int open_pipe(const std::filesystem::path& path) {
  struct stat found{};
  if (::stat(path.c_str(), &found) != 0 || !S_ISFIFO(found.st_mode)) return -1;
  return ::open(path.c_str(), O_RDWR | O_NONBLOCK | O_CLOEXEC);
}

}  // namespace

struct Sound::State {
  int played = -1;
  int recorded = -1;  // opened when there is a voice
  std::filesystem::path recording;
  std::unique_ptr<OpusEncoder, Freer> encoder;
  std::unique_ptr<OpusDecoder, Freer> decoder;
  std::string bytes;  // less than a packet
  std::uint64_t samples = 0;
  std::int64_t heard_micros = 0;
  int silent = kSilentPackets;

  ~State() {
    if (played >= 0) ::close(played);
    if (recorded >= 0) ::close(recorded);
  }
  bool read();
  void encode(std::string_view pcm, std::vector<v1::Sound>& packets);
};

Result<std::unique_ptr<Sound>> Sound::open(const std::filesystem::path& directory) {
  auto state = std::make_unique<State>();
  state->played = open_pipe(directory / kPlayedPipe);
  state->recording = directory / kRecordedPipe;
  if (state->played < 0) return fail(Code::kUnavailable, "the app has no sound");
  int error = 0;
  state->encoder.reset(opus_encoder_create(kRate, kChannels, OPUS_APPLICATION_RESTRICTED_LOWDELAY, &error));
  state->decoder.reset(opus_decoder_create(kRate, 1, &error));
  if (!state->encoder || !state->decoder) return fail(Code::kInternal, "Opus does not open");
  opus_encoder_ctl(state->encoder.get(), OPUS_SET_BITRATE(kBitsPerSecond));
  opus_encoder_ctl(state->encoder.get(), OPUS_SET_COMPLEXITY(kComplexity));
  return std::unique_ptr<Sound>(new Sound(std::move(state)));
}

Sound::Sound(std::unique_ptr<State> state) : state_(std::move(state)) {}
Sound::~Sound() = default;

int Sound::file() const { return state_->played; }

bool Sound::State::read() {
  std::array<char, 16 << 10> buffer{};
  const ssize_t count = ::read(played, buffer.data(), buffer.size());
  if (count > 0) bytes.append(buffer.data(), static_cast<std::size_t>(count));
  return count > 0;
}

void Sound::State::encode(std::string_view pcm, std::vector<v1::Sound>& packets) {
  const bool nothing = std::ranges::all_of(pcm, [](char byte) { return byte == 0; });
  silent = nothing ? std::min(silent + 1, kSilentPackets) : 0;
  const std::uint64_t first = samples;
  samples += kPacketSamples;
  if (silent >= kSilentPackets) return;
  std::array<std::int16_t, std::size_t{kChannels} * kPacketSamples> values{};
  std::copy_n(pcm.data(), pcm.size(), reinterpret_cast<char*>(values.data()));
  std::array<unsigned char, screen::kMaxSoundBytes> packet{};
  const int size =
      opus_encode(encoder.get(), values.data(), kPacketSamples, packet.data(), static_cast<opus_int32>(packet.size()));
  if (size <= 0) return;
  v1::Sound& sound = packets.emplace_back();
  sound.set_samples(first);
  sound.set_opus(packet.data(), static_cast<std::size_t>(size));
}

std::vector<v1::Sound> Sound::take(std::int64_t now_micros) {
  std::vector<v1::Sound> packets;
  if (!state_->read()) return packets;
  // PulseAudio plays nothing while no program does: the time passes all the same.
  if (now_micros - state_->heard_micros > kPauseMicros) {
    state_->samples = std::max(state_->samples, static_cast<std::uint64_t>(now_micros) * kRate / 1'000'000);
  }
  state_->heard_micros = now_micros;
  std::string_view rest = state_->bytes;
  for (; rest.size() >= kPacketBytes; rest.remove_prefix(kPacketBytes)) {
    state_->encode(rest.substr(0, kPacketBytes), packets);
  }
  state_->bytes = std::string(rest);
  return packets;
}

void Sound::forget() {
  while (state_->read()) state_->bytes.clear();
  state_->bytes.clear();
}

void Sound::record(std::string_view opus) {
  std::array<std::int16_t, kMaxVoiceSamples> values{};
  const int samples =
      opus_decode(state_->decoder.get(), reinterpret_cast<const unsigned char*>(opus.data()),
                  static_cast<opus_int32>(opus.size()), values.data(), static_cast<int>(values.size()), 0);
  if (samples <= 0) return;
  if (state_->recorded < 0) {
    state_->recorded = open_pipe(state_->recording);
    if (state_->recorded < 0) return;
    ::fcntl(state_->recorded, F_SETPIPE_SZ, kVoicePipeBytes);
  }
  // What the pipe has no room for is lost: nobody records.
  static_cast<void>(::write(state_->recorded, values.data(), sizeof(std::int16_t) * static_cast<std::size_t>(samples)));
}

}  // namespace hearth::display
