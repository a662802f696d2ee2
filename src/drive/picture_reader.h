// hearth-pictures as the drive uses it: started when a picture is to be read, spoken to one picture at a time. The hub
// itself reads no byte of a picture.
//
//   PictureReader reader({.start = ..., .end = ...});
//   Result<pictures::Picture> seen = reader.look(file.get(), {.size = 320});
//   reader.rest();    // ends the process until the next picture
#pragma once

#include <sys/types.h>

#include <atomic>
#include <chrono>
#include <functional>

#include "base/result.h"
#include "base/time.h"
#include "pictures/answer.h"

namespace hearth::drive {

// Started shut off from everything. Its standard input is `socket`'s other end.
struct PictureHelper {
  pid_t process = 0;
  int socket = -1;
};

struct PictureHelpers {
  std::function<Result<PictureHelper>()> start;  // none: this hub reads no pictures
  std::function<void(pid_t)> end;                // and waits for that
};

// One thread at a time, but for stop().
class PictureReader {
 public:
  static constexpr Duration kLimit = seconds(25);  // for one picture; the helper gives it 15 s of a processor
  static constexpr Duration kUnable = minutes(1);  // before it is tried again where the helper does not run

  explicit PictureReader(PictureHelpers helpers) : helpers_(std::move(helpers)) {}
  ~PictureReader() { rest(); }
  PictureReader(const PictureReader&) = delete;
  PictureReader& operator=(const PictureReader&) = delete;

  // What an open file shows. Blocks. Errors: kFailedPrecondition (it is none that can be
  // read, or it took too much time or memory: it would again), kUnavailable (this PC reads none at the moment).
  Result<pictures::Picture> look(int file, pictures::Order order);

  void rest();
  void stop() { stopping_ = true; }  // any thread: what is under way ends as kUnavailable

 private:
  Result<void> start();
  Result<void> send(int file, int answer, pictures::Order order) const;
  Result<std::string> receive(int answer) const;
  bool has_ended() const;

  PictureHelpers helpers_;
  PictureHelper helper_;
  bool is_proven_ = false;  // it has answered
  std::chrono::steady_clock::time_point unable_until_;
  std::atomic<bool> stopping_ = false;
};

}  // namespace hearth::drive
