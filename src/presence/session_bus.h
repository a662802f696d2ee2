// The D-Bus of a user's session. Unlike the system's, anything may listen there, so that neither connecting nor asking
// waits longer than kSessionBusLimit; and no question starts a program. One thread.
#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>

#include <systemd/sd-bus.h>

#include "base/result.h"

namespace hearth::presence {

inline constexpr std::chrono::milliseconds kSessionBusLimit{500};

struct Method {
  const char* service;
  const char* path;
  const char* interface;
  const char* name;
};

class SessionBus {
 public:
  // Of D-Bus's form, "unix:path=/run/user/1000/bus". Connects at the first question.
  explicit SessionBus(std::string address);

  // The reply of a method that gives a number of that type (bool, uint32, uint64) and takes none or one. What hangs is
  // not asked again for 5 s. Errors: kUnimplemented (nobody has that method), kUnavailable (no bus, no answer in time).
  Result<bool> ask_bool(const Method& method, std::optional<std::uint32_t> argument = {});
  Result<std::uint32_t> ask_uint32(const Method& method);
  Result<std::uint64_t> ask_uint64(const Method& method);

 private:
  template <class Object, Object* (*kEnd)(Object*)>
  struct End {
    void operator()(Object* object) const { kEnd(object); }
  };
  using Connection = std::unique_ptr<sd_bus, End<sd_bus, sd_bus_close_unref>>;
  using Message = std::unique_ptr<sd_bus_message, End<sd_bus_message, sd_bus_message_unref>>;

  Result<void> connect();
  std::unexpected<Error> give_up(const std::string& why);
  Result<Message> call(const Method& method, std::optional<std::uint32_t> argument);
  template <class Value>
  Result<Value> ask(const Method& method, char type, std::optional<std::uint32_t> argument);

  std::string address_;
  Connection bus_;
  std::optional<Error> failure_;
  std::chrono::steady_clock::time_point retry_at_;
};

}  // namespace hearth::presence
