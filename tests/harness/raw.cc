#include "harness/raw.h"

#include <array>
#include <cerrno>

#include <arpa/inet.h>
#include <netinet/in.h>
#include <openssl/ssl.h>
#include <poll.h>
#include <signal.h>
#include <sys/socket.h>
#include <unistd.h>

#include <gtest/gtest.h>

#include "base/check.h"
#include "base/sizes.h"

namespace hearth::e2e {
namespace {

using Clock = std::chrono::steady_clock;

struct ContextDeleter {
  void operator()(SSL_CTX* context) const { SSL_CTX_free(context); }
};
struct ConnectionDeleter {
  void operator()(SSL* connection) const { SSL_free(connection); }
};

int connect_tcp(std::uint16_t port) {
  const int socket = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  CHECK(socket >= 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(port);
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  EXPECT_EQ(::connect(socket, reinterpret_cast<const sockaddr*>(&address), sizeof(address)), 0) << errno;
  // A server that does not read must not hang the test.
  const timeval limit{.tv_sec = 20, .tv_usec = 0};
  ::setsockopt(socket, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof(limit));
  ::setsockopt(socket, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit));
  return socket;
}

}  // namespace

struct RawConnection::State {
  int socket = -1;
  std::unique_ptr<SSL_CTX, ContextDeleter> context;
  std::unique_ptr<SSL, ConnectionDeleter> tls;
  bool over = false;

  ~State() {
    tls.reset();
    ::close(socket);
  }

  // Bytes that are there or come before the limit; nothing then, and at the end.
  std::string take(milliseconds limit) {
    pollfd input{.fd = socket, .events = POLLIN, .revents = 0};
    const bool buffered = tls && SSL_pending(tls.get()) > 0;
    if (!buffered && ::poll(&input, 1, static_cast<int>(limit.count())) <= 0) return "";
    std::array<char, 65536> buffer;
    const ssize_t count = tls ? SSL_read(tls.get(), buffer.data(), static_cast<int>(buffer.size()))
                              : ::recv(socket, buffer.data(), buffer.size(), 0);
    if (count <= 0) over = true;
    return count <= 0 ? "" : std::string(buffer.data(), static_cast<std::size_t>(count));
  }
};

RawConnection::RawConnection(std::uint16_t port, Layer layer) : state_(std::make_unique<State>()) {
  ::signal(SIGPIPE, SIG_IGN);  // OpenSSL writes without MSG_NOSIGNAL
  state_->socket = connect_tcp(port);
  if (layer == Layer::kTcp) return;
  state_->context.reset(SSL_CTX_new(TLS_client_method()));
  SSL_CTX_set_verify(state_->context.get(), SSL_VERIFY_NONE, nullptr);
  state_->tls.reset(SSL_new(state_->context.get()));
  SSL_set_fd(state_->tls.get(), state_->socket);
  EXPECT_EQ(SSL_connect(state_->tls.get()), 1);
}

RawConnection::RawConnection(RawConnection&&) noexcept = default;
RawConnection::~RawConnection() = default;

bool RawConnection::send(std::string_view bytes) {
  while (!bytes.empty()) {
    const std::size_t piece = std::min<std::size_t>(bytes.size(), kMiB);
    const ssize_t count = state_->tls ? SSL_write(state_->tls.get(), bytes.data(), static_cast<int>(piece))
                                      : ::send(state_->socket, bytes.data(), piece, MSG_NOSIGNAL);
    if (count <= 0) return false;
    bytes.remove_prefix(static_cast<std::size_t>(count));
  }
  return true;
}

std::string RawConnection::receive(milliseconds limit, std::size_t enough) {
  std::string text;
  const auto end = Clock::now() + limit;
  while (!state_->over && text.size() < enough && Clock::now() < end) {
    text += state_->take(std::chrono::duration_cast<milliseconds>(end - Clock::now()));
  }
  return text;
}

bool RawConnection::closed_within(milliseconds limit) {
  const auto end = Clock::now() + limit;
  do {
    state_->take(std::max(milliseconds(0), std::chrono::duration_cast<milliseconds>(end - Clock::now())));
  } while (!state_->over && Clock::now() < end);
  return state_->over;
}

HttpAnswer https(std::uint16_t port, const std::string& method, const std::string& target, const HeaderList& headers,
                 const std::string& body) {
  RawConnection connection(port, Layer::kTls);
  std::string request =
      method + " " + target +
      " HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\nContent-Length: " + std::to_string(body.size()) + "\r\n";
  for (const auto& [name, value] : headers) request.append(name).append(": ").append(value).append("\r\n");
  connection.send(request + "\r\n" + body);
  const std::string text = connection.receive(seconds(30));
  const std::size_t end = text.find("\r\n\r\n");
  HttpAnswer answer;
  if (end == std::string::npos || !text.starts_with("HTTP/1.1 ")) return answer;
  answer.status = static_cast<unsigned>(std::stoul(text.substr(9, 3)));
  answer.head = text.substr(0, end + 2);
  answer.body = text.substr(end + 4);
  return answer;
}

}  // namespace hearth::e2e
