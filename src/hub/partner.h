// The way to the hub that keeps the other copy of this pool: greets it every second, and carries what the store has to
// hand over. On a thread and loop of its own, since the store waits for it where nothing else may have to.
#pragma once

#include <filesystem>
#include <memory>
#include <optional>
#include <string>

#include "base/result.h"
#include "hearth/v1/hubs.pb.h"
#include "store/shared.h"

namespace hearth::hub {

inline constexpr const char* kGreetPath = "/hub/greet";
inline constexpr const char* kCommitsPath = "/hub/commits";
inline constexpr const char* kCopyPath = "/hub/copy";
inline constexpr const char* kWitnessPath = "/hub/witness";
inline constexpr std::size_t kMaxPassedBytes = std::size_t{64} << 20U;
inline constexpr std::size_t kMaxGreetingBytes = std::size_t{64} << 10U;

// Any thread.
class Partner {
 public:
  Partner(store::HubRow partner, v1::Greeting mine);
  ~Partner();
  Partner(const Partner&) = delete;
  Partner& operator=(const Partner&) = delete;

  const std::string& identity() const;
  // As it says of itself now.
  store::HubRow row() const;

  // What it is greeted with from now on.
  void say(v1::Greeting mine);
  // What it said last; none if it has been silent for kHoldSpan, or was never heard.
  std::optional<v1::Greeting> heard() const;
  // It has answered a greeting that was sent within kHoldSpan, this PC's sleep included, and does not hold the pool.
  bool has_just_answered() const;
  // It called us.
  void hear(const v1::Greeting& greeting);
  // It was heard, or could not be reached: blocks for a few seconds at most, once after the start.
  void await_first_greeting();
  // It says that it is not our partner.
  bool refuses() const;

  // Blocks until it has answered, for some seconds at most. Errors: kUnavailable.
  Result<v1::Greeting> pass_on(const v1::PassOn& commits);

  // Sends the file and removes it; does not block.
  void send_copy(const std::filesystem::path& file);
  bool is_sending() const;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

store::HubRow row_of(const v1::HubCard& card);
v1::HubCard card_of(const store::HubRow& row);

}  // namespace hearth::hub
