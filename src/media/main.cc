// hearth-media: shows one viewer an app by WebRTC. A node starts it, confined, where a tunnel to port 7441 of an app
// comes in. It speaks with the viewer's page through its standard input, a socket, and with the app's hearth-screen,
// for which it is one viewer more, through descriptor 3: a TCP socket of the app's network that it connects itself, or
// a UNIX one that is connected. Pictures and sound go to the viewer by UDP. It ends with either.
//
//   hearth-media [--watch]      for a viewer who may only watch: hearth-screen heeds nothing else of him
#include <array>
#include <cerrno>
#include <chrono>
#include <cstdio>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include <arpa/inet.h>
#include <fcntl.h>
#include <ifaddrs.h>
#include <net/if.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/wall_clock.h"
#include "media/session.h"
#include "screen/frames.h"

namespace hearth::media {
namespace {

constexpr int kScreenFile = 3;
constexpr std::size_t kMaxQueued = 8 << 20;
constexpr int kUdpBuffer = 1 << 20;
constexpr std::size_t kMaxDatagram = 2'048;
constexpr int kDatagramsAtOnce = 64;
constexpr Duration kOfferLimit = seconds(15);  // a viewer's place is not kept for who says nothing

Time now() {
  const auto since = std::chrono::steady_clock::now().time_since_epoch();
  return {std::chrono::duration_cast<std::chrono::microseconds>(since).count()};
}

// A PC's owner's own screen is no part of a network.
bool is_connected() {
  int family = 0;
  socklen_t size = sizeof family;
  return ::getsockopt(kScreenFile, SOL_SOCKET, SO_DOMAIN, &family, &size) == 0 && family == AF_UNIX;
}

// A stream of messages each way; non-blocking.
class Line {
 public:
  Line(int file, std::size_t max_message) : file_(file), reader_(max_message) {}

  short events() const { return written_ < out_.size() ? POLLIN | POLLOUT : POLLIN; }
  int file() const { return file_; }

  // False: it is over, or too much waits.
  bool read(std::vector<std::string>& frames) {
    static std::string buffer(256 << 10, '\0');
    const ssize_t count = ::recv(file_, buffer.data(), buffer.size(), MSG_DONTWAIT);
    if (count < 0 && (errno == EAGAIN || errno == EINTR)) return true;
    if (count <= 0 || !reader_.push({buffer.data(), static_cast<std::size_t>(count)})) return false;
    while (std::optional<std::string> frame = reader_.next()) frames.push_back(std::move(*frame));
    return true;
  }
  void say(const google::protobuf::MessageLite& message) { out_ += screen::frame_of(message); }
  bool write() {
    while (written_ < out_.size()) {
      const ssize_t count = ::send(file_, out_.data() + written_, out_.size() - written_, MSG_DONTWAIT | MSG_NOSIGNAL);
      if (count < 0 && errno == EINTR) continue;
      if (count < 0 && errno == EAGAIN) return out_.size() - written_ <= kMaxQueued;
      if (count <= 0) return false;
      written_ += static_cast<std::size_t>(count);
    }
    out_.clear();
    written_ = 0;
    return true;
  }

