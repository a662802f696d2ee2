// The system's D-Bus, asked with a deadline. One thread.
#pragma once

#include <chrono>
#include <map>
#include <memory>
#include <string>

#include <sdbus-c++/sdbus-c++.h>

#include "base/result.h"

namespace hearth::presence {

using Properties = std::map<std::string, sdbus::Variant>;

class Bus {
 public:
  // Connects now or, should that fail, at a later question.
  Bus();

  // Every property of one interface. Errors: kUnavailable (no bus, nobody of that name, no answer within 0.5 s).
  Result<Properties> properties(const std::string& service, const std::string& path, const std::string& interface);

  // The reply of a method without arguments. Errors: as above.
  template <class Reply>
  Result<Reply> call(const std::string& service, const std::string& path, const std::string& interface,
                     const std::string& method) {
    if (Result<void> open = connect(); !open) return std::unexpected(open.error());
    try {
      Reply reply;
      sdbus::createProxy(*connection_, service, path)
          ->callMethod(method)
          .onInterface(interface)
          .withTimeout(kLimit)
          .storeResultsTo(reply);
      return reply;
    } catch (const sdbus::Error& error) {
      return std::unexpected(failed(service, error));
    }
  }

 private:
  static constexpr std::chrono::milliseconds kLimit{500};

  Result<void> connect();
  Error failed(const std::string& service, const sdbus::Error& error);

  std::unique_ptr<sdbus::IConnection> connection_;
};

// A property of a type, or the given value if it is absent or of another type.
template <class Value>
Value get(const Properties& properties, const std::string& name, Value absent) {
  const auto found = properties.find(name);
  if (found == properties.end() || !found->second.containsValueOfType<Value>()) return absent;
  return found->second.get<Value>();
}

}  // namespace hearth::presence
