// What a PC's owner says to this PC alone, with or without a hub.
#include <chrono>
#include <thread>

#include <fmt/format.h>

#include "cli/commands.h"
#include "cli/documents.h"
#include "cli/output.h"

namespace hearth::cli {
namespace {

constexpr std::chrono::milliseconds kRound(50);
constexpr int kRounds = 200;  // 10 s

// Whether nothing runs for others any more, by what this PC's node says; true where none runs.
bool stands_still(const Home& home) {
  if (!Lock::holder(home)) return true;
  const Result<std::string> file = read_small_file(home.node_status());
  const Result<NodeStatus> status = file ? parse_node_status(*file) : std::unexpected(file.error());
  return status && status->stopped && status->tasks.empty();
}

}  // namespace

Result<int> stop_everything(const Context& context) {
  if (Result<void> written = write_file_atomically(context.home.node_stopped(), "hearth resume\n"); !written) {
    return std::unexpected(written.error());
  }
  int round = 0;
  while (!stands_still(context.home) && ++round < kRounds) std::this_thread::sleep_for(kRound);
  const bool ended = round < kRounds;
  if (context.json) {
    print(object_json({{"stopped", ended}}));
  } else if (ended) {
    say("Everything that others run on this PC is ended; their tasks go back to the queue. Nothing starts until: "
        "hearth resume");
  }
  if (ended) return 0;
  return fail(Code::kDeadlineExceeded,
              "this PC's node has not ended everything yet; it will as soon as it can, and: hearth down ends the node");
}

Result<int> resume(const Context& context) {
  std::error_code failure;
  const bool was_stopped = std::filesystem::remove(context.home.node_stopped(), failure);
  if (failure) {
    return fail(Code::kInternal,
                fmt::format("{} cannot be removed: {}", context.home.node_stopped().string(), failure.message()));
  }
  if (context.json) {
    print(object_json({{"stopped", false}}));
  } else {
    say(was_stopped ? "Others may use this PC again." : "This PC was not stopped.");
  }
  return 0;
}

}  // namespace hearth::cli
