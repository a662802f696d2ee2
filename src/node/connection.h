// The node's session with its hub: opens it again for ever, gathers what is to be said into frames, and hands on what
// is heard. The loop's thread only.
#pragma once

#include <deque>
#include <filesystem>
#include <functional>
#include <memory>
#include <random>
#include <string>

#include "hearth/v1/session.pb.h"
#include "net/async.h"
#include "node/hub_link.h"

namespace hearth::node {

class Connection {
 public:
  struct Events {
    std::function<v1::Hello()> on_open;  // the session is open; what it gives is said first
    std::function<void()> on_lost;
    std::function<void(const v1::HubFrame&)> on_frame;
    std::function<void()> on_revoked;  // the hub does not admit this device any more; the end
  };

  // `directory` holds account.json, which is read before every attempt to connect.
  Connection(net::Loop& loop, net::Workers& workers, std::filesystem::path directory, const net::IdentityKey& key,
             Events events);

  net::Async<void> run();

  bool is_open() const { return open_; }
  std::string hub() const;  // "host:port"; empty while there is no account
  // nullptr while there is no account.
  std::shared_ptr<HubLink> link() const { return link_; }

  // The frame to which about `bytes` more are to be added now; it leaves soon, after those before it. Dropped if the
  // session is not open.
  v1::NodeFrame& frame(std::size_t bytes);

  // Of frames that wait.
  std::size_t queued_bytes() const { return queued_bytes_; }

 private:
  net::Async<Result<void>> refresh_account();
  net::Async<void> save_account(account::Account account);
  net::Async<Result<void>> one_session();
  net::Async<Result<void>> read_frames(net::WebSocket& socket);
  net::Async<void> write_frames(std::shared_ptr<net::WebSocket> socket, std::shared_ptr<bool> open);
  bool is_revoked(const Error& error) const;
  void note_failure(const Error& error);
  Duration next_delay();

  net::Loop& loop_;
  net::Workers& workers_;
  const std::filesystem::path directory_;
  const net::IdentityKey& key_;
  Events events_;
  std::shared_ptr<HubLink> link_;
  bool open_ = false;
  bool proof_wanted_ = false;  // the hub refused the token
  std::deque<v1::NodeFrame> queue_;
  std::size_t queued_bytes_ = 0;
  std::size_t last_bytes_ = 0;  // of queue_.back()
  net::Event queued_;
  Duration delay_;
  std::string last_failure_;
  std::mt19937 random_{std::random_device()()};
};

}  // namespace hearth::node
