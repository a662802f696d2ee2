#include "sandbox/microvm/machine_listener.h"

#include <cerrno>
#include <csignal>
#include <cstring>

#include <unistd.h>

namespace hearth::sandbox {
namespace {

constexpr std::size_t kMaxConsoleBytes = 8192;
constexpr std::uint32_t kMaxFiles = 100'000;
constexpr std::string_view kOurLine = "hearth: ";  // how process 1 begins what it says on the console
// How QEMU says that KVM gave up. It stops the machine then, and waits for somebody to look at it.
constexpr std::string_view kKvmGaveUp[] = {"KVM internal error", "KVM: entry failed"};

std::unexpected<Error> nonsense(std::string_view what) {
  return fail(Code::kInvalidArgument, "the machine sent " + std::string(what));
}

}  // namespace

MachineListener::MachineListener(WorkingDirectory& directory, std::string program)
    : directory_(directory), program_(std::move(program)), reader_(*this) {}

void MachineListener::hear(Stream pipe, std::string_view piece, const Print& print) {
  if (pipe == Stream::kStderr) {
    console_ += piece;
    if (console_.size() > kMaxConsoleBytes) console_.erase(0, console_.size() - kMaxConsoleBytes);
    if (!broken_) look_for_kvm();
    return;
  }
  if (broken_) return;
  print_ = &print;
  if (Result<void> done = reader_.feed(piece); !done) broken_ = done.error();
  print_ = nullptr;
}

void MachineListener::look_for_kvm() {
  for (const std::string_view words : kKvmGaveUp) {
    const std::size_t at = console_.find(words);
    const std::size_t end = at == std::string::npos ? at : console_.find('\n', at);
    if (end == std::string::npos) continue;  // not said, or not to the line's end
    broken_ = Error{Code::kFailedPrecondition,
                    "KVM of this PC could not go on with the virtual machine (" +
                        quotable(std::string_view(console_).substr(at, end - at)) +
                        "); where this PC is itself a virtual machine, its host must pass virtualization on to it "
                        "('nested'), or else update its firmware and kernel"};
  }
}

Result<void> MachineListener::begin_file(const wire::Header& header, std::string_view name) {
  if (!exit_code_) return nonsense("a result before the program's end");
  if (++files_ > kMaxFiles) {
    return fail(Code::kResourceExhausted, "the program left more than " + std::to_string(kMaxFiles) + " files");
  }
  Result<int> file = directory_.replace_file(name, (header.flags & wire::kExecutable) != 0);
  if (!file) return std::unexpected(file.error());
  file_.reset(*file);
  return {};
}

Result<void> MachineListener::on_record(const wire::Header& header, std::string_view name) {
  kind_ = header.kind;
  if (kind_ != wire::Kind::kFile && header.size > wire::kMaxPieceBytes) return nonsense("a record that is too large");
  switch (kind_) {
    case wire::Kind::kFile:
      return begin_file(header, name);
    case wire::Kind::kRemoved:
      if (!exit_code_) return nonsense("a result before the program's end");
      if (directory_.inputs().contains(std::string(name))) directory_.remove_file(name);
      return {};
    case wire::Kind::kStarted:
      started_ = true;
      return {};
    case wire::Kind::kNotStarted:
      not_started_ = static_cast<int>(header.number & 0xFFF);
      return {};
    case wire::Kind::kExit:
      if (!started_ || exit_code_) return nonsense("an end without a beginning");
      exit_code_ = static_cast<int>(header.number & 0xFF);
      out_of_memory_ = (header.flags & wire::kOutOfMemory) != 0;
      return {};
    case wire::Kind::kStdout:
    case wire::Kind::kStderr:
    case wire::Kind::kEnd:
      return {};
    default:
      return nonsense("a record that is for machines");
  }
}

Result<void> MachineListener::on_content(std::string_view piece) {
  if (kind_ == wire::Kind::kStdout || kind_ == wire::Kind::kStderr) {
    (*print_)(kind_ == wire::Kind::kStdout ? Stream::kStdout : Stream::kStderr, piece);
  }
  while (kind_ == wire::Kind::kFile && !piece.empty()) {
    ssize_t count = ::write(file_.get(), piece.data(), piece.size());
    if (count < 0) return fail_errno(errno, "taking an output");
    piece.remove_prefix(static_cast<std::size_t>(count));
  }
  return {};
}

Result<void> MachineListener::on_record_end() {
  file_.reset();
  return {};
}

// What process 1 complained of, or else the console's last line.
std::string MachineListener::last_words() const {
  std::string_view text = console_;
  while (!text.empty() && (text.back() == '\n' || text.back() == '\r')) text.remove_suffix(1);
  std::size_t ours = text.rfind(kOurLine);
  std::size_t from = ours != std::string_view::npos ? ours + kOurLine.size() : text.rfind('\n') + 1;
  const std::string line = quotable(text.substr(from, text.find('\n', from) - from));
  return line.empty() ? "it ended without a word" : line;
}

void MachineListener::conclude(const Ending& ending, const Print& /*print*/, Exit& exit) {
  if (exit_code_ && (reader_.ended() || ending.kill_wanted)) {
    fill_exit(*exit_code_, exit);
    exit.out_of_memory = exit.out_of_memory || out_of_memory_;
  } else if (not_started_) {
    exit.message = "the program '" + program_ + "' " +
                   (*not_started_ == ENOENT   ? "was not found in the environment"
                    : *not_started_ == EACCES ? "is not executable"
                                              : "could not be started: " + std::string(std::strerror(*not_started_)));
  } else if (broken_) {
    exit.message = exit_code_ ? "its results could not be taken: " + broken_->message : broken_->message;
  } else if (started_) {
    fill_exit(128 + SIGKILL, exit);
  } else {
    exit.message = ending.kill_wanted ? "ended before the program was started"
                                      : "the virtual machine could not start: " + last_words();
  }
}

}  // namespace hearth::sandbox
