#include "cli/follow.h"

#include <algorithm>
#include <utility>

#include <sys/stat.h>

#include <fmt/format.h>

#include "base/bytes.h"
#include "blob/local_file.h"
#include "blob/parallel.h"
#include "blob/transfer.h"
#include "cli/results.h"

namespace hearth::cli {
namespace {

constexpr Duration kFirstPause = milliseconds(100);
constexpr Duration kLongestPause = seconds(2);
constexpr std::uint32_t kPage = 1000;  // tasks a call

// How long to wait before the next try, and whether there is one.
class Retries {
 public:
  explicit Retries(net::Loop& loop) : loop_(loop), since_(loop.now()) {}

  void succeeded() {
    since_ = loop_.now();
    pause_ = kFirstPause;
  }

  net::Async<bool> may_repeat(Error error) {
    if (!is_passing(error) || loop_.now() - since_ > kPatience) co_return false;
    co_await net::sleep_for(pause_);
    pause_ = std::min(pause_ * 2, kLongestPause);
    co_return true;
  }

 private:
  net::Loop& loop_;
  Time since_;
  Duration pause_ = kFirstPause;
};

v1::LogsRequest logs_request(const FollowOptions& options, const LogPrinter& printer) {
  v1::LogsRequest request;
  request.set_job_id(options.job);
  request.set_follow(options.follow);
  for (const std::uint32_t task : options.tasks) request.add_tasks(task);
  for (const v1::LogsRequest::Cursor& cursor : printer.cursors()) *request.add_cursors() = cursor;
  return request;
}

// Writes on a worker: a reader that stops reading must not stop the loop, which listens for Ctrl-C.
net::Async<Result<void>> write_texts(Client& client, const FollowOptions& options, std::vector<LogText> texts,
                                     Quiet& quiet) {
  if (texts.empty()) co_return Result<void>();
  quiet.progress.clear();
  for (const LogText& text : texts) {
    const bool to_stdout = text.stream != v1::LOG_STREAM_STDERR;
    const int file = to_stdout ? options.stdout_file : 2;
    Result<void> written =
        co_await client.workers().run([file, &text]() -> Result<void> { return write_all(file, text.text); });
    if (written || !to_stdout) continue;
    // Whoever does not read any more wants no more; a disk that is full is another matter.
    const bool is_unread = written.error().code == Code::kUnavailable;
    co_return fail(is_unread ? Code::kCanceled : Code::kInternal, written.error().message);
  }
  quiet.last_output = client.loop().now();
  co_return Result<void>();
}

class Fetcher {
 public:
  Fetcher(Client& client, FetchOptions options)
      : client_(client),
        options_(std::move(options)),
        transfer_(client.session().client(), client.workers(), [&client] { return client.session().last_token(); }) {}

  net::Async<Result<FetchedResults>> run() {
    Result<void> planned = co_await plan();
    if (!planned) co_return std::unexpected(planned.error());
    if (plan_.files().empty()) co_return FetchedResults{};
    const Result<Destination> destination = Destination::open(options_.directory);
    if (!destination) co_return std::unexpected(destination.error());
    FetchedResults fetched;
    fetched.warnings = plan_.warnings();
    for (const PlannedFile& file : plan_.files()) fetched.files.push_back(file.path);
    Result<void> done = co_await blob::run_all(plan_.files().size(),
                                               [&](std::size_t i) { return fetch(*destination, plan_.files()[i]); });
    if (!done) co_return std::unexpected(done.error());
    tell_of_kept(fetched);
    co_return fetched;
  }

 private:
  net::Async<Result<void>> plan() {
    v1::GetJobRequest request;
    request.set_job_id(options_.job);
    request.set_first_task(options_.task.value_or(0));
    request.set_task_limit(options_.task ? 1 : kPage);
    while (true) {
      const Result<v1::GetJobReply> reply =
          co_await call_patiently<v1::GetJobReply>(client_.session(), "hearth.v1.JobService/Get", request);
      if (!reply) co_return std::unexpected(reply.error());
      Result<void> added = co_await add(*reply);
      if (!added) co_return added;
      request.set_first_task(request.first_task() + request.task_limit());
      if (options_.task || request.first_task() >= reply->job().spec().tasks()) co_return Result<void>();
    }
  }

