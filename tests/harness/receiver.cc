#include "harness/receiver.h"

#include <array>
#include <cstdlib>

#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

namespace hearth::e2e {
namespace {

// Until `enough` bytes have come, or for a length of npos until the head's end has.
bool read_until(int connection, std::string& text, std::size_t enough) {
  std::array<char, 4096> piece{};
  while (enough == std::string::npos ? !text.contains("\r\n\r\n") : text.size() < enough) {
    const ssize_t count = ::recv(connection, piece.data(), piece.size(), 0);
    if (count <= 0) return false;
    text.append(piece.data(), static_cast<std::size_t>(count));
  }
  return true;
}

}  // namespace

std::string Receiver::Request::header(const std::string& name) const {
  const std::size_t at = head.find("\r\n" + name + ": ");
  if (at == std::string::npos) return {};
  const std::size_t begin = at + name.size() + 4;
  return head.substr(begin, head.find("\r\n", begin) - begin);
}

Receiver::Receiver() : listener_(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
  sockaddr_in address{.sin_family = AF_INET, .sin_port = 0, .sin_addr = {htonl(INADDR_LOOPBACK)}, .sin_zero = {}};
  socklen_t size = sizeof address;
  EXPECT_EQ(::bind(listener_, reinterpret_cast<sockaddr*>(&address), size), 0);
  EXPECT_EQ(::listen(listener_, 16), 0);
  EXPECT_EQ(::getsockname(listener_, reinterpret_cast<sockaddr*>(&address), &size), 0);
  port_ = ntohs(address.sin_port);
  thread_ = std::thread([this] { run(); });
}

Receiver::~Receiver() {
  stopping_ = true;
  ::shutdown(listener_, SHUT_RDWR);
  thread_.join();
  ::close(listener_);
}

std::string Receiver::url() const { return "http://127.0.0.1:" + std::to_string(port_) + "/hook"; }

void Receiver::answer(std::vector<unsigned> statuses) {
  const std::scoped_lock lock(mutex_);
  statuses_.assign(statuses.begin(), statuses.end());
}

std::vector<Receiver::Request> Receiver::received() const {
  const std::scoped_lock lock(mutex_);
  return received_;
}

void Receiver::run() {
  while (!stopping_) {
    const int connection = ::accept4(listener_, nullptr, nullptr, SOCK_CLOEXEC);
    if (connection < 0) continue;
    serve(connection);
    ::close(connection);
  }
}

void Receiver::serve(int connection) {
  Request request;
  if (!read_until(connection, request.head, std::string::npos)) return;
  const std::size_t end = request.head.find("\r\n\r\n") + 4;
  request.body = request.head.substr(end);
  request.head.resize(end);
  const std::size_t size = std::strtoul(request.header("Content-Length").c_str(), nullptr, 10);
  if (!read_until(connection, request.body, size)) return;
  std::string answer;
  {
    const std::scoped_lock lock(mutex_);
    request.status = statuses_.empty() ? 200 : statuses_.front();
    if (!statuses_.empty()) statuses_.pop_front();
    answer = "HTTP/1.1 " + std::to_string(request.status) + " Said\r\nContent-Length: 0\r\n\r\n";
    received_.push_back(std::move(request));
  }
  static_cast<void>(::send(connection, answer.data(), answer.size(), MSG_NOSIGNAL));
}

}  // namespace hearth::e2e
