// The doors that are open (web_door.h): one for each port of a task that a device has asked for, at the ports that
// follow the hub's own. One closes with its job, with its device's standing, and when nobody has used it for half an
// hour.
#pragma once

#include <map>
#include <memory>

#include "hearth/v1/apps.pb.h"
#include "hub/web_door.h"

namespace hearth::hub {

class WebDoors : public Observer {
 public:
  static constexpr std::uint16_t kMax = 16;
  static constexpr std::size_t kMaxPerDevice = 8;

  explicit WebDoors(Tunnels& tunnels) : tunnels_(tunnels) {}

  // Before any call. Both outlive stop().
  void start(Parts& parts, std::shared_ptr<const net::TlsContext> tls);
  net::Async<void> stop();

  // Errors: as Tunnels::open(), kInvalidArgument (it is no web program, and no port was given), kResourceExhausted.
  net::Async<Result<v1::OpenWebReply>> open(const v1::OpenWebRequest& request, const net::Caller& caller);

  void job_changed(JobId, DeviceId) override {}
  void node_changed(NodeId) override {}
  void attempt_assigned(AttemptId, NodeId) override {}
  void attempt_ended(AttemptId, const v1::Outcome&) override {}
  void job_ended(JobId job) override;

 private:
  using Doors = std::map<WebDoor::Place, std::shared_ptr<WebDoor>>;

  net::Async<void> run();
  Result<WebDoor*> find_or_open(const WebDoor::Place& place, bool is_confined);
  bool make_room(DeviceId device);
  Result<std::shared_ptr<WebDoor>> open_at_a_free_port(const WebDoor::Place& place, bool is_confined);
  void close(Doors::iterator door);
  std::vector<std::string> ids() const;

  Tunnels& tunnels_;
  Parts* parts_ = nullptr;
  std::shared_ptr<const net::TlsContext> tls_;
  std::shared_ptr<WebDoor::Running> running_ = std::make_shared<WebDoor::Running>();
  Doors doors_;
  std::uint16_t last_ = 0;  // port after the hub's, 1 to kMax: the next door is at another, if it can be
  bool looking_ = false;
  bool stopping_ = false;
  net::Event woken_;
  net::Event stopped_;
};

}  // namespace hearth::hub
