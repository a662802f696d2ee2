#include "net/mdns.h"

#include <algorithm>
#include <chrono>
#include <vector>

#include <sdbus-c++/sdbus-c++.h>

#include "base/bytes.h"

namespace hearth::net {
namespace {

constexpr const char* kAvahi = "org.freedesktop.Avahi";
constexpr const char* kServer = "org.freedesktop.Avahi.Server";
constexpr const char* kEntryGroup = "org.freedesktop.Avahi.EntryGroup";
constexpr const char* kCollision = "org.freedesktop.Avahi.CollisionError";
constexpr std::int32_t kAny = -1;  // AVAHI_IF_UNSPEC and AVAHI_PROTO_UNSPEC
constexpr std::size_t kMaxNameBytes = 63;
constexpr int kMaxNames = 9;
constexpr auto kLimit = std::chrono::milliseconds(1900);

using Clock = std::chrono::steady_clock;

// Avahi drops the group, and thereby the announcement, when its client's connection closes.
class AvahiAnnouncement final : public Announcement {
 public:
  AvahiAnnouncement(std::unique_ptr<sdbus::IConnection> connection, std::unique_ptr<sdbus::IProxy> group)
      : connection_(std::move(connection)), group_(std::move(group)) {}

 private:
  std::unique_ptr<sdbus::IConnection> connection_;
  std::unique_ptr<sdbus::IProxy> group_;
};

// DNS-SD names have at most 63 bytes.
std::string service_name(std::string_view name, int number) {
  const std::string suffix = number == 1 ? "" : " (" + std::to_string(number) + ")";
  return std::string(utf8_prefix(name, kMaxNameBytes - suffix.size())) + suffix;
}

std::chrono::microseconds left(Clock::time_point deadline) {
  return std::max<std::chrono::microseconds>(
      std::chrono::duration_cast<std::chrono::microseconds>(deadline - Clock::now()), std::chrono::microseconds(1));
}

std::vector<std::vector<std::uint8_t>> text_record(const std::string& fingerprint) {
  const std::string entry = "id=" + to_base64url(fingerprint);
  return {{entry.begin(), entry.end()}};
}

void add_service(sdbus::IProxy& group, const std::string& name, std::uint16_t port, const std::string& fingerprint,
                 Clock::time_point deadline) {
  group.callMethod("AddService")
      .onInterface(kEntryGroup)
      .withTimeout(left(deadline))
      .withArguments(kAny, kAny, std::uint32_t{0}, name, std::string("_hearth._tcp"), std::string(), std::string(),
                     port, text_record(fingerprint));
}

// Another server of this name on this PC is no reason to stay unseen: the next free name is taken.
void add_service_under_free_name(sdbus::IProxy& group, const std::string& name, std::uint16_t port,
                                 const std::string& fingerprint, Clock::time_point deadline) {
  for (int number = 1;; ++number) {
    try {
      add_service(group, service_name(name, number), port, fingerprint, deadline);
      return;
    } catch (const sdbus::Error& error) {
      if (error.getName() != kCollision || number == kMaxNames) throw;
    }
  }
}

std::unique_ptr<sdbus::IProxy> announce(sdbus::IConnection& connection, const std::string& name, std::uint16_t port,
                                        const std::string& fingerprint) {
  const Clock::time_point deadline = Clock::now() + kLimit;
  const auto server = sdbus::createProxy(connection, kAvahi, "/");
  sdbus::ObjectPath path;
  server->callMethod("EntryGroupNew").onInterface(kServer).withTimeout(left(deadline)).storeResultsTo(path);
  std::unique_ptr<sdbus::IProxy> group = sdbus::createProxy(connection, kAvahi, path);
  add_service_under_free_name(*group, name, port, fingerprint, deadline);
  group->callMethod("Commit").onInterface(kEntryGroup).withTimeout(left(deadline));
  return group;
}

}  // namespace

Result<std::unique_ptr<Announcement>> Announcement::publish(const std::string& name, std::uint16_t port,
                                                            const std::string& fingerprint) {
  std::unique_ptr<sdbus::IConnection> connection;
  try {
    connection = sdbus::createSystemBusConnection();
  } catch (const sdbus::Error& error) {
    return fail(Code::kUnavailable, "not announced on the local network: this PC has no system D-Bus (" +
                                        error.getMessage() + "); use the link instead");
  }
  try {
    std::unique_ptr<sdbus::IProxy> group = announce(*connection, name, port, fingerprint);
    return std::make_unique<AvahiAnnouncement>(std::move(connection), std::move(group));
  } catch (const sdbus::Error& error) {
    return fail(Code::kUnavailable, "not announced on the local network: Avahi does not answer (" + error.getMessage() +
                                        "); install and start avahi-daemon, or use the link");
  }
}

}  // namespace hearth::net
