#include "presence/bus.h"

namespace hearth::presence {

Bus::Bus() { static_cast<void>(connect()); }

Result<void> Bus::connect() {
  if (connection_) return {};
  try {
    connection_ = sdbus::createSystemBusConnection();
    return {};
  } catch (const sdbus::Error& error) {
    return fail(Code::kUnavailable, "this PC has no system D-Bus (" + error.getMessage() + ")");
  }
}

// A connection that broke is made anew at the next question.
Error Bus::failed(const std::string& service, const sdbus::Error& error) {
  const std::string& name = error.getName();
  if (name.ends_with(".Disconnected") || name.ends_with(".NoServer") || name.find("ENOTCONN") != std::string::npos ||
      name.find("ECONNRESET") != std::string::npos) {
    connection_.reset();
  }
  return Error{Code::kUnavailable, service + " does not answer (" + error.getMessage() + ")"};
}

Result<Properties> Bus::properties(const std::string& service, const std::string& path, const std::string& interface) {
  if (Result<void> open = connect(); !open) return std::unexpected(open.error());
  try {
    Properties found;
    sdbus::createProxy(*connection_, service, path)
        ->callMethod("GetAll")
        .onInterface("org.freedesktop.DBus.Properties")
        .withTimeout(kLimit)
        .withArguments(interface)
        .storeResultsTo(found);
    return found;
  } catch (const sdbus::Error& error) {
    return std::unexpected(failed(service, error));
  }
}

}  // namespace hearth::presence
