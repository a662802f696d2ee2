// For tests: an X server of one's own, and another program on it.
#pragma once

#include <array>
#include <chrono>
#include <csignal>
#include <cstdlib>
#include <string>
#include <thread>

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <X11/Xatom.h>

#include "display/answers.h"
#include "display/connection.h"

namespace hearth::display {

// DISPLAY names it from then on. One that did not start has no name.
class TestServer {
 public:
  TestServer() {
    std::array<int, 2> pipe{};
    if (::access("/usr/bin/Xvfb", X_OK) != 0 || ::pipe(pipe.data()) != 0) return;
    process_ = ::fork();
    if (process_ == 0) {
      ::prctl(PR_SET_PDEATHSIG, SIGKILL);
      ::close(pipe[0]);
      const int nothing = ::open("/dev/null", O_WRONLY);
      ::dup2(nothing, STDERR_FILENO);
      const std::string file = std::to_string(pipe[1]);
      ::execl("/usr/bin/Xvfb", "Xvfb", "-displayfd", file.c_str(), "-screen", "0", "800x600x24", "-nolisten", "tcp",
              "-noreset", nullptr);
      ::_exit(127);
    }
    ::close(pipe[1]);
    for (char letter = 0; ::read(pipe[0], &letter, 1) == 1 && letter != '\n';) name_ += letter;
    ::close(pipe[0]);
    if (!name_.empty()) name_ = ":" + name_;
    ::setenv("DISPLAY", name_.c_str(), 1);
  }
  ~TestServer() {
    if (process_ <= 0) return;
    ::kill(process_, SIGTERM);
    ::waitpid(process_, nullptr, 0);
  }
  TestServer(const TestServer&) = delete;
  TestServer& operator=(const TestServer&) = delete;

  bool runs() const { return !name_.empty(); }

 private:
  pid_t process_ = -1;
  std::string name_;
};

// Looks again and again; false: it did not come to be within 30 s.
template <class Condition>
bool comes_to_be(Condition condition) {
  for (int i = 0; i < 15'000; ++i) {
    if (condition()) return true;
    std::this_thread::sleep_for(std::chrono::milliseconds(2));
  }
  return false;
}

// Another program with a window: it copies and pastes, as toolkits do. Call go_on() until what was asked for is there.
class TestProgram {
 public:
  TestProgram() : display_(std::move(*connect())), answers_(display_.get()) {
    window_ = ::XCreateSimpleWindow(display(), DefaultRootWindow(display()), 0, 0, 300, 200, 0, 0, 0);
    ::XSelectInput(display(), window_, PropertyChangeMask);
    ::XSync(display(), False);
  }
  virtual ~TestProgram() = default;
  TestProgram(const TestProgram&) = delete;
  TestProgram& operator=(const TestProgram&) = delete;

  Display* display() const { return display_.get(); }
  Window window() const { return window_; }
  Atom atom(const char* name) const { return ::XInternAtom(display(), name, False); }

  void copy(const char* selection, const std::string& text, const char* kind = "UTF8_STRING") {
    offer_.since = server_time(display(), window_);
    offer_.values = {{atom(kind), {.type = atom(kind), .bytes = std::make_shared<const std::string>(text)}}};
    ::XSetSelectionOwner(display(), atom(selection), window_, offer_.since);
    ::XSync(display(), False);
  }

  void paste(const char* selection, const char* kind) {
    got_.clear();
    type_ = 0;
    pasted_ = false;
    by_pieces_ = false;
    ::XConvertSelection(display(), atom(selection), atom(kind), atom("GOT"), window_, CurrentTime);
    ::XFlush(display());
  }
  bool pasted() const { return pasted_; }  // it has been answered
  const std::string& got() const { return got_; }
  std::string type() const {
    char* name = type_ == 0 ? nullptr : ::XGetAtomName(display(), type_);
    std::string text = name == nullptr ? "" : name;
    if (name != nullptr) ::XFree(name);
    return text;
  }
  bool came_by_pieces() const { return by_pieces_; }

  void go_on() {
    while (::XPending(display()) > 0) {
      XEvent event{};
      ::XNextEvent(display(), &event);
      if (event.type == SelectionRequest && answers) {
        answers_.give(event.xselectionrequest, offer_, Clock::now());
      } else if (event.type == SelectionNotify) {
        on_answer(event.xselection);
      } else if (event.type == PropertyNotify) {
        answers_.take(event.xproperty, Clock::now());
        const bool is_piece = by_pieces_ && event.xproperty.window == window_ && event.xproperty.atom == atom("GOT") &&
                              event.xproperty.state == PropertyNewValue;
        if (is_piece) pasted_ = read() == 0;
      } else if (event.type == ClientMessage) {
        on_message(event.xclient);
      }
    }
    ::XFlush(display());
  }

  bool answers = true;

 protected:
  virtual void on_message(const XClientMessageEvent& /*event*/) {}

 private:
  void on_answer(const XSelectionEvent& event) {
    if (event.property == None) {
      pasted_ = true;
      return;
    }
    read();
    by_pieces_ = type() == "INCR";
    if (by_pieces_) got_.clear();
    pasted_ = !by_pieces_;
  }

  unsigned long read() {
    int format = 0;
    unsigned long count = 0;
    unsigned long rest = 0;
    unsigned char* data = nullptr;
    ::XGetWindowProperty(display(), window_, atom("GOT"), 0, 1 << 20, True, AnyPropertyType, &type_, &format, &count,
                         &rest, &data);
    if (data == nullptr) return 0;
    const std::size_t bytes = count * (format == 32 ? sizeof(long) : 1U);
    got_.append(reinterpret_cast<char*>(data), bytes);
    ::XFree(data);
    return count;
  }

  Connection display_;
  Answers answers_;
  Answers::Offer offer_;
  Window window_ = 0;
  std::string got_;
  Atom type_ = 0;
  bool pasted_ = false;
  bool by_pieces_ = false;
};

}  // namespace hearth::display