  // The trees come several at once, but are planned in the tasks' order: the first one keeps a name that several want.
  net::Async<Result<void>> add(const v1::GetJobReply& page) {
    std::vector<v1::Tree> trees(static_cast<std::size_t>(page.tasks_size()));
    Result<void> fetched = co_await blob::run_all(
        trees.size(), [&](std::size_t i) { return fetch_tree(page.tasks(static_cast<int>(i)), trees[i]); });
    if (!fetched) co_return fetched;
    for (std::size_t i = 0; i < trees.size(); ++i) {
      Result<void> added = plan_.add(page.tasks(static_cast<int>(i)).index(), trees[i]);
      if (!added) co_return added;
    }
    co_return Result<void>();
  }

  net::Async<Result<void>> fetch_tree(const v1::Task& task, v1::Tree& into) {
    if (task.outcome().outputs().sha256().empty()) co_return Result<void>();
    if (options_.of_good_tasks && task.state() != v1::TASK_STATE_SUCCEEDED) co_return Result<void>();
    Retries retries(client_.loop());
    while (true) {
      Result<v1::Tree> tree = co_await transfer_.fetch_tree(task.outcome().outputs());
      if (tree) {
        into = std::move(*tree);
        for (v1::TreeFile& file : *into.mutable_files()) {
          if (file.path().starts_with(options_.below)) file.mutable_path()->erase(0, options_.below.size());
        }
        co_return Result<void>();
      }
      const bool again = co_await retries.may_repeat(tree.error());
      if (!again) co_return std::unexpected(fail(tree, fmt::format("the results of task {}", task.index())).error());
    }
  }

  struct Kept {
    std::string path;
    std::string now;
  };

  static bool differs(const std::filesystem::path& there, const v1::Blob& blob) {
    struct stat status = {};
    if (::lstat(there.c_str(), &status) != 0) return false;
    if (!S_ISREG(status.st_mode) || static_cast<std::uint64_t>(status.st_size) != blob.size()) return true;
    const Result<blob::HashedFile> hashed = blob::hash_file(there);
    return !hashed || hashed->sha256 != blob.sha256();
  }

  net::Async<Result<void>> keep_what_differs(const Destination& destination, const PlannedFile& file) {
    const Result<Destination::Place> place = destination.place(file.path);
    if (!place) co_return std::unexpected(place.error());
    const Result<std::string> kept = co_await client_.workers().run(
        [&]() -> Result<std::string> { return differs(place->file(), file.blob) ? place->keep() : std::string(); });
    if (!kept) co_return std::unexpected(kept.error());
    if (!kept->empty()) kept_.push_back({file.path, std::filesystem::path(file.path).replace_filename(*kept)});
    co_return Result<void>();
  }

  void tell_of_kept(FetchedResults& fetched) const {
    constexpr std::size_t kMostTold = 10;
    for (std::size_t i = 0; i < kept_.size(); ++i) {
      fetched.kept.push_back(kept_[i].now);
      if (i >= kMostTold) continue;
      fetched.warnings.push_back(fmt::format(
          "{} was there with other content, which is kept as {} (--replace keeps none)", kept_[i].path, kept_[i].now));
    }
    if (kept_.size() > kMostTold) {
      fetched.warnings.push_back(fmt::format("so are {} files more", kept_.size() - kMostTold));
    }
  }

  net::Async<Result<void>> fetch(const Destination& destination, const PlannedFile& file) {
    if (!options_.replaces) {
      Result<void> kept = co_await keep_what_differs(destination, file);
      if (!kept) co_return fail(kept, file.path);
    }
    Retries retries(client_.loop());
    while (true) {
      Result<void> done = co_await fetch_once(destination, file);
      if (done) break;
      const bool again = co_await retries.may_repeat(done.error());
      if (!again) co_return std::unexpected(fail(done, file.path).error());
    }
    bytes_done_ += file.blob.size();
    co_return Result<void>();
  }

