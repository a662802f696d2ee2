#include "sandbox/trial.h"

#include <condition_variable>
#include <mutex>

namespace hearth::sandbox {
namespace {

constexpr std::size_t kMaxOutputBytes = 64 << 10;

}  // namespace

Trial run_trial(Sandbox& box, const std::string& script, Duration patience, std::stop_token stop) {
  Trial trial;
  std::mutex mutex;
  std::condition_variable_any changed;
  bool ended = false;
  Result<void> started = box.start(
      {.argv = {"/bin/sh", "-c", script}, .variables = {}, .bound_files = {}},
      [&](Stream, std::string_view piece) {
        if (trial.output.size() < kMaxOutputBytes) trial.output += piece;
      },
      [&](const Exit& exit) {
        std::lock_guard lock(mutex);
        trial.exit = exit;
        ended = true;
        changed.notify_all();
      });
  if (!started) {
    trial.exit.message = started.error().message;
    return trial;
  }
  std::unique_lock lock(mutex);
  if (!changed.wait_for(lock, stop, std::chrono::microseconds(patience.micros), [&] { return ended; })) {
    lock.unlock();
    box.kill();
    lock.lock();
    changed.wait(lock, [&] { return ended; });
  }
  return trial;
}

}  // namespace hearth::sandbox
