// Sends one message to a URL that a member named, and hears whether it was taken: names are looked up here, each
// address is judged, and the connection goes to exactly the address that was judged. Nobody is followed elsewhere.
//
// TLS here trusts the authorities that this PC's system trusts, unlike everything else in Hearth, which knows keys.
#pragma once

#include <memory>
#include <string>

#include <asio/ip/tcp.hpp>

#include "egress/proxy.h"
#include "egress/resolver.h"
#include "net/tls.h"
#include "net/web_url.h"

namespace hearth::egress {

struct Message {
  net::WebUrl url;
  net::Headers headers;  // beside Host, Content-Length and Connection
  std::string body;
  bool may_be_private = false;  // also to addresses that refusal_of() refuses
  Duration limit = seconds(15);
};

class Poster {
 public:
  // `world`: what it needs beside the loop that runs it. Start on that loop's thread.
  explicit Poster(World world);

  // POSTs it and gives the answer's status. Of the answer no more than its head, 16 KiB at most, is read.
  // Errors: kPermissionDenied (every address is refused), kUnavailable (also for its certificate), kDeadlineExceeded,
  // kResourceExhausted, kInvalidArgument (what answers speaks no HTTP).
  net::Async<Result<unsigned>> post(Message message);

 private:
  net::Async<Result<asio::ip::tcp::socket>> connect(const Message& message, Time due);

  World world_;
  std::shared_ptr<const net::TlsContext> tls_;  // made when it is first needed
};

}  // namespace hearth::egress