  net::Async<Result<void>> fetch_once(const Destination& destination, const PlannedFile& file) {
    const Result<Destination::Place> place = destination.place(file.path);
    if (!place) co_return std::unexpected(place.error());
    co_return co_await transfer_.fetch_file(file.blob, place->file(), file.executable, [this](std::uint64_t bytes) {
      const std::uint64_t now = bytes_done_ + bytes;
      progress_.show(fmt::format("fetching results {}  {} of {}", progress_bar(now, plan_.bytes(), 30),
                                 format_bytes(now), format_bytes(plan_.bytes())));
    });
  }

  Client& client_;
  FetchOptions options_;
  blob::Transfer transfer_;
  ResultsPlan plan_;
  std::vector<Kept> kept_;
  ProgressLine progress_;
  std::uint64_t bytes_done_ = 0;
};

}  // namespace

net::Async<Result<void>> call_patiently(account::Session& session, std::string method,
                                        const google::protobuf::Message& request, google::protobuf::Message& reply) {
  Duration waited;
  Duration pause = kFirstPause;
  while (true) {
    Result<void> done = co_await session.call(method, request, reply);
    if (done || !is_passing(done.error()) || waited > kPatience) co_return done;
    co_await net::sleep_for(pause);
    waited = waited + pause;
    pause = std::min(pause * 2, kLongestPause);
  }
}

net::Async<void> keep_fresh(Client& client) { static_cast<void>(co_await client.session().token()); }

net::Async<void> Pulse::beat(std::shared_ptr<State> state, Duration every, std::function<net::Async<void>()> work) {
  while (!state->stop) {
    co_await work();
    if (!state->stop) co_await state->wake.wait(every);
  }
  state->ended = true;
  state->wake.notify();
}

Pulse::Pulse(net::Loop& loop, Duration every, std::function<net::Async<void>()> work)
    : state_(std::make_shared<State>()) {
  loop.spawn(beat(state_, every, std::move(work)));
}

net::Async<void> Pulse::stop() {
  state_->stop = true;
  state_->wake.notify();
  while (!state_->ended) co_await state_->wake.wait(milliseconds(100));
}

net::Async<Result<void>> stream_patiently(
    Client& client, std::function<net::Async<Result<void>>(std::string token, std::function<void()> alive)> once) {
  Retries retries(client.loop());
  while (true) {
    Result<std::string> token = co_await client.session().token();
    Result<void> ended = token ? Result<void>() : std::unexpected(token.error());
    if (token) ended = co_await once(*token, [&retries] { retries.succeeded(); });
    if (ended) co_return ended;
    // A session that ran out in the middle is renewed here; one that was revoked ends it.
    if (token && ended.error().code == Code::kUnauthenticated) {
      Result<std::string> renewed = co_await client.session().token(true);
      ended = renewed ? fail(Code::kUnavailable, ended.error().message) : std::unexpected(renewed.error());
    }
    const bool again = co_await retries.may_repeat(ended.error());
    if (!again) co_return ended;
  }
}

net::Async<Result<void>> follow_logs(Client& client, FollowOptions options, std::shared_ptr<Quiet> quiet) {
  LogPrinter printer(options.prefix);
  const Result<void> ended = co_await stream_patiently(
      client, [&](std::string token, std::function<void()> alive) -> net::Async<Result<void>> {
        const v1::LogsRequest request = logs_request(options, printer);
        co_return co_await net::call_stream<v1::LogsReply>(
            client.session().client(), "hearth.v1.JobService/Logs", token, request,
            [&, alive](const v1::LogsReply& reply) -> net::Async<Result<void>> {
              alive();
              std::vector<LogText> texts = printer.add(reply);
              quiet->within_line = printer.within_line();
              return write_texts(client, options, std::move(texts), *quiet);
            });
      });
  Result<void> rest = co_await write_texts(client, options, printer.finish(), *quiet);
  co_return ended ? rest : ended;
}

net::Async<Result<FetchedResults>> fetch_results(Client& client, FetchOptions options) {
  // A hub that is away now is said at once; one that goes away later is waited for.
  const Result<std::string> token = co_await client.session().token();
  if (!token) co_return std::unexpected(token.error());
  Fetcher fetcher(client, std::move(options));
  Pulse pulse(client.loop(), seconds(10), [&client] { return keep_fresh(client); });
  Result<FetchedResults> fetched = co_await fetcher.run();
  co_await pulse.stop();
  co_return fetched;
}

}  // namespace hearth::cli
