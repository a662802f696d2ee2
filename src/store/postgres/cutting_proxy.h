// For tests: stands between a store and its server, and cuts the connection at the worst moments: a COMMIT that the
// server never sees, or one whose answer the store never sees.
#pragma once

#include <poll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <cstdint>
#include <cstring>
#include <filesystem>
#include <string>
#include <string_view>
#include <thread>

#include "base/check.h"

namespace hearth::store {

enum class Cut : std::uint8_t { kNever, kBeforeCommit, kAfterCommit };

class CuttingProxy {
 public:
  // Both directories are those of PostgreSQL's sockets; ours is made. One connection at a time.
  CuttingProxy(const std::string& server_directory, std::string directory)
      : server_(server_directory + kSocket), directory_(std::move(directory)) {
    std::filesystem::create_directory(directory_);
    listener_ = ::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    const sockaddr_un address = address_of(directory_ + kSocket);
    CHECK(::bind(listener_, reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0);
    CHECK(::listen(listener_, 8) == 0);
    thread_ = std::thread([this] { run(); });
  }
  ~CuttingProxy() {
    leave_ = true;
    thread_.join();
    ::close(listener_);
    std::filesystem::remove_all(directory_);
  }
  CuttingProxy(const CuttingProxy&) = delete;
  CuttingProxy& operator=(const CuttingProxy&) = delete;

  std::string url() const { return "postgresql:///postgres?user=hearth&host=" + directory_; }
  void cut_next(Cut cut) { cut_ = cut; }
  int cuts() const { return cuts_; }

 private:
  static constexpr const char* kSocket = "/.s.PGSQL.5432";
  static constexpr int kPollMillis = 20;

  static sockaddr_un address_of(const std::string& path) {
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    CHECK(path.size() < sizeof address.sun_path);
    std::memcpy(address.sun_path, path.c_str(), path.size() + 1);
    return address;
  }

  void run() {
    while (!leave_) {
      pollfd ready{.fd = listener_, .events = POLLIN, .revents = 0};
      if (::poll(&ready, 1, kPollMillis) != 1) continue;
      const int client = ::accept4(listener_, nullptr, nullptr, SOCK_CLOEXEC);
      const int server = ::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
      const sockaddr_un address = address_of(server_);
      if (::connect(server, reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0) forward(client, server);
      ::close(client);
      ::close(server);
    }
  }

  // A statement travels in one piece here, being small.
  void forward(int client, int server) {
    std::array<char, 1 << 16> buffer{};
    bool answer_is_cut = false;
    while (!leave_) {
      std::array<pollfd, 2> ends{{{client, POLLIN, 0}, {server, POLLIN, 0}}};
      if (::poll(ends.data(), ends.size(), kPollMillis) <= 0) continue;
      for (const bool from_client : {true, false}) {
        if (ends.at(from_client ? 0 : 1).revents == 0) continue;
        const ssize_t count = ::read(from_client ? client : server, buffer.data(), buffer.size());
        if (count <= 0) return;
        const std::string_view bytes(buffer.data(), static_cast<std::size_t>(count));
        if (from_client && bytes.find("COMMIT") != std::string_view::npos) {
          const Cut cut = cut_.exchange(Cut::kNever);
          if (cut != Cut::kNever) ++cuts_;
          if (cut == Cut::kBeforeCommit) return;
          answer_is_cut = cut == Cut::kAfterCommit;
        }
        if (!from_client && answer_is_cut) return;
        CHECK(::write(from_client ? server : client, bytes.data(), bytes.size()) == count);
      }
    }
  }

  std::string server_;
  std::string directory_;
  int listener_ = -1;
  std::atomic<Cut> cut_ = Cut::kNever;
  std::atomic<int> cuts_ = 0;
  std::atomic<bool> leave_ = false;
  std::thread thread_;
};

}  // namespace hearth::store
