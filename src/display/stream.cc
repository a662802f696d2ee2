#include "display/stream.h"

#include <algorithm>
#include <array>
#include <cerrno>
#include <filesystem>
#include <memory>
#include <vector>

#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/socket.h>

#include "base/pass_files.h"
#include "display/exchange.h"
#include "display/gamepad.h"
#include "display/screen.h"
#include "display/sign.h"
#include "display/sound.h"
#include "display/track.h"

namespace hearth::display {
namespace {

using std::chrono::milliseconds;

constexpr Size kFirstSize = {1280, 720};
constexpr milliseconds kAnswersFor(60);  // after an input its answer waits less
constexpr int kSendBuffer = 256 << 10;
constexpr std::size_t kMaxBeforeSound = 64 << 10;  // bytes that wait: what is said then would be heard late

class Stream {
 public:
  Stream(Listeners listeners, std::unique_ptr<Screen> screen, std::unique_ptr<Exchange> exchange,
         std::unique_ptr<Sound> sound)
      : listeners_(listeners),
        screen_(std::move(screen)),
        exchange_(std::move(exchange)),
        sound_(std::move(sound)),
        gamepad_(listeners.gamepad),
        size_(screen_->size()) {}

  // The same of a desktop.
  Stream(const Sharing& sharing, std::unique_ptr<Screen> screen, std::unique_ptr<Exchange> exchange,
         std::unique_ptr<Sign> sign)
      : listeners_{.control = sharing.introducer},
        sharing_(&sharing),
        sign_(std::move(sign)),
        screen_(std::move(screen)),
        exchange_(std::move(exchange)),
        size_(screen_->size()) {}

  Error run();

 private:
  Result<void> turn();
  Result<void> take_viewers(bool control, bool watch);
  void accept(int listener, Viewer::May may);
  Result<void> introduce();
  void admit(int socket, Viewer::May may);
  Result<void> look_at_sign();
  Result<bool> follow_size();
  const char* why_full(Viewer::May may) const;
  void hear(Viewer& viewer, const v1::FromViewer& message);
  void move_pointer(const Viewer& viewer, const v1::Input& input);
  void give_input();
  Result<void> write_to(Viewer& viewer);
  void drop(std::size_t index);
  void tell_cursor();
  void tell_gamepad();
  bool somebody_listens() const;
  void tell_sound();

  Track::Moment moment(Clock::time_point now) const;
  Clock::duration until_next(Clock::time_point now) const;
  Result<void> show(Clock::time_point now);

