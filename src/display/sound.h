// The app's sound both ways, through two pipes of its PulseAudio: what the app plays becomes packets of Opus, the
// viewer's voice is what it records.
#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "hearth/v1/screen.pb.h"

namespace hearth::display {

inline constexpr const char* kPlayedPipe = "played";      // 48,000 samples of 2 channels in a second, signed 16 bits
inline constexpr const char* kRecordedPipe = "recorded";  // of 1 channel

class Sound {
 public:
  // `directory`: where both pipes are. Errors: kUnavailable (there is no sound), kInternal (Opus does not open).
  static Result<std::unique_ptr<Sound>> open(const std::filesystem::path& directory);
  ~Sound();
  Sound(const Sound&) = delete;
  Sound& operator=(const Sound&) = delete;

  int file() const;  // readable when something was played

  // What was played since; without what nobody could hear. `now_micros`: of a clock that never goes back.
  std::vector<v1::Sound> take(std::int64_t now_micros);
  // What was played while nobody listened is not heard later.
  void forget();

  // One packet of a viewer's voice; what is no Opus is passed over.
  void record(std::string_view opus);

 private:
  struct State;
  explicit Sound(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

}  // namespace hearth::display
