// Who has proved a key lately, and which connections serve whom. Sessions live in memory only: after a restart every
// device proves its key again.
#pragma once

#include <map>
#include <optional>
#include <set>
#include <string>

#include "base/ids.h"
#include "base/time.h"
#include "net/connect.h"
#include "net/server.h"

namespace hearth::hub {

struct Session {
  std::uint64_t number = 0;
  DeviceId device;
  Time proved;
  Time expires;
};

class Sessions {
 public:
  static constexpr Duration kLife = minutes(15);
  static constexpr Duration kFresh = seconds(60);
  static constexpr std::size_t kMaxPerDevice = 64;  // the oldest goes first
  static constexpr std::size_t kMaxChallenges = 4096;

  void add_challenge(std::string challenge, Time now);
  bool take_challenge(const std::string& challenge, Time now);  // true once, within 60 s

  // `token`: 32 random bytes, spelled for headers.
  void open(DeviceId device, std::string token, Time now);
  std::optional<Session> find(const std::string& token, Time now);

  // Connections to cut when the device is revoked.
  void enter(DeviceId device, net::Cuttable& connection);
  void leave(DeviceId device, net::Cuttable& connection);
  bool has_connections(DeviceId device) const;

  // Of those that have not been found to have run out.
  std::size_t count() const { return by_token_.size(); }

  // Cuts its connections; its sessions live on.
  void cut(DeviceId device);

  // Ends the device's sessions and cuts its connections.
  void revoke(DeviceId device);

 private:
  std::uint64_t last_number_ = 0;
  std::map<std::string, Time> challenges_;
  std::map<std::string, Session> by_token_;
  std::map<DeviceId, std::set<std::pair<std::uint64_t, std::string>>> of_device_;
  std::map<DeviceId, std::multiset<net::Cuttable*>> connections_;
};

// A connection that is cut when its device is revoked, while this lives.
class Entered {
 public:
  Entered(Sessions& sessions, DeviceId device, net::Cuttable& connection)
      : sessions_(sessions), device_(device), connection_(connection) {
    sessions_.enter(device_, connection_);
  }
  ~Entered() { sessions_.leave(device_, connection_); }
  Entered(const Entered&) = delete;
  Entered& operator=(const Entered&) = delete;

 private:
  Sessions& sessions_;
  DeviceId device_;
  net::Cuttable& connection_;
};

}  // namespace hearth::hub
