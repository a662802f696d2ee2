// What this node wiped, each with its signature; and which attempts it has yet to wipe, so that the node's next process
// knows what a crash left. Any thread.
//
// On disk, beside the node's other files: attempts/NAME, a file with the level, and in a second line the workspace if
// there is one, for each attempt that may have left something here; wipes.jsonl, a record a line
// (account/wipe_record.h), with the older ones in wipes.1.jsonl.
#pragma once

#include <cstdint>
#include <filesystem>
#include <mutex>
#include <vector>

#include "account/wipe_record.h"
#include "base/ids.h"
#include "sandbox/sandbox.h"

namespace hearth::node {

constexpr std::uint64_t kMaxWipeLogBytes = 8 << 20;  // of either file

class WipeLog {
 public:
  // Errors: of the file system.
  static Result<std::unique_ptr<WipeLog>> open(const std::filesystem::path& directory, const net::IdentityKey& key,
                                               const sandbox::Host& host);
  WipeLog(std::filesystem::path directory, const net::IdentityKey& key, const sandbox::Host& host);

  // Before anything of the attempt is laid out. `workspace`: the name of the one that it works in, which stays; empty:
  // none. Errors: of the file system; then nothing of it may be.
  Result<void> begin(AttemptId attempt, sandbox::Level level, const std::string& workspace = {});

  // The attempt's sandbox is gone: looks that nothing remains, signs, keeps the record and forgets the attempt. A disk
  // that is full costs the line on disk, which the log of this process then says, not the record.
  v1::WipeRecord end(AttemptId attempt, sandbox::Level level, const std::string& workspace = {});

  // The same for what an earlier process of this node began and did not end, which the host swept when it was opened.
  void end_crashed();

  // A workspace was removed, or what `remains` names could not be: signs and keeps the record.
  v1::WipeRecord workspace_wiped(const std::string& name, const std::vector<std::string>& remains);

 private:
  v1::WipeRecord end(AttemptId attempt, sandbox::Level level, const std::string& workspace, bool after_crash);
  v1::WipeRecord sign_and_keep(v1::WipeStatement statement, const std::vector<std::string>& remains);
  Result<void> append(const std::string& line);

  std::filesystem::path directory_;
  const net::IdentityKey& key_;
  const sandbox::Host& host_;
  std::mutex mutex_;  // of the log's files
};

// How an attempt is called in the sandbox and here: "JOB-TASK-EPOCH".
std::string attempt_name(AttemptId attempt);

}  // namespace hearth::node
