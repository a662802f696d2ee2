#include "presence/session_bus.h"

#include <cerrno>
#include <cstring>

namespace hearth::presence {
namespace {

using Clock = std::chrono::steady_clock;

constexpr std::chrono::seconds kRetry{5};
constexpr int kMaxStrayMessages = 64;

std::uint64_t micros(Clock::duration span) {
  const auto left = std::chrono::duration_cast<std::chrono::microseconds>(span).count();
  return left > 0 ? static_cast<std::uint64_t>(left) : 0;
}

// Until the bus has greeted this program. A negative number of errno: it did not, or not in time.
int await_greeting(sd_bus* bus) {
  const Clock::time_point deadline = Clock::now() + kSessionBusLimit;
  while (sd_bus_is_ready(bus) <= 0) {
    const std::uint64_t left = micros(deadline - Clock::now());
    if (left == 0) return -ETIMEDOUT;
    int result = sd_bus_process(bus, nullptr);
    if (result == 0) result = sd_bus_wait(bus, left);
    if (result < 0) return result;
  }
  return 0;
}

}  // namespace

SessionBus::SessionBus(std::string address) : address_(std::move(address)) {}

std::unexpected<Error> SessionBus::give_up(const std::string& why) {
  bus_.reset();
  retry_at_ = Clock::now() + kRetry;
  failure_ = Error{Code::kUnavailable, "the session's D-Bus at " + address_ + ": " + why};
  return std::unexpected(*failure_);
}

Result<void> SessionBus::connect() {
  if (bus_) return {};
  if (failure_ && Clock::now() < retry_at_) return std::unexpected(*failure_);
  sd_bus* made = nullptr;
  int result = sd_bus_new(&made);
  bus_.reset(made);
  if (result >= 0) result = sd_bus_set_address(made, address_.c_str());
  if (result >= 0) result = sd_bus_set_bus_client(made, 1);
  if (result >= 0) result = sd_bus_start(made);
  if (result >= 0) result = await_greeting(made);
  if (result < 0) return give_up(std::strerror(-result));
  return {};
}

Result<SessionBus::Message> SessionBus::call(const Method& method, std::optional<std::uint32_t> argument) {
  if (Result<void> open = connect(); !open) return std::unexpected(open.error());
  for (int stray = 0; stray < kMaxStrayMessages && sd_bus_process(bus_.get(), nullptr) > 0; ++stray) {
  }
  sd_bus_message* made = nullptr;
  int result =
      sd_bus_message_new_method_call(bus_.get(), &made, method.service, method.path, method.interface, method.name);
  const Message question(made);
  if (result >= 0) result = sd_bus_message_set_auto_start(made, 0);
  if (result >= 0 && argument) result = sd_bus_message_append(made, "u", *argument);
  sd_bus_error error{};
  sd_bus_message* reply = nullptr;
  if (result >= 0) result = sd_bus_call(bus_.get(), made, micros(kSessionBusLimit), &error, &reply);
  Message answer(reply);
  const bool refused = sd_bus_error_is_set(&error) != 0 && result != -ETIMEDOUT && sd_bus_is_open(bus_.get()) > 0;
  sd_bus_error_free(&error);
  if (result >= 0) return answer;
  if (refused) return fail(Code::kUnimplemented, std::string("nobody answers for ") + method.interface);
  return give_up(std::string(method.service) + ": " + std::strerror(-result));
}

template <class Value>
Result<Value> SessionBus::ask(const Method& method, char type, std::optional<std::uint32_t> argument) {
  Result<Message> answer = call(method, argument);
  if (!answer) return std::unexpected(answer.error());
  Value value{};
  if (sd_bus_message_read_basic(answer->get(), type, &value) <= 0) {
    return fail(Code::kUnimplemented, std::string(method.interface) + "." + method.name + " answers something else");
  }
  return value;
}

Result<bool> SessionBus::ask_bool(const Method& method, std::optional<std::uint32_t> argument) {
  const Result<int> said = ask<int>(method, SD_BUS_TYPE_BOOLEAN, argument);
  if (!said) return std::unexpected(said.error());
  return *said != 0;
}

Result<std::uint32_t> SessionBus::ask_uint32(const Method& method) {
  return ask<std::uint32_t>(method, SD_BUS_TYPE_UINT32, {});
}

Result<std::uint64_t> SessionBus::ask_uint64(const Method& method) {
  return ask<std::uint64_t>(method, SD_BUS_TYPE_UINT64, {});
}

}  // namespace hearth::presence
