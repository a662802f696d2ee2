// What happened, line by line: the last lines for people, and a hash of all of them, by which two runs are compared.
#pragma once

#include <concepts>
#include <cstdint>
#include <deque>
#include <string>
#include <string_view>

#include "base/ids.h"
#include "base/time.h"

namespace hearth::sim {

inline std::string text_of(std::string_view text) { return std::string(text); }
inline std::string text_of(std::integral auto number) { return std::to_string(number); }
inline std::string text_of(DeviceId id) { return "#" + std::to_string(id.value); }
inline std::string text_of(JobId id) { return "job " + std::to_string(id.value); }
inline std::string text_of(TaskId id) { return std::to_string(id.job.value) + "." + std::to_string(id.index); }
inline std::string text_of(AttemptId id) { return text_of(id.task) + "/" + std::to_string(id.epoch); }

class EventLog {
 public:
  // Parts are texts, numbers and ids.
  template <class... Parts>
  void add(Time now, const Parts&... parts) {
    std::string line = std::to_string(now.micros);
    ((line += ' ', line += text_of(parts)), ...);
    append(std::move(line));
  }

  std::uint64_t hash() const { return hash_; }
  std::uint64_t lines() const { return lines_; }
  const std::deque<std::string>& tail() const { return tail_; }

 private:
  void append(std::string line);

  static constexpr std::size_t kTail = 80;
  std::uint64_t hash_ = 0xcbf29ce484222325U;
  std::uint64_t lines_ = 0;
  std::deque<std::string> tail_;
};

}  // namespace hearth::sim