  Listeners listeners_;
  const Sharing* sharing_ = nullptr;  // of a desktop, whose introducer is `listeners_.control`
  std::unique_ptr<Sign> sign_;        // so too
  std::unique_ptr<Screen> screen_;
  std::unique_ptr<Exchange> exchange_;
  std::unique_ptr<Sound> sound_;  // nullptr: this PC has no PulseAudio
  Gamepad gamepad_{-1};           // a desktop's programs see none
  Viewers viewers_;
  std::array<Track, 2> tracks_ = {Track(v1::CODEC_H264), Track(v1::CODEC_VP8)};
  Planes planes_;
  Size size_;
  Clock::time_point last_input_{};  // of keys, buttons or the gamepad
};

// nullptr: there is room for one more.
const char* Stream::why_full(Viewer::May may) const {
  if (viewers_.size() >= screen::kMaxViewers) return "8 viewers watch this app already; close one of them";
  const auto watchers = std::ranges::count_if(viewers_, [](const auto& viewer) { return !viewer->controls(); });
  const bool full = may == Viewer::May::kWatch && static_cast<std::size_t>(watchers) >= screen::kMaxWatchers;
  return full ? "6 others watch this app already, as many as it takes" : nullptr;
}

void Stream::accept(int listener, Viewer::May may) {
  const int socket = ::accept4(listener, nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC);
  if (socket >= 0) admit(socket, may);
}

// One of those whom the node hands over.
Result<void> Stream::introduce() {
  char what = 0;
  int socket = -1;
  const Passed passed = receive_files(listeners_.control, {&what, 1}, {&socket, 1}, MSG_DONTWAIT);
  if (passed.bytes < 0 && (errno == EAGAIN || errno == EINTR)) return {};
  if (passed.bytes <= 0) return fail(Code::kAborted, "the node has ended it");
  if (passed.files == 0) return {};
  ::fcntl(socket, F_SETFL, O_NONBLOCK);
  admit(socket, what == 'c' ? Viewer::May::kControl : Viewer::May::kWatch);
  return {};
}

Result<void> Stream::take_viewers(bool control, bool watch) {
  if (sharing_ != nullptr) return control ? introduce() : Result<void>();
  if (control) accept(listeners_.control, Viewer::May::kControl);
  if (watch) accept(listeners_.watch, Viewer::May::kWatch);
  return {};
}

void Stream::admit(int socket, Viewer::May may) {
  const int yes = 1;
  ::setsockopt(socket, IPPROTO_TCP, TCP_NODELAY, &yes, sizeof yes);
  ::setsockopt(socket, SOL_SOCKET, SO_SNDBUF, &kSendBuffer, sizeof kSendBuffer);
  auto viewer = std::make_unique<Viewer>(socket, may);
  v1::ToViewer first;
  const char* full = why_full(may);
  if (full == nullptr) {
    *first.mutable_cursor() = screen_->cursor();
    if (viewer->controls()) *first.mutable_gamepad() = gamepad_.told(Clock::now());
    viewer->send(first);
    if (viewer->controls()) exchange_->welcome(socket);
    viewers_.push_back(std::move(viewer));
    return;
  }
  first.set_problem(full);
  viewer->send(first);
  static_cast<void>(viewer->write());
}

// Whatever any viewer holds is held; the pointer is where it was moved last.
void Stream::give_input() {
  std::uint32_t buttons = 0;
  std::vector<std::uint32_t> keys;
  v1::Pad pad;
  for (const auto& viewer : viewers_) {
    buttons |= viewer->input.buttons();
    pad = merged(pad, viewer->input.pad());
    keys.insert(keys.end(), viewer->input.keys().begin(), viewer->input.keys().end());
  }
  screen_->hold_buttons(buttons);
  screen_->hold_keys(keys, Clock::now());
  gamepad_.hold(pad);
}

void Stream::hear(Viewer& viewer, const v1::FromViewer& message) {
  if (message.has_view()) {
    viewer.watches = true;
    viewer.needs_key = true;
    viewer.codec = message.codec();
    if (message.sound() && sound_ && !somebody_listens()) sound_->forget();
    viewer.listens = message.sound();
    if (viewer.controls()) screen_->watch({message.view().width(), message.view().height()});
  }
  if (message.kbits() > 0) viewer.set_rate(message.kbits());
  if (message.shown() > 0) viewer.on_shown(message.shown(), Clock::now());
  if (message.key_picture()) viewer.needs_key = true;
  // The same input may come by two ways.
  const bool is_new = message.input().number() == 0 || message.input().number() > viewer.input.number();
  if (message.has_input() && is_new) {
    const v1::Input& input = message.input();
    const auto same_keys = std::ranges::equal(input.keys(), viewer.input.keys());
    const bool same_pad = events_between(viewer.input.pad(), input.pad()).empty();
    if (!same_keys || !same_pad || input.buttons() != viewer.input.buttons()) last_input_ = Clock::now();
    move_pointer(viewer, input);
    viewer.input = input;
    give_input();
    screen_->turn_wheel(input.wheel_x(), input.wheel_y());
  }
  if (!message.text().empty()) screen_->type(message.text(), Clock::now());
  if (!message.voice().empty() && sound_) sound_->record(message.voice());
  exchange_->hear(viewer.socket(), message, Clock::now());
}

// To where it is said to be if anything but keys has changed; else it may be another viewer's.
void Stream::move_pointer(const Viewer& viewer, const v1::Input& input) {
  const bool stays = input.x() < 0 && input.y() < 0;
  if (!stays && (input.x() != viewer.input.x() || input.y() != viewer.input.y() ||
                 input.buttons() != viewer.input.buttons() || input.wheel_x() != 0 || input.wheel_y() != 0)) {
    screen_->move_pointer(input.x(), input.y());
  }
  if (input.dx() != 0 || input.dy() != 0) screen_->push_pointer(input.dx(), input.dy());
}

// What is exchanged with the app goes when nothing else waits.
Result<void> Stream::write_to(Viewer& viewer) {
  for (;;) {
    if (Result<void> written = viewer.write(); !written || viewer.has_more_to_write()) return written;
    const std::optional<v1::ToViewer> more = exchange_->next_for(viewer.socket());
    if (!more) return {};
    viewer.send(*more);
  }
}

void Stream::drop(std::size_t index) {
  exchange_->forget(viewers_[index]->socket());
  viewers_.erase(viewers_.begin() + static_cast<std::ptrdiff_t>(index));
  give_input();
}

void Stream::tell_cursor() {
  std::optional<v1::Cursor> cursor = screen_->take_cursor();
  if (!cursor || viewers_.empty()) return;
  v1::ToViewer message;
  *message.mutable_cursor() = std::move(*cursor);
  for (const auto& viewer : viewers_) {
    if (!viewer->has_more_to_write()) viewer->send(message);
  }
}

void Stream::tell_gamepad() {
  std::optional<v1::Gamepad> told = gamepad_.take_told(Clock::now());
  if (!told) return;
  v1::ToViewer message;
  *message.mutable_gamepad() = std::move(*told);
  for (const auto& viewer : viewers_) {
    if (viewer->controls()) viewer->send(message);
  }
}

bool Stream::somebody_listens() const {
  return std::ranges::any_of(viewers_, [](const auto& viewer) { return viewer->listens; });
}

void Stream::tell_sound() {
  const auto now = Clock::now().time_since_epoch();
  for (v1::Sound& sound : sound_->take(std::chrono::duration_cast<std::chrono::microseconds>(now).count())) {
    v1::ToViewer message;
    *message.mutable_sound() = std::move(sound);
    for (const auto& viewer : viewers_) {
      if (viewer->listens && viewer->waiting_bytes() < kMaxBeforeSound) viewer->send(message);
    }
  }
}

Result<void> Stream::look_at_sign() {
  if (!sign_) return {};
  const auto controllers = std::ranges::count_if(viewers_, [](const auto& viewer) { return viewer->controls(); });
  sign_->tell(static_cast<std::size_t>(controllers), viewers_.size() - static_cast<std::size_t>(controllers));
  return sign_->look(Clock::now());
}

// Whether it has another size.
Result<bool> Stream::follow_size() {
  const Result<bool> changed = screen_->follow_size();
  if (!changed || !*changed) return changed;
  size_ = screen_->size();
  return true;
}

Track::Moment Stream::moment(Clock::time_point now) const {
  return {.now = now, .changed = screen_->changed(), .answers = now - last_input_ < kAnswersFor};
}

// Until there is a picture to be made for somebody who has room for it; a long time, if something else must happen
// first.
Clock::duration Stream::until_next(Clock::time_point now) const {
  Clock::duration wait = std::chrono::hours(1);
  for (const Track& track : tracks_) wait = std::min(wait, track.due(viewers_, moment(now)) - now);
  return std::max(wait, Clock::duration(0));
}

Result<void> Stream::show(Clock::time_point now) {
  if (const Result<bool> followed = follow_size(); !followed) return std::unexpected(followed.error());
  const Track::Moment before = moment(now);
  const Result<Screen::Pixels> pixels = screen_->capture();
  if (!pixels) {
    const Result<bool> followed = follow_size();
    return followed && *followed ? Result<void>() : std::unexpected(pixels.error());
  }
  planes_.take(pixels->bgrx, pixels->stride, size_);
  const Clock::duration capture = Clock::now() - now;
  for (Track& track : tracks_) {
    if (track.due(viewers_, before) > now) {
      track.pass_over(before);
    } else if (Result<void> shown = track.show(planes_, viewers_, before, capture); !shown) {
      return shown;
    }
  }
  return {};
}

Result<void> Stream::turn() {
  constexpr std::size_t kFirstViewer = 3;
  std::vector<pollfd> files = {{.fd = listeners_.control, .events = POLLIN, .revents = 0},
                               {.fd = listeners_.watch, .events = POLLIN, .revents = 0},
                               {.fd = screen_->file(), .events = POLLIN, .revents = 0}};
  for (const auto& viewer : viewers_) {
    const short events = viewer->has_more_to_write() ? POLLIN | POLLOUT : POLLIN;
    files.push_back({.fd = viewer->socket(), .events = events, .revents = 0});
  }
  for (const int file : exchange_->files()) files.push_back({.fd = file, .events = POLLIN, .revents = 0});
  for (const pollfd& file : gamepad_.files()) files.push_back(file);
  files.push_back({.fd = sign_ ? sign_->file() : -1, .events = POLLIN, .revents = 0});
  const bool listens = sound_ && somebody_listens();
  if (listens) files.push_back({.fd = sound_->file(), .events = POLLIN, .revents = 0});
  const Clock::time_point before = Clock::now();
  Clock::duration wait = std::min({until_next(before), screen_->until_due(before), exchange_->until_due(before)});
  if (sign_) wait = std::min(wait, sign_->until_due(before));
  const auto nanos = std::chrono::duration_cast<std::chrono::nanoseconds>(wait).count();
  const timespec limit{.tv_sec = nanos / 1'000'000'000, .tv_nsec = nanos % 1'000'000'000};
  if (::ppoll(files.data(), files.size(), &limit, nullptr) < 0 && errno != EINTR) return fail_errno(errno, "waiting");
  if (listens && files.back().revents != 0) tell_sound();
  for (std::size_t at = viewers_.size(); at-- > 0;) {
    if ((files[at + kFirstViewer].revents & ~POLLOUT) == 0) continue;
    const Result<std::vector<v1::FromViewer>> said = viewers_[at]->read();
    if (said) {
      for (const v1::FromViewer& message : *said) hear(*viewers_[at], message);
    } else {
      drop(at);
    }
  }
  screen_->look(Clock::now());
  exchange_->look(Clock::now());
  gamepad_.look(Clock::now());
  tell_cursor();
  tell_gamepad();
  if (Result<void> taken = take_viewers(files[0].revents != 0, files[1].revents != 0); !taken) return taken;
  if (Result<void> shown = look_at_sign(); !shown) return shown;
  for (Track& track : tracks_) track.rest_without(viewers_);
  const Clock::time_point now = Clock::now();
  if (until_next(now) == Clock::duration(0)) {
    if (Result<void> shown = show(now); !shown) return shown;
  }
  for (std::size_t at = viewers_.size(); at-- > 0;) {
    if (!write_to(*viewers_[at])) drop(at);
  }
  return {};
}

Error Stream::run() {
  for (;;) {
    if (sharing_ != nullptr && sharing_->told_to_end != 0) return {Code::kCanceled, "it was told to end"};
    if (Result<void> done = turn(); !done) return done.error();
  }
}

}  // namespace

Error stream(Listeners listeners, const std::filesystem::path& session) {
  Result<std::unique_ptr<Screen>> screen = Screen::open(kFirstSize);
  if (!screen) return screen.error();
  std::error_code failure;
  Result<std::unique_ptr<Exchange>> exchange = Exchange::open(std::filesystem::current_path(failure));
  if (!exchange) return exchange.error();
  Result<std::unique_ptr<Sound>> sound = Sound::open(session);
  return Stream(listeners, std::move(*screen), std::move(*exchange), sound ? std::move(*sound) : nullptr).run();
}

Error share_desktop(const Sharing& sharing) {
  const Result<StopKey> stop_key = parse_stop_key(sharing.stop_key);
  if (!stop_key) return stop_key.error();
  Result<std::unique_ptr<Screen>> screen = Screen::attach();
  if (!screen) return screen.error();
  std::error_code failure;
  Result<std::unique_ptr<Exchange>> exchange = Exchange::open(std::filesystem::current_path(failure));
  if (!exchange) return exchange.error();
  Result<std::unique_ptr<Sign>> sign = Sign::open(*stop_key);
  if (!sign) return sign.error();
  sharing.ready();
  return Stream(sharing, std::move(*screen), std::move(*exchange), std::move(*sign)).run();
}

}  // namespace hearth::display
