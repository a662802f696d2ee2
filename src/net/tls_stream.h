// TLS on a non-blocking socket: OpenSSL works on the descriptor itself and Asio only tells when it is ready, so an idle
// connection holds no buffers (asio::ssl keeps 34 kB and two BIOs for each).
#pragma once

#include <memory>
#include <span>
#include <string>
#include <string_view>

#include <asio/ip/tcp.hpp>

#include "net/async.h"
#include "net/deadlines.h"
#include "net/openssl.h"
#include "net/tls.h"

namespace hearth::net {

struct TlsContext::State {
  SslContextPtr context;
  bool is_server = false;
  bool is_of_the_web = false;  // the peer is known by its name, which must be expected
};

// One connection. One coroutine may read while another writes. After an error only cut() and destruction make sense.
// Errors of all that waits: kUnavailable (the peer is gone, or cut()), kDeadlineExceeded.
class TlsStream {
 public:
  TlsStream(asio::ip::tcp::socket socket, std::shared_ptr<const TlsContext> context);
  TlsStream(const TlsStream&) = delete;
  TlsStream& operator=(const TlsStream&) = delete;

  // Whom the certificate must be for, a name or an address; the name is told to the peer. Before the handshake of a
  // web_client().
  void expect_host(std::string host) { host_ = std::move(host); }

  // A server creates its half when the first byte is there: a silent peer costs little.
  Async<Result<void>> handshake(Time due);

  // At least one byte; 0: the peer has said goodbye.
  Async<Result<std::size_t>> read_some(std::span<char> buffer, Time due);

  // Appends what has come, at least one byte; 0: the peer has said goodbye. Holds no buffer while it waits.
  Async<Result<std::size_t>> read_append(std::string& buffer, Time due);

  // All of it. `stall`: how long it may make no progress.
  Async<Result<void>> write(std::string_view bytes, Duration stall);

  // As much as the socket takes at once: for a last word.
  void write_now(std::string_view bytes);

  // Says goodbye, then takes and drops what the peer still sends, for a moment: closing with unread input would make
  // the kernel reset the connection and the peer lose our last answer.
  Async<void> close();

  // Says goodbye without waiting.
  void say_goodbye();

  // Whoever waits fails, the peer sees the end. The descriptor lives as long as this object.
  void cut();

  // Whether cut, failed, or closed by the peer.
  bool gone() const;

  // Whether cut or failed. Asks the kernel nothing.
  bool broken() const { return cut_ || failed_; }

  // Whether bytes or the end of the stream have arrived that nobody has read.
  bool has_input() const;

  // Makes the kernel acknowledge at once what it has received: a peer with Nagle's algorithm sends the rest of its
  // message only then, 40 ms later otherwise.
  void acknowledge_now();

  // Has the kernel ask a peer that is silent for a minute whether it is there; one that is not is gone two minutes
  // later.
  void keep_alive();

  std::string peer_address() const;
  std::string local_address() const;

  // The peer's certificate after the handshake (a client's view).
  CertificatePtr peer_certificate() const;

 private:
  enum class Outcome { kDone, kWantRead, kWantWrite, kEnd, kFailed };
  struct Side {
    Deadline deadline;
    bool expired = false;
  };
  Outcome outcome_of(int result);
  Outcome try_read(std::span<char> buffer, std::size_t& count);
  Outcome try_fill(std::span<char> buffer, std::size_t& count);
  Outcome try_append(std::string& buffer, std::size_t& count);
  template <class Try>
  Async<Result<std::size_t>> read_with(Try attempt, Time due);
  Async<Result<void>> wait(asio::ip::tcp::socket::wait_type type, Side& side, Time due);
  Async<Result<void>> wait_for(Outcome outcome, Side& side, Time due);
  Async<Result<void>> refuse_plain_http();
  void bind_to_host();
  void expire(Side& side);
  std::unexpected<Error> failure() const;

  asio::ip::tcp::socket socket_;
  std::shared_ptr<const TlsContext> context_;
  SslPtr ssl_;
  Side reading_;
  Side writing_;
  bool established_ = false;
  int fd_ = -1;  // socket_'s
  bool cut_ = false;
  bool failed_ = false;
  std::string problem_;
  std::string host_;
};

// Whether the certificate proves an identity that `pin` accepts; gives the identity key. Errors: kUnauthenticated.
Result<std::string> verify_identity(X509* certificate, const ServerPin& pin);

}  // namespace hearth::net
