// One run: looks at both sides, decides (core/sync/reconcile.h), and carries it out: small files many at a time, of
// large ones what has changed. It may end anywhere, and the next one goes on from what it finds.
//
//   Run run(local, remote, state, {.label = "LAPTOP 2026-11-27"});
//   const Result<Report> report = run.go();
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <string>
#include <vector>

#include "core/sync/reconcile.h"
#include "sync/local_folder.h"
#include "sync/remote_folder.h"
#include "sync/state_file.h"

namespace hearth::sync {

struct RunOptions {
  std::string label;             // of the copy from here of what both sides have changed
  bool dry_run = false;          // only decide
  bool even_if_emptied = false;  // though one side has nothing any more of what both had
  std::function<void(const std::string& text)> progress = [](const std::string&) {};
};

struct Report {
  std::vector<std::string> planned;  // of a dry run: a line for each action
  std::uint64_t sent = 0;            // files
  std::uint64_t fetched = 0;
  std::uint64_t removed_here = 0;
  std::uint64_t removed_there = 0;
  std::vector<std::string> conflicts;                // the names that the files from here have now
  std::vector<std::vector<std::string>> collisions;  // paths that are too alike
  std::vector<std::string> closed;                   // folders at the top that are not open to this device any more
  std::vector<std::string> remarks;                  // what was left as it is, and why
  std::vector<std::string> problems;                 // what was to be done and could not
  std::uint64_t bytes_sent = 0;
  std::uint64_t bytes_received = 0;
};

class Run {
 public:
  Run(LocalFolder& local, RemoteFolder& remote, StateFile& state, RunOptions options)
      : local_(local), remote_(remote), state_(state), options_(std::move(options)) {}

  // Once. Errors: what keeps it from going on, above all kUnavailable; what has been done until then is done.
  Result<Report> go();

 private:
  enum class Queue : std::uint8_t { kNone, kFolders, kFiles, kRemovals };
  struct Content {
    std::string bytes;
    std::string hash;
    std::string version;  // to be noted
  };

  Result<void> look();
  Trees trees();
  bool is_only_touched(const std::string& path, const Seen& seen, const Known& known);
  Result<void> ask_what_is_closed(Trees& trees);
  Result<void> compare(Trees& trees);
  Result<void> compare_small(Trees& trees, const std::vector<std::string>& paths);
  Result<void> compare_large(Trees& trees, const std::string& path);
  Result<void> check_emptied(const Trees& trees) const;

  Result<void> carry_out(const Action& action);
  Result<void> carry_out_here(const Action& action);
  Result<void> queue(const Action& action, Queue which);
  Result<void> work_off();
  Result<void> send_folders();
  Result<void> send_removals();
  Result<void> send_small();
  Result<void> fetch_small();
  Result<void> place_fetched(const std::vector<Action>& actions, std::vector<Given>& given);
  Result<void> send_large(const Action& action);
  Result<void> fetch_large(const Action& action);
  Result<std::string> fetch_whole(const Wanted& file, const Aside& to);
  Result<std::string> fetch_by_chunks(const Wanted& file, const Aside& to, const std::vector<Fd>& sources);
  Result<std::string> write_delta(const Fd& from, const ChunkList& before, const Aside& to);

  std::optional<Side> here_now(const Action& action) const;
  Wanted wanted(const Action& action) const;
  Result<Content> read_here(const std::string& path) const;
  Result<std::string> hash_here(const std::string& path) const;
  void note_file(const std::string& path, std::string here, std::string there, std::string hash);
  void note_folder(const std::string& path);
  Result<void> keep();  // what was done here is on the disk, and noted
  // Nothing, if the run can go on without.
  Result<void> trouble(const Error& error);

  LocalFolder& local_;
  RemoteFolder& remote_;
  StateFile& state_;
  RunOptions options_;
  Report report_;
  Scan scan_;
  std::map<std::string, Listed> there_;
  std::map<std::string, std::string> hashes_;  // of files here that have been compared
  Queue queued_ = Queue::kNone;
  std::vector<Action> folders_;
  std::vector<Action> removals_;
  std::vector<Action> sends_;
  std::vector<Action> fetches_;
  std::uint64_t sends_bytes_ = 0;
  std::uint64_t fetches_bytes_ = 0;
  std::size_t done_here_ = 0;  // since keep()
};

}  // namespace hearth::sync
