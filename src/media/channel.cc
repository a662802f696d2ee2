#include "media/channel.h"

#include <array>
#include <cerrno>
#include <cstdlib>
#include <optional>

#include <arpa/inet.h>
#include <usrsctp.h>

#include "base/check.h"

namespace hearth::media {
namespace {

using Socket = struct ::socket;  // usrsctp's

constexpr std::uint16_t kPort = 5'000;
constexpr std::uint32_t kControl = 50;  // payload protocol identifiers (RFC 8831, 8)
constexpr std::uint32_t kText = 51;
constexpr std::uint32_t kBinary = 53;
constexpr char kOpen = 3;  // DCEP (RFC 8832)
constexpr char kAck = 2;
constexpr std::size_t kMaxQueued = 256;
constexpr std::uint32_t kLeastRetry = 60;  // milliseconds
constexpr std::uint32_t kFirstRetry = 200;
constexpr std::uint32_t kMostRetry = 2'000;

}  // namespace

struct Channel::State {
  std::function<void(std::string_view)> send_packet;
  Socket* socket = nullptr;
  std::optional<std::uint16_t> stream;
  std::vector<std::string> messages;

  ~State();
  static int on_packet(void* address, void* bytes, std::size_t count, std::uint8_t, std::uint8_t);
  static int on_message(Socket*, union sctp_sockstore, void* bytes, std::size_t count, struct sctp_rcvinfo info,
                        int flags, void* state);
  bool connect();
  void receive(std::string_view message, std::uint16_t from, std::uint32_t kind);
  bool send(std::string_view message, std::uint16_t to, std::uint32_t kind);
};

int Channel::State::on_packet(void* address, void* bytes, std::size_t count, std::uint8_t, std::uint8_t) {
  static_cast<State*>(address)->send_packet({static_cast<const char*>(bytes), count});
  return 0;
}

int Channel::State::on_message(Socket*, union sctp_sockstore, void* bytes, std::size_t count, struct sctp_rcvinfo info,
                               int flags, void* state) {
  if (bytes == nullptr) return 1;
  if ((flags & MSG_NOTIFICATION) == 0) {
    static_cast<State*>(state)->receive({static_cast<const char*>(bytes), count}, info.rcv_sid, ntohl(info.rcv_ppid));
  }
  std::free(bytes);
  return 1;
}

Channel::State::~State() {
  if (socket != nullptr) usrsctp_close(socket);
  usrsctp_deregister_address(this);
}

bool Channel::State::connect() {
  socket = usrsctp_socket(AF_CONN, SOCK_STREAM, IPPROTO_SCTP, on_message, nullptr, 0, this);
  if (socket == nullptr || usrsctp_set_non_blocking(socket, 1) != 0) return false;
  const linger at_once{.l_onoff = 1, .l_linger = 0};
  const int yes = 1;
  sctp_rtoinfo retry{};
  retry.srto_initial = kFirstRetry;
  retry.srto_min = kLeastRetry;
  retry.srto_max = kMostRetry;
  usrsctp_setsockopt(socket, SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once);
  usrsctp_setsockopt(socket, IPPROTO_SCTP, SCTP_NODELAY, &yes, sizeof yes);
  usrsctp_setsockopt(socket, IPPROTO_SCTP, SCTP_RTOINFO, &retry, sizeof retry);
  sockaddr_conn address{};
  address.sconn_family = AF_CONN;
  address.sconn_port = htons(kPort);
  address.sconn_addr = this;
  if (usrsctp_bind(socket, reinterpret_cast<sockaddr*>(&address), sizeof address) != 0) return false;
  return usrsctp_connect(socket, reinterpret_cast<sockaddr*>(&address), sizeof address) == 0 || errno == EINPROGRESS;
}

void Channel::State::receive(std::string_view message, std::uint16_t from, std::uint32_t kind) {
  if (kind == kControl && !message.empty() && message[0] == kOpen) {
    stream = from;
    send({&kAck, 1}, from, kControl);
  }
  const bool is_message = (kind == kText || kind == kBinary) && message.size() <= kMaxMessage;
  if (is_message && messages.size() < kMaxQueued) messages.emplace_back(message);
}

bool Channel::State::send(std::string_view message, std::uint16_t to, std::uint32_t kind) {
  sctp_sndinfo info{};
  info.snd_sid = to;
  info.snd_ppid = htonl(kind);
  return usrsctp_sendv(socket, message.data(), message.size(), nullptr, 0, &info, sizeof info, SCTP_SENDV_SNDINFO, 0) >=
         0;
}

Result<std::unique_ptr<Channel>> Channel::open(std::function<void(std::string_view)> send) {
  static const bool ready = [] {
    usrsctp_init_nothreads(0, State::on_packet, nullptr);
    usrsctp_sysctl_set_sctp_ecn_enable(0);
    return true;
  }();
  CHECK(ready);
  auto state = std::make_unique<State>();
  state->send_packet = std::move(send);
  usrsctp_register_address(state.get());
  if (!state->connect()) return fail(Code::kInternal, "SCTP does not open");
  return std::unique_ptr<Channel>(new Channel(std::move(state)));
}

Channel::Channel(std::unique_ptr<State> state) : state_(std::move(state)) {}
Channel::~Channel() = default;

void Channel::take(std::string_view packet) { usrsctp_conninput(state_.get(), packet.data(), packet.size(), 0); }

void Channel::tick(unsigned millis) { usrsctp_handle_timers(millis); }

std::vector<std::string> Channel::take_messages() { return std::exchange(state_->messages, {}); }

bool Channel::send(std::string_view message) {
  return state_->stream && state_->send(message, *state_->stream, kBinary);
}

}  // namespace hearth::media
