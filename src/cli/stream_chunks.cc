#include "cli/stream_chunks.h"

#include <algorithm>
#include <cmath>
#include <utility>

#include "cli/values.h"

namespace hearth::cli {
namespace {

constexpr int kFastestGrowth = 8;  // from chunk to chunk: the first ones say little
constexpr std::uint64_t kChunksPerProbe = 64;
constexpr std::size_t kShownBytes = 200;

std::uint64_t count_lines(std::string_view text) { return static_cast<std::uint64_t>(std::ranges::count(text, '\n')); }

// The end of the first `lines` of them, but no more than fit in `bytes`; at least one line.
std::size_t cut_after(std::string_view text, std::uint64_t lines, std::uint64_t bytes) {
  std::size_t end = 0;
  for (std::uint64_t taken = 0; taken < lines && end < text.size(); ++taken) {
    const std::size_t next = text.find('\n', end) + 1;
    if (taken > 0 && next > bytes) break;
    end = next;
  }
  return end;
}

}  // namespace

void StreamChunks::add(std::string_view bytes) {
  held_ += bytes.size();
  const std::size_t last = bytes.rfind('\n');
  if (last == std::string_view::npos) {
    rest_ += bytes;
    return;
  }
  const std::string_view whole = bytes.substr(0, last + 1);
  count_ += count_lines(whole);
  lines_ += rest_;
  lines_ += whole;
  rest_ = bytes.substr(last + 1);
}

void StreamChunks::end_input() {
  ended_ = true;
  if (rest_.empty()) return;
  lines_ += rest_ + "\n";
  rest_.clear();
  ++count_;
  ++held_;
}

std::optional<Chunk> StreamChunks::next(bool partial) {
  while (!halves_.empty()) {
    Chunk half = std::move(halves_.front());
    halves_.pop_front();
    if (culprit_ && half.first > culprit_->line) continue;
    ++in_flight_;
    return half;
  }
  if (wants_probe()) {
    next_probe_ = chunks_ + kChunksPerProbe;
    ++in_flight_;
    return Chunk{};
  }
  const std::string_view rest = std::string_view(lines_).substr(given_);
  const bool is_full = count_ >= target_ || rest.size() >= options_.most_bytes;
  if (culprit_ || rest.empty() || (!is_full && !partial && !ended_)) return std::nullopt;
  Chunk chunk{.first = next_line_, .lines = 0, .text = {}};
  chunk.text = rest.substr(0, cut_after(rest, target_, options_.most_bytes));
  chunk.lines = count_lines(chunk.text);
  given_ += chunk.text.size();
  if (given_ * 2 >= lines_.size()) lines_.erase(0, std::exchange(given_, 0));
  count_ -= chunk.lines;
  next_line_ += chunk.lines;
  ++chunks_;
  ++in_flight_;
  return chunk;
}

// Shrinks half way only: no measurement is exact, for others use the same PCs.
void StreamChunks::learn(const Chunk& chunk, Duration took) {
  if (chunk.is_half) return;
  if (chunk.lines == 0) {
    start_ = start_.micros == 0 ? took : (start_ + took) / 2;
    return;
  }
  const double least = static_cast<double>(took.micros) / static_cast<double>(kFastestGrowth);
  const double work = std::max({1.0, least, static_cast<double>((took - start_).micros)});
  const auto lines = static_cast<double>(chunk.lines);
  const double fitting = lines * std::min(static_cast<double>(options_.work.micros) / work, double{kFastestGrowth});
  const double half_way = fitting > lines ? fitting : std::sqrt(fitting * lines);
  target_ = std::clamp<std::uint64_t>(static_cast<std::uint64_t>(half_way), 1, options_.most_lines);
}

void StreamChunks::answered(const Chunk& chunk, std::string answers, Duration took) {
  if (!answers.empty() && !answers.ends_with('\n')) answers += '\n';
  const std::uint64_t lines = count_lines(answers);
  if (lines != chunk.lines) {
    died(chunk, "it was answered with " + std::to_string(lines) + " lines instead of " + std::to_string(chunk.lines));
    return;
  }
  --in_flight_;
  learn(chunk, took);
  if (chunk.lines > 0) answers_[chunk.first] = {chunk.lines, std::move(answers), chunk.text.size()};
}

void StreamChunks::died(const Chunk& chunk, const std::string& why) {
  --in_flight_;
  if (chunk.lines == 0) return;  // a program may well not like it
  if (chunk.lines == 1) {
    if (culprit_ && culprit_->line < chunk.first) return;
    std::string text = chunk.text.substr(0, std::min(chunk.text.size() - 1, kShownBytes));
    culprit_ = {chunk.first, plain(text), why};
    return;
  }
  const std::size_t middle = cut_after(chunk.text, chunk.lines / 2, chunk.text.size());
  halves_.push_back({chunk.first, chunk.lines / 2, chunk.text.substr(0, middle), true});
  halves_.push_back({chunk.first + chunk.lines / 2, chunk.lines - chunk.lines / 2, chunk.text.substr(middle), true});
}

std::string StreamChunks::take_answers() {
  std::string ready;
  for (auto next = answers_.begin(); next != answers_.end() && next->first == next_answer_;
       next = answers_.erase(next)) {
    if (culprit_ && next->first > culprit_->line) break;
    ready += next->second.text;
    next_answer_ += next->second.lines;
    held_ -= next->second.held;
  }
  return ready;
}

}  // namespace hearth::cli
