// What this PC and the machine of the cluster that runs an attempt leave for each other, in one directory of the
// cluster's shared file system:
//
//   order         what to run, as JSON; written here
//   inputs/       its small files; large ones are named in the order
//   stop          somebody wants it to end; written here
//   log           what the program prints, in frames
//   outputs/      copies of what was collected
//   end           how it ended, as JSON; the last thing that is written there
//   slurm.out     what Slurm and the shell say
//
// All files are whole before they have their name, but for `log`, which grows.
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "sandbox/sandbox.h"

namespace hearth::slurm {

struct AttemptFiles {
  std::filesystem::path directory;
  std::filesystem::path order() const { return directory / "order"; }
  std::filesystem::path inputs() const { return directory / "inputs"; }
  std::filesystem::path stop() const { return directory / "stop"; }
  std::filesystem::path log() const { return directory / "log"; }
  std::filesystem::path outputs() const { return directory / "outputs"; }
  std::filesystem::path end() const { return directory / "end"; }
  std::filesystem::path slurm_out() const { return directory / "slurm.out"; }
};

// What one attempt's job is to do.
struct Order {
  std::string name;  // of the sandbox
  sandbox::Limits limits;
  sandbox::Setup setup;      // of the network only the kinds kNone and kFull travel, and no image
  sandbox::Command command;  // GPUs by their number alone
};
std::string format_order(const Order& order);
Result<Order> parse_order(std::string_view json);  // kDataLoss

struct End {
  sandbox::Exit exit;
  std::vector<sandbox::Output> outputs;
  std::string refusal;  // why the outputs are not all that was asked for; empty: they are
  std::uint8_t refusal_code = 0;
};
std::string format_end(const End& end);
Result<End> parse_end(std::string_view json);  // kDataLoss

// The file appears whole or not at all, on the disk, mode 0600. Errors: of the file system.
Result<void> write_whole(const std::filesystem::path& file, std::string_view content);

// The file, at most `limit` bytes of it. Errors: kNotFound, of the file system.
Result<std::string> read_file(const std::filesystem::path& file, std::size_t limit);

// One piece of a log: a byte for the stream, four for the length (the lowest first), the text.
inline constexpr std::size_t kMaxFrameText = 64 << 10;
std::string format_frame(sandbox::Stream stream, std::string_view text);

// Takes a log apart, however its bytes come.
class LogReader {
 public:
  using Take = std::function<void(sandbox::Stream, std::string_view)>;
  // Gives each whole piece to `take`. False: this is no log; nothing further is taken from it.
  bool feed(std::string_view bytes, const Take& take);

 private:
  std::string rest_;
  bool broken_ = false;
};

}  // namespace hearth::slurm
