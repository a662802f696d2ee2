#include "sim/event_log.h"

namespace hearth::sim {

void EventLog::append(std::string line) {
  for (const char c : line) {
    hash_ ^= static_cast<unsigned char>(c);
    hash_ *= 0x100000001b3U;
  }
  ++lines_;
  tail_.push_back(std::move(line));
  if (tail_.size() > kTail) tail_.pop_front();
}

}  // namespace hearth::sim
