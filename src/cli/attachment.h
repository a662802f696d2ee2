// This process's terminal as that of a job's text program (proto/hearth/v1/terminal.proto): what is typed goes there,
// what it writes comes here, and it has this window's size. Rides out a link that breaks, and leaves the terminal as it
// was.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include <termios.h>

#include "cli/client.h"
#include "hearth/v1/terminal.pb.h"
#include "net/websocket.h"
#include "terminal/modes.h"

namespace hearth::cli {

inline constexpr char kDetachKey = 0x1d;  // Ctrl-], as in telnet

// A terminal that hands over every key as it is, until the object's end.
class RawMode {
 public:
  explicit RawMode(int file);
  ~RawMode() { restore(); }
  RawMode(const RawMode&) = delete;
  RawMode& operator=(const RawMode&) = delete;
  void restore();

 private:
  int file_;
  std::optional<termios> before_;
};

class Attachment : public std::enable_shared_from_this<Attachment> {
 public:
  // Made as a shared one: signals outlive it.
  Attachment(Client& client, std::uint64_t job) : client_(client), job_(job) {}

  struct End {
    enum class How : std::uint8_t { kProgram, kJob, kLeft };  // the program has ended; the job has; the user left it
    How how = How::kProgram;
    int exit_code = 0;  // of the program; 128 and a signal's number, if that ended this
  };
  // Waits for the program to begin, then until its end. Standard input and output are terminals. Errors: of the hub;
  // kUnavailable (it has been away for longer than kPatience).
  net::Async<Result<End>> run();

  // At once, whatever runs: the process is about to end.
  void restore_terminal();

 private:
  net::Async<Result<void>> open();
  net::Async<std::optional<Result<End>>> after(Error error);
  net::Async<void> pump();
  net::Async<void> read_keys();
  net::Async<void> send(v1::FromTerminalViewer message);
  net::Async<void> tell_size();
  net::Async<Result<End>> follow();
  bool hear(const v1::ToTerminalViewer& message);
  void begin(const v1::TerminalStart& start);
  void show(const v1::TerminalOutput& output);
  void on_typed(std::string typed);
  void leave(int code);

  Client& client_;
  std::uint64_t job_;
  std::shared_ptr<net::WebSocket> socket_;
  std::unique_ptr<RawMode> raw_;
  terminal::Modes modes_;
  std::uint64_t run_ = 0;
  std::uint64_t shown_ = 0;
  std::uint64_t present_ = 0;  // what comes before is of the past: what this terminal answers to it is dropped
  Time deaf_until_;
  Time since_;  // it is waited for the hub or the node
  bool said_waiting_ = false;
  bool reading_ = false;
  bool over_ = false;
  std::string problem_;
  std::optional<End> end_;
};

}  // namespace hearth::cli
