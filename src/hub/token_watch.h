// Ends what is open for tokens that have run out. Calls are refused by authorize() as they come; a stream that was
// opened before needs somebody to look at the calendar.
#pragma once

#include "hub/devices.h"
#include "hub/sessions.h"
#include "net/async.h"

namespace hearth::hub {

class TokenWatch {
 public:
  TokenWatch(const Devices& devices, Sessions& sessions) : devices_(devices), sessions_(sessions) {}

  void start(net::Loop& loop);
  net::Async<void> stop();

 private:
  net::Async<void> run();

  const Devices& devices_;
  Sessions& sessions_;
  bool running_ = false;
  bool stopping_ = false;
  net::Event woken_;
  net::Event stopped_;
};

}  // namespace hearth::hub