 private:
  int file_;
  screen::FrameReader reader_;
  std::string out_;
  std::size_t written_ = 0;
};

// One UDP port for all of this PC's addresses.
class Udp {
 public:
  bool open() {
    family_ = AF_INET6;
    file_ = ::socket(AF_INET6, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (file_ < 0) {
      family_ = AF_INET;
      file_ = ::socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    }
    const int no = 0;
    ::setsockopt(file_, IPPROTO_IPV6, IPV6_V6ONLY, &no, sizeof no);
    ::setsockopt(file_, SOL_SOCKET, SO_SNDBUF, &kUdpBuffer, sizeof kUdpBuffer);
    sockaddr_storage any{};
    any.ss_family = static_cast<sa_family_t>(family_);
    socklen_t length = family_ == AF_INET6 ? sizeof(sockaddr_in6) : sizeof(sockaddr_in);
    if (file_ < 0 || ::bind(file_, reinterpret_cast<sockaddr*>(&any), length) != 0) return false;
    length = sizeof any;
    ::getsockname(file_, reinterpret_cast<sockaddr*>(&any), &length);
    port_ = from_sockaddr(any)->port;
    return true;
  }
  int file() const { return file_; }

  // The loopback's last: it is of use to a viewer on this PC alone.
  std::vector<Address> addresses() const {
    std::vector<Address> found;
    std::vector<Address> loopback;
    ifaddrs* list = nullptr;
    if (::getifaddrs(&list) != 0) return found;
    for (const ifaddrs* one = list; one != nullptr; one = one->ifa_next) {
      if (one->ifa_addr == nullptr || (one->ifa_flags & IFF_UP) == 0) continue;
      sockaddr_storage storage{};
      const bool v6 = one->ifa_addr->sa_family == AF_INET6;
      if ((!v6 && one->ifa_addr->sa_family != AF_INET) || (v6 && family_ == AF_INET)) continue;
      std::copy_n(reinterpret_cast<const char*>(one->ifa_addr), v6 ? sizeof(sockaddr_in6) : sizeof(sockaddr_in),
                  reinterpret_cast<char*>(&storage));
      Address address = *from_sockaddr(storage);
      address.port = port_;
      if (v6 && address.ip[0] == 0xfe && (address.ip[1] & 0xc0) == 0x80) continue;  // of one link: needs its name
      ((one->ifa_flags & IFF_LOOPBACK) != 0 ? loopback : found).push_back(address);
    }
    ::freeifaddrs(list);
    found.insert(found.end(), loopback.begin(), loopback.end());
    if (found.size() > Ice::kMaxAddresses) found.resize(Ice::kMaxAddresses);
    return found;
  }

  void send(const Datagram& datagram) const {
    sockaddr_storage to{};
    const socklen_t length = to_sockaddr(datagram.to, family_, to);
    if (length == 0) return;
    ::sendto(file_, datagram.bytes.data(), datagram.bytes.size(), MSG_DONTWAIT, reinterpret_cast<sockaddr*>(&to),
             length);
  }

  template <class Take>
  void receive(Take take) const {
    std::array<char, kMaxDatagram> buffer{};
    for (int i = 0; i < kDatagramsAtOnce; ++i) {
      sockaddr_storage from{};
      socklen_t length = sizeof from;
      const ssize_t count =
          ::recvfrom(file_, buffer.data(), buffer.size(), MSG_DONTWAIT, reinterpret_cast<sockaddr*>(&from), &length);
      if (count < 0) return;
      const std::optional<Address> address = from_sockaddr(from);
      if (address) take(*address, std::string_view(buffer.data(), static_cast<std::size_t>(count)));
    }
  }

 private:
  int family_ = AF_INET6;
  int file_ = -1;
  std::uint16_t port_ = 0;
};

class Media {
 public:
  // Until either side is gone. `port`: hearth-screen's.
  int run(std::uint16_t port);

 private:
  bool turn();
  bool hear_page(const std::string& frame);
  bool hear_screen(const std::string& frame);
  void hear_channel(const std::string& message);
  bool begin(const v1::FromViewer& first);
  void end(const Error& why);
  void when_connected();
  void acknowledge();

