// What a PC's owner says to this PC alone, with or without a hub.
#include <fmt/format.h>

#include "cli/commands.h"
#include "cli/documents.h"
#include "cli/output.h"

namespace hearth::cli {

Result<int> stop_everything(const Context& context) {
  if (Result<void> written = write_file_atomically(context.home.node_stopped(), "hearth resume\n"); !written) {
    return std::unexpected(written.error());
  }
  if (context.json) {
    print(object_json({{"stopped", true}}));
  } else {
    say("Everything that others run on this PC is ended; their tasks go back to the queue. Nothing starts until: "
        "hearth "
        "resume");
  }
  return 0;
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
