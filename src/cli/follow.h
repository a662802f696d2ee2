// The network's part of `hearth run`, `logs` and `get`: streams logs to this process's standard output and error, and
// fetches results. Rides out a broken stream and a hub that starts again.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "cli/client.h"
#include "cli/log_printer.h"
#include "cli/output.h"
#include "hearth/v1/jobs.pb.h"

namespace hearth::cli {

// How long a hub may be away before a command gives up.
inline constexpr Duration kPatience = seconds(120);

// Repeats a call that is safe to repeat, for up to kPatience of passing failures.
net::Async<Result<void>> call_patiently(account::Session& session, std::string method,
                                        const google::protobuf::Message& request, google::protobuf::Message& reply);

template <class Reply>
net::Async<Result<Reply>> call_patiently(account::Session& session, std::string method,
                                         const google::protobuf::Message& request) {
  Reply reply;
  Result<void> done = co_await call_patiently(session, std::move(method), request, reply);
  if (!done) co_return std::unexpected(done.error());
  co_return std::move(reply);
}

// Opens a stream anew whenever it breaks, with a session's token, until it ends well or with what no repetition mends.
// `once` calls `alive` whenever something comes, which starts kPatience anew.
net::Async<Result<void>> stream_patiently(
    Client& client, std::function<net::Async<Result<void>>(std::string token, std::function<void()> alive)> once);

// Something done again and again beside the main thing, until stop(), which waits for its end.
class Pulse {
 public:
  Pulse(net::Loop& loop, Duration every, std::function<net::Async<void>()> work);
  net::Async<void> stop();

 private:
  struct State {
    bool stop = false;
    bool ended = false;
    net::Event wake;
  };
  static net::Async<void> beat(std::shared_ptr<State> state, Duration every, std::function<net::Async<void>()> work);
  std::shared_ptr<State> state_;
};

// Renews the session's token when it is about to run out: a pulse of long transfers.
net::Async<void> keep_fresh(Client& client);

struct FollowOptions {
  std::uint64_t job = 0;
  std::vector<std::uint32_t> tasks;  // empty: all
  bool follow = true;                // until the job has ended
  LogPrinter::Prefix prefix = LogPrinter::Prefix::kNone;
  int stdout_file = 1;  // where the tasks' standard output goes
};

// Progress that is drawn while nothing is written, shared with whoever draws it.
struct Quiet {
  ProgressLine progress;
  Time last_output;
  bool within_line = false;
};

// Writes the log until its end. Errors: of the call; kUnavailable "nobody reads" (code kCanceled) when standard output
// was closed.
net::Async<Result<void>> follow_logs(Client& client, FollowOptions options, std::shared_ptr<Quiet> quiet);

struct FetchedResults {
  std::vector<std::string> files;
  std::vector<std::string> kept;  // under their new names: files that were there and differed
  std::vector<std::string> warnings;
};

// Fetches the outputs of a job's tasks (of one, or of all that have some) into a directory. What is there by such a
// name and differs is kept beside it, see Destination::Place::keep(), and told of in the warnings.
struct FetchOptions {
  std::uint64_t job = 0;
  std::optional<std::uint32_t> task;
  std::filesystem::path directory;
  std::string below = {};      // a folder of theirs, "results/": without its name in front
  bool of_good_tasks = false;  // of those alone that succeeded
  bool replaces = false;       // keeps nothing
};
net::Async<Result<FetchedResults>> fetch_results(Client& client, FetchOptions options);

}  // namespace hearth::cli
