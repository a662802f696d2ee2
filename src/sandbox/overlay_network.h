// A guest's network with others of its kind on other nodes, and nothing else: an overlay by nebula, one for each guest.
//
// Nebula runs in a bubble of its own (the carrier): a network namespace whose one way out is pasta's, through rules
// that let pass what comes from nebula's own port. The device that it makes there is moved into the guest's network
// namespace once nebula has reached its lighthouse, so the guest has that device and its loopback; it sees neither
// nebula nor its key, and nothing but nebula can use the carrier's way out.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <string_view>

#include "base/result.h"
#include "sandbox/full_network.h"
#include "sandbox/launch.h"
#include "sandbox/reactor.h"
#include "sandbox/sandbox.h"

namespace hearth::sandbox {

// By which of this PC's interfaces pasta is to go out where none has the default route, as in a network without the
// Internet: the first that leads anywhere. Empty: there is a default route, which pasta finds by itself, or no network.
// `routes`: as /proc/net/route has them.
std::string interface_without_default(std::string_view routes);

// What nebula may send, and how. Its port is the only one that anything may be sent from. `interface`: as above.
WayOut carrier_way_out(const Overlay& overlay, const std::string& interface);

// Bubblewrap's options for the carrier, each ended by a NUL; nebula's configuration is read from `config_fd`.
std::string carrier_options(const NetworkTools& tools, int config_fd, int status_fd, int gate_fd);

class OverlayNetwork {
 public:
  OverlayNetwork(Reactor& reactor, NetworkTools tools, GuestUser user, Overlay overlay);
  ~OverlayNetwork();  // ends nebula and pasta
  OverlayNetwork(const OverlayNetwork&) = delete;
  OverlayNetwork& operator=(const OverlayNetwork&) = delete;

  // As FullNetwork's, but nothing is counted to the guest's control group: while a guest is frozen, or gets little of a
  // busy processor, its peers are answered all the same, and do not take it for lost. An error if the lighthouse does
  // not answer within 30 s of nebula's start.
  void open(pid_t init, std::function<void(const Result<void>&)> done);

 private:
  Result<void> begin(pid_t init);
  Result<void> start_carrier();
  Result<void> start_timer();
  void on_status();
  void on_way_out(const Result<void>& made);
  void on_output();
  void on_late();
  void on_end();
  Result<void> hand_over();
  void finish(const Result<void>& result);
  void unwatch(std::uint64_t& watch, const Fd& fd);
  std::string last_words() const;

  Reactor& reactor_;
  NetworkTools tools_;
  GuestUser user_;
  Overlay overlay_;
  std::function<void(const Result<void>&)> done_;
  Fd guest_network_;
  Fd carrier_network_;
  std::unique_ptr<FullNetwork> way_out_;
  Fd outer_;  // bubblewrap itself
  Fd init_;   // the carrier's process 1
  Fd status_;
  Fd gate_;
  Fd output_;  // what nebula says
  Fd timer_;
  std::uint64_t status_watch_ = 0;
  std::uint64_t output_watch_ = 0;
  std::uint64_t timer_watch_ = 0;
  std::uint64_t outer_watch_ = 0;
  std::string status_text_;
  std::string said_;  // the last of it
  bool ready_ = false;
};

}  // namespace hearth::sandbox
