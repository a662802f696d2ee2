// A compositor of a test's own, which shows nothing: a process that can be stopped and killed.
//
//   FakeCompositor compositor(directory / "wayland-0", {.kde = true});
//   ASSERT_TRUE(compositor.runs());
//   compositor.become_idle();
#pragma once

#include <array>
#include <csignal>
#include <set>
#include <string>
#include <vector>

#include <ext-idle-notify-v1-server.h>
#include <gtest/gtest.h>
#include <idle-server.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>
#include <wayland-server.h>

namespace hearth::presence {

// What the compositor has.
struct Offer {
  bool standard = true;  // ext-idle-notify-v1
  bool kde = false;
  int seats = 1;
};

// The compositor's side, in its process: seats without devices, and notifications that are sent when the test says so.
class CompositorProcess {
 public:
  CompositorProcess(const std::string& socket, const Offer& offer) : display_(wl_display_create()) {
    if (wl_display_add_socket(display_, socket.c_str()) != 0) ::_exit(1);
    const auto add = [this](const wl_interface& what, wl_global_bind_func_t bind) {
      return wl_global_create(display_, &what, 1, this, bind);
    };
    if (offer.standard) add(ext_idle_notifier_v1_interface, bind_standard);
    if (offer.kde) add(org_kde_kwin_idle_interface, bind_kde);
    for (int seat = 0; seat < offer.seats; ++seat) seats_.push_back(add(wl_seat_interface, bind_seat));
  }

  // Each byte is an order; it comes back once it is carried out.
  void run(int orders) {
    const auto on_order = [](int from, std::uint32_t, void* server) {
      static_cast<CompositorProcess*>(server)->obey(from);
      return 0;
    };
    wl_event_loop_add_fd(wl_display_get_event_loop(display_), orders, WL_EVENT_READABLE, on_order, this);
    wl_display_run(display_);
    ::_exit(0);
  }

 private:
  void obey(int orders) {
    char order = 0;
    if (::read(orders, &order, 1) != 1) ::_exit(0);
    if (order == 'i') tell(true);
    if (order == 'r') tell(false);
    if (order == 's') seats_.push_back(wl_global_create(display_, &wl_seat_interface, 1, this, bind_seat));
    if (order == 'x') wl_global_destroy(seats_.back());
    wl_display_flush_clients(display_);
    if (::write(orders, &order, 1) != 1) ::_exit(1);
  }

  void tell(bool idle) {
    for (wl_resource* one : standard_) {
      idle ? ext_idle_notification_v1_send_idled(one) : ext_idle_notification_v1_send_resumed(one);
    }
    for (wl_resource* one : kde_) {
      idle ? org_kde_kwin_idle_timeout_send_idle(one) : org_kde_kwin_idle_timeout_send_resumed(one);
    }
  }

  static CompositorProcess* server_of(wl_resource* resource) {
    return static_cast<CompositorProcess*>(wl_resource_get_user_data(resource));
  }
  static void end(wl_client*, wl_resource* resource) { wl_resource_destroy(resource); }
  static void forget(wl_resource* resource) {
    server_of(resource)->standard_.erase(resource);
    server_of(resource)->kde_.erase(resource);
  }

  wl_resource* make(wl_client* client, const wl_interface& what, std::uint32_t id, const void* requests) {
    wl_resource* const made = wl_resource_create(client, &what, 1, id);
    wl_resource_set_implementation(made, requests, this, forget);
    return made;
  }

  static void bind_seat(wl_client* client, void* server, std::uint32_t, std::uint32_t id) {
    static_cast<CompositorProcess*>(server)->make(client, wl_seat_interface, id, nullptr);
  }

  static void bind_standard(wl_client* client, void* server, std::uint32_t, std::uint32_t id) {
    static constexpr struct ext_idle_notification_v1_interface kNotification{.destroy = end};
    static constexpr struct ext_idle_notifier_v1_interface kNotifier{
        .destroy = end,
        .get_idle_notification = [](wl_client* from, wl_resource* notifier, std::uint32_t made, std::uint32_t,
                                    wl_resource*) {
          CompositorProcess* const self = server_of(notifier);
          self->standard_.insert(self->make(from, ::ext_idle_notification_v1_interface, made, &kNotification));
        }};
    static_cast<CompositorProcess*>(server)->make(client, ext_idle_notifier_v1_interface, id, &kNotifier);
  }

  static void bind_kde(wl_client* client, void* server, std::uint32_t, std::uint32_t id) {
    static constexpr struct org_kde_kwin_idle_timeout_interface kTimeout{.release = end,
                                                                         .simulate_user_activity = nullptr};
    static constexpr struct org_kde_kwin_idle_interface kIdle{
        .get_idle_timeout = [](wl_client* from, wl_resource* notifier, std::uint32_t made, wl_resource*,
                               std::uint32_t) {
          CompositorProcess* const self = server_of(notifier);
          self->kde_.insert(self->make(from, ::org_kde_kwin_idle_timeout_interface, made, &kTimeout));
        }};
    static_cast<CompositorProcess*>(server)->make(client, org_kde_kwin_idle_interface, id, &kIdle);
  }

  wl_display* display_;
  std::vector<wl_global*> seats_;
  std::set<wl_resource*> standard_;
  std::set<wl_resource*> kde_;
};

class FakeCompositor {
 public:
  FakeCompositor(const std::string& socket, const Offer& offer = {}) {
    std::array<int, 2> ends{};
    if (::socketpair(AF_UNIX, SOCK_STREAM, 0, ends.data()) != 0) return;
    process_ = ::fork();
    if (process_ == 0) {
      ::close(ends[0]);
      CompositorProcess server(socket, offer);
      char ready = 'b';
      if (::write(ends[1], &ready, 1) != 1) ::_exit(1);
      server.run(ends[1]);
    }
    ::close(ends[1]);
    orders_ = ends[0];
    char ready = 0;
    runs_ = ::read(orders_, &ready, 1) == 1;
  }
  ~FakeCompositor() {
    die();
    ::close(orders_);
  }
  FakeCompositor(const FakeCompositor&) = delete;
  FakeCompositor& operator=(const FakeCompositor&) = delete;

  bool runs() const { return runs_; }
  void become_idle() { order('i'); }
  void resume() { order('r'); }
  void add_seat() { order('s'); }
  void remove_newest_seat() { order('x'); }
  void hang() { ::kill(process_, SIGSTOP); }
  void go_on() { ::kill(process_, SIGCONT); }
  void die() {
    if (process_ <= 0) return;
    ::kill(process_, SIGKILL);
    ::waitpid(process_, nullptr, 0);
    process_ = -1;
  }

 private:
  void order(char what) {
    ASSERT_EQ(::write(orders_, &what, 1), 1);
    ASSERT_EQ(::read(orders_, &what, 1), 1) << "the compositor has ended";
  }

  pid_t process_ = -1;
  int orders_ = -1;
  bool runs_ = false;
};

}  // namespace hearth::presence
