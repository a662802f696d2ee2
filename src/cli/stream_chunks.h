// The mind of `hearth map --stream`: cuts an endless stream of lines into chunks, each the work of one task, and puts
// their answers together again in the lines' order, exactly one for each. Pure.
//
// A chunk is to be about half a second of work, as measured by those before it: small enough to be spread over the
// pool and to be repeated, large enough that starting a process costs little beside it. What starting costs is measured
// by probes, chunks without a line. One whose worker died, or did
// not answer each line with one, is cut in halves that are tried again, until a single line is left that kills its
// worker alone.
#pragma once

#include <cstdint>
#include <deque>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/time.h"

namespace hearth::cli {

struct Chunk {
  std::uint64_t first = 0;  // its first line's number, from 1
  std::uint64_t lines = 0;  // 0: a probe
  std::string text;         // whole lines
  bool is_half = false;     // of one that failed
};

// The line that no worker survives.
struct Culprit {
  std::uint64_t line = 0;
  std::string text;
  std::string why;
};

class StreamChunks {
 public:
  struct Options {
    Duration work = milliseconds(500);      // of a chunk
    std::uint64_t first_lines = 16;         // of the first chunks
    std::uint64_t most_lines = 1'000'000;   // of a chunk
    std::uint64_t most_bytes = 4 << 20;     // of a chunk, but that one line may be longer
    std::uint64_t most_waiting = 64 << 20;  // bytes read ahead of the first line without an answer
  };
  explicit StreamChunks(const Options& options) : options_(options), target_(options.first_lines) {}

  // Whether more should be read now: what waits is bounded.
  bool wants_input() const { return !ended_ && held_ < options_.most_waiting; }
  void add(std::string_view bytes);
  void end_input();  // a last line without a line break counts as one

  // The next chunk to be sent; a probe goes alone. Without `partial` a chunk that more lines may still join is not
  // given.
  std::optional<Chunk> next(bool partial);

  // What became of one that was given.
  void answered(const Chunk& chunk, std::string answers, Duration took);
  void died(const Chunk& chunk, const std::string& why);

  // Answers whose turn has come.
  std::string take_answers();

  std::uint64_t in_flight() const { return in_flight_; }
  bool done() const { return ended_ && count_ == 0 && halves_.empty() && in_flight_ == 0; }
  // Once there is one, everything before it may still be answered, and nothing after it counts.
  const std::optional<Culprit>& culprit() const { return culprit_; }
  bool all_answered_before_culprit() const { return culprit_ && next_answer_ == culprit_->line; }
  std::uint64_t answered_lines() const { return next_answer_ - 1; }

 private:
  struct Answer {
    std::uint64_t lines = 0;
    std::string text;
    std::uint64_t held = 0;  // bytes of the lines that it answers
  };
  void learn(const Chunk& chunk, Duration took);
  bool wants_probe() const { return chunks_ >= next_probe_ && !lines_.empty() && !culprit_; }

  Options options_;
  std::uint64_t chunks_ = 0;      // given so far
  std::uint64_t next_probe_ = 0;  // after so many
  Duration start_;                // what starting takes
  std::uint64_t target_;          // lines of the next chunk
  std::string lines_;             // whole ones
  std::size_t given_ = 0;         // bytes of them that chunks were made of
  std::uint64_t count_ = 0;       // of those that were not
  std::string rest_;              // after the last line break
  std::deque<Chunk> halves_;
  std::uint64_t next_line_ = 1;              // the number of the first of lines_
  std::uint64_t next_answer_ = 1;            // the first line whose answer was not taken
  std::map<std::uint64_t, Answer> answers_;  // by first line
  std::uint64_t held_ = 0;                   // bytes of lines that were read and whose answers were not taken
  std::uint64_t in_flight_ = 0;
  bool ended_ = false;
  std::optional<Culprit> culprit_;
};

}  // namespace hearth::cli