  Line page_{STDIN_FILENO, screen::kMaxFromViewer};
  Line screen_{kScreenFile, screen::kMaxToViewer};
  Udp udp_;
  std::unique_ptr<Session> session_;
  v1::FromViewer hello_;  // what the viewer wants to see
  bool is_player_ = false;
  bool connected_ = false;
  Time begun_ = now();
  std::uint64_t newest_ = 0;  // picture that was handed to the session
  std::uint64_t shown_ = 0;
};

void Media::end(const Error& why) {
  v1::ToViewer message;
  message.set_problem(why.message);
  message.set_problem_code(std::string(code_name(why.code)));
  page_.say(message);
  static_cast<void>(page_.write());
}

bool Media::begin(const v1::FromViewer& first) {
  is_player_ = first.player();
  Session::Events events{
      .send = [this](const Datagram& datagram) { udp_.send(datagram); },
      .message = [this](const std::string& message) { hear_channel(message); },
      .wants_key =
          [this] {
            v1::FromViewer wish;
            wish.set_key_picture(true);
            wish.set_kbits(session_->kbits());
            screen_.say(wish);
          },
  };
  Result<std::unique_ptr<Session>> session = Session::open(first.offer(), udp_.addresses(), std::move(events),
                                                           is_player_ ? Session::With::kPlayer : Session::With::kPage);
  if (!session) {
    end(session.error());
    return false;
  }
  session_ = std::move(*session);
  hello_.set_codec(session_->codec());
  v1::ToViewer message;
  message.set_answer(session_->answer());
  page_.say(message);
  return true;
}

bool Media::hear_page(const std::string& frame) {
  Result<v1::FromViewer> message = screen::parse_from_viewer(frame);
  if (!message) return false;
  if (!message->offer().empty()) {
    if (session_ || !begin(*message)) return false;
    message->clear_offer();
    message->clear_player();
  }
  if (message->has_view()) {
    hello_.mutable_view()->CopyFrom(message->view());
    hello_.set_sound(message->sound());
    message->clear_view();
    message->clear_sound();
    message->clear_codec();
    if (connected_) screen_.say(hello_);
  }
  message->clear_shown();  // what is sent is counted here
  message->clear_kbits();
  if (message->ByteSizeLong() > 0) screen_.say(*message);
  return true;
}

// What comes by both ways is told apart by its number, in hearth-screen.
void Media::hear_channel(const std::string& bytes) {
  const Result<v1::FromViewer> message = screen::parse_from_viewer(bytes);
  if (!message || !message->has_input()) return;
  v1::FromViewer input;
  input.mutable_input()->CopyFrom(message->input());
  screen_.say(input);
}

bool Media::hear_screen(const std::string& frame) {
  Result<v1::ToViewer> message = screen::parse_to_viewer(frame);
  if (!message) return false;
  if (message->has_sound()) {
    session_->send_sound(message->sound().opus(), message->sound().samples(), now());
    return true;
  }
  if (!message->has_picture()) {
    if (!is_player_ || !message->problem().empty()) page_.say(*message);
    return true;
  }
  v1::Picture& picture = *message->mutable_picture();
  newest_ = picture.number();
  picture.set_timestamp(session_->send_picture(picture.data(), now()));
  picture.clear_data();
  if (is_player_) return true;
  if (!session_->send_message(message->SerializeAsString())) page_.say(*message);
  return true;
}

void Media::when_connected() {
  if (connected_ || !session_ || !session_->connected()) return;
  connected_ = true;
  screen_.say(hello_);
}

// The next picture is made once this one is on its way: so none grows old in a queue here.
void Media::acknowledge() {
  if (newest_ == shown_ || session_->waiting_bytes() > 0) return;
  shown_ = newest_;
  v1::FromViewer message;
  message.set_shown(shown_);
  message.set_kbits(session_->kbits());
  screen_.say(message);
}

bool Media::turn() {
  // What gives the pictures is the guest's to replace, by what does not wait until they are sent.
  const bool hears_screen = !session_ || session_->has_room();
  const auto screen_events = static_cast<short>(hears_screen ? screen_.events() : screen_.events() & ~POLLIN);
  std::array<pollfd, 3> files{{{.fd = page_.file(), .events = page_.events(), .revents = 0},
                               {.fd = screen_.file(), .events = screen_events, .revents = 0},
                               {.fd = udp_.file(), .events = POLLIN, .revents = 0}}};
  const Time before = now();
  const std::int64_t micros =
      session_ ? std::max<std::int64_t>(0, (session_->next(before) - before).micros) : 1'000'000;
  const timespec limit{.tv_sec = micros / 1'000'000, .tv_nsec = micros % 1'000'000 * 1'000};
  if (::ppoll(files.data(), files.size(), &limit, nullptr) < 0 && errno != EINTR) return false;
  std::vector<std::string> frames;
  if (files[0].revents != 0 && !page_.read(frames)) return false;
  for (const std::string& frame : frames) {
    if (!hear_page(frame)) return false;
  }
  // Also before there is an offer: what is left there would wake it again and again.
  if (files[2].revents != 0) {
    udp_.receive([this](const Address& from, std::string_view bytes) {
      if (session_) session_->take(from, bytes, now());
    });
  }
  when_connected();
  frames.clear();
  if (!hears_screen && (files[1].revents & (POLLERR | POLLHUP)) != 0) return false;
  if (hears_screen && files[1].revents != 0 && !screen_.read(frames)) return false;
  for (const std::string& frame : frames) {
    if (session_ && !hear_screen(frame)) return false;
  }
  if (!session_ && now() - begun_ > kOfferLimit) {
    end({Code::kDeadlineExceeded, "no offer has come for 15 s: connect again, and offer at once"});
    return false;
  }
  if (session_) {
    if (Result<void> ticked = session_->tick(now(), wall_now()); !ticked) {
      end(ticked.error());
      return false;
    }
    acknowledge();
  }
  return page_.write() && screen_.write();
}

int Media::run(std::uint16_t port) {
  ::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
  ::prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
  sockaddr_in to{};
  to.sin_family = AF_INET;
  to.sin_port = htons(port);
  to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  const int yes = 1;
  // The app is starting, most likely: its viewer asks again.
  const int connected = is_connected() ? 0 : ::connect(kScreenFile, reinterpret_cast<const sockaddr*>(&to), sizeof to);
  if (connected != 0 && errno != EINPROGRESS) return 1;
  ::setsockopt(kScreenFile, IPPROTO_TCP, TCP_NODELAY, &yes, sizeof yes);
  if (!udp_.open()) {
    end({Code::kUnavailable, "this PC has no UDP"});
    return 1;
  }
  while (turn()) {
  }
  return 0;
}

}  // namespace
}  // namespace hearth::media

int main(int argc, char** argv) {
  const bool watches = argc == 2 && std::string_view(argv[1]) == "--watch";
  ::_exit(hearth::media::Media().run(watches ? hearth::screen::kWatchPort : hearth::screen::kPort));
}
