// A client without manners: bytes on a TCP connection, with or without TLS, for what no well-made client would send.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "harness/process.h"

namespace hearth::e2e {

enum class Layer { kTcp, kTls };

class RawConnection {
 public:
  // To 127.0.0.1. With TLS the server's certificate is not looked at. Fails the test if there is no connection.
  RawConnection(std::uint16_t port, Layer layer);
  RawConnection(RawConnection&&) noexcept;
  ~RawConnection();

  // False once the other side has closed.
  bool send(std::string_view bytes);
  // What comes within the limit, up to the end of the connection or to `enough` bytes.
  std::string receive(milliseconds limit, std::size_t enough = SIZE_MAX);
  // Whether the other side closes within the limit; what it sends before is dropped.
  bool closed_within(milliseconds limit);

 private:
  struct State;
  std::unique_ptr<State> state_;
};

struct HttpAnswer {
  unsigned status = 0;  // 0: none came
  std::string head;
  std::string body;  // as it came: chunked if the head says so
};

using HeaderList = std::vector<std::pair<std::string, std::string>>;

// One request over TLS on a connection of its own.
HttpAnswer https(std::uint16_t port, const std::string& method, const std::string& target, const HeaderList& headers,
                 const std::string& body);

}  // namespace hearth::e2e
