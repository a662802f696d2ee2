#include "presence/x11.h"

#include <cstdlib>
#include <fstream>

#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>
#include <xcb/screensaver.h>
#include <xcb/xcb.h>

namespace hearth::presence {
namespace {

constexpr std::size_t kMaxAuthorityBytes = 1 << 20;
constexpr const char* kCookieName = "MIT-MAGIC-COOKIE-1";

std::string number_of(const std::string& display) {
  const std::size_t colon = display.rfind(':');
  if (colon == std::string::npos) return "";
  return display.substr(colon + 1, display.find('.', colon) - colon - 1);
}

std::string read_bytes(const std::string& path) {
  if (path.empty()) return "";
  std::ifstream in(path, std::ios::binary);
  std::string bytes(kMaxAuthorityBytes, '\0');
  in.read(bytes.data(), static_cast<std::streamsize>(bytes.size()));
  bytes.resize(static_cast<std::size_t>(in.gcount()));
  return bytes;
}

// Takes a counted field (two bytes of length, big-endian) off the front; false if there is none.
bool take(std::string_view& rest, std::string_view& field) {
  if (rest.size() < 2) return false;
  const std::size_t length = static_cast<unsigned char>(rest[0]) * 256U + static_cast<unsigned char>(rest[1]);
  if (rest.size() - 2 < length) return false;
  field = rest.substr(2, length);
  rest.remove_prefix(2 + length);
  return true;
}

template <class Reply>
using Owned = std::unique_ptr<Reply, decltype(&std::free)>;

template <class Reply>
Owned<Reply> owned(Reply* reply) {
  return {reply, &std::free};
}

bool has_extension(xcb_connection_t* connection, std::string_view name) {
  const auto cookie = xcb_query_extension(connection, static_cast<std::uint16_t>(name.size()), name.data());
  const auto reply = owned(xcb_query_extension_reply(connection, cookie, nullptr));
  return reply && reply->present != 0;
}

// Whether anybody listens at the local display's socket.
bool somebody_listens(const std::string& number) {
  for (const std::string& start : {std::string(1, '\0'), std::string()}) {
    const std::string path = start + "/tmp/.X11-unix/X" + number;
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    if (path.size() >= sizeof address.sun_path) return false;
    path.copy(address.sun_path, path.size());
    const int probe = ::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    const auto length = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + path.size());
    const bool answered = probe >= 0 && ::connect(probe, reinterpret_cast<sockaddr*>(&address), length) == 0;
    if (probe >= 0) ::close(probe);
    if (answered) return true;
  }
  return false;
}

}  // namespace

struct Display::State {
  explicit State(xcb_connection_t* opened) : connection(opened) {}
  ~State() { xcb_disconnect(connection); }
  State(const State&) = delete;
  State& operator=(const State&) = delete;

  xcb_connection_t* connection;
  xcb_window_t root = 0;
};

Display::Display(std::unique_ptr<State> state) : state_(std::move(state)) {}

Display::~Display() = default;

std::string find_cookie(const std::string& authority_bytes, const std::string& display_number) {
  std::string_view rest = authority_bytes;
  std::string_view address;
  std::string_view number;
  std::string_view name;
  std::string_view data;
  while (rest.size() > 2) {
    rest.remove_prefix(2);  // the family of the address: any will do, the display is this PC's
    if (!take(rest, address) || !take(rest, number) || !take(rest, name) || !take(rest, data)) return "";
    if (name == kCookieName && (number.empty() || number == display_number)) return std::string(data);
  }
  return "";
}

Result<std::unique_ptr<Display>> Display::open(const std::string& name, const std::string& authority) {
  const std::string number = number_of(name);
  if (number.empty() || !name.starts_with(':')) {
    return fail(Code::kUnimplemented, "'" + name + "' is no display of this PC");
  }
  if (!somebody_listens(number)) return fail(Code::kNotFound, "nobody listens at display " + name);
  std::string cookie = find_cookie(read_bytes(authority), number);
  std::string cookie_name = kCookieName;
  xcb_auth_info_t info{.namelen = static_cast<int>(cookie_name.size()),
                       .name = cookie_name.data(),
                       .datalen = static_cast<int>(cookie.size()),
                       .data = cookie.data()};
  auto state = std::make_unique<State>(
      xcb_connect_to_display_with_auth_info(name.c_str(), cookie.empty() ? nullptr : &info, nullptr));
  if (xcb_connection_has_error(state->connection) != 0) {
    return fail(Code::kUnavailable, "display " + name + " lets nobody in with the cookie of " +
                                        (authority.empty() ? "no file" : authority));
  }
  if (has_extension(state->connection, "XWAYLAND")) {
    return fail(Code::kUnimplemented, "display " + name + " is XWayland, which sees only part of the input");
  }
  if (!has_extension(state->connection, "MIT-SCREEN-SAVER")) {
    return fail(Code::kUnavailable, "display " + name + " has no screen saver extension");
  }
  state->root = xcb_setup_roots_iterator(xcb_get_setup(state->connection)).data->root;
  return std::unique_ptr<Display>(new Display(std::move(state)));
}

Result<Duration> Display::idle() {
  const auto cookie = xcb_screensaver_query_info(state_->connection, state_->root);
  const auto reply = owned(xcb_screensaver_query_info_reply(state_->connection, cookie, nullptr));
  if (!reply) return fail(Code::kUnavailable, "the display is gone");
  return milliseconds(reply->ms_since_user_input);
}

}  // namespace hearth::presence
