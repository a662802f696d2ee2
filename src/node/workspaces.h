// The workspaces that lie on this node: directories that jobs share, one attempt at a time, until they are removed.
//
//   DIR/HUB-DEVICE-NAME/files    what its jobs find at /workspace: the guests' user's, mode 0700
//   DIR/HUB-DEVICE-NAME/bytes    what it may hold; written last, so that one without it was never used
//   DIR/leaving-...              being removed; what a crash left of it is removed at the next start
//
// HUB names the hub whose jobs made it: a node that comes to another pool shows nothing of the last one's, and wipes
// it. What lies here is in clear on the owner's disk.
//
// How it is bounded: while an attempt runs its workspace is measured again and again, and at its end; over the limit
// ends the attempt. Between two looks a program can write more, though no single file outgrows the limit or the working
// directory's (sandbox::Limits::max_file_bytes); what it has unlinked but holds open is not seen.
//
// The loop's thread only, but for what says otherwise.
#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "base/ids.h"
#include "base/result.h"
#include "net/async.h"
#include "node/wipe_log.h"

namespace hearth::node {

// Where a guest finds its workspace.
inline constexpr const char* kWorkspacePath = "/workspace";

class Workspaces {
 public:
  static constexpr std::size_t kMost = 10'000;  // as many as a node's hello may tell of

  // What is in one.
  struct Content {
    std::uint64_t bytes = 0;  // on disk; each name counts for 1 KiB more
    std::string excess;       // why that is too much, for people; empty: it is not
  };

  // An attempt's hold on its workspace: nobody else has it until this goes.
  class Use {
   public:
    Use(Workspaces& workspaces, std::string place, std::string name, std::uint64_t bytes);
    ~Use();
    Use(const Use&) = delete;
    Use& operator=(const Use&) = delete;

    std::filesystem::path directory() const;
    const std::string& name() const { return name_; }
    std::uint64_t bytes() const { return bytes_; }  // that it may hold
    Content measure() const;                        // blocks; any thread

   private:
    Workspaces& workspaces_;
    std::string place_;
    std::string name_;
    std::uint64_t bytes_;
  };

  Workspaces(net::Loop& loop, net::Workers& workers, WipeLog& wipes, std::filesystem::path directory)
      : loop_(loop), workers_(workers), wipes_(wipes), directory_(std::move(directory)) {}

  // Takes up what is there. Blocks; once, before the loop runs.
  Result<void> open();

  // The hub, by its identity, whose jobs come from now on; what others' jobs left is wiped, soon.
  void belong_to(std::string_view hub_identity);

  // Of all workspaces together; 0: no job gets one.
  void set_limit(std::uint64_t bytes) { limit_ = bytes; }
  std::uint64_t bytes() const;            // that those which are here may hold together
  std::vector<WorkspaceId> here() const;  // this hub's, the first kMost
  bool empty() const { return entries_.empty(); }

  // The workspace, made now if it is not there, with room for at least `bytes`; waits while another attempt has it.
  // Errors: kInvalidArgument (its name), kResourceExhausted (the owner's limit, or it holds more than it may), of the
  // disk.
  net::Async<Result<std::unique_ptr<Use>>> enter(WorkspaceId id, std::uint64_t bytes);

  // Removes it once nobody has it, and gives the signed word for that; also if it was not there.
  net::Async<v1::WipeRecord> wipe(WorkspaceId id);
  net::Async<void> wipe_all();
  // The same for when no loop runs any more and nobody has one. Blocks.
  void wipe_all_now();

 private:
  struct Entry {
    std::uint64_t bytes = 0;
    bool busy = false;
  };

  std::string place_of(const WorkspaceId& id) const;
  Result<void> take_up(const std::filesystem::path& path);
  Result<void> grow(const std::string& place, std::uint64_t bytes);
  Result<void> make(const std::string& place, std::uint64_t bytes) const;
  net::Async<v1::WipeRecord> wipe_place(std::string place);
  net::Async<void> wipe_others();
  v1::WipeRecord remove(const std::string& place) const;
  void free(const std::string& place);

  net::Loop& loop_;
  net::Workers& workers_;
  WipeLog& wipes_;
  std::filesystem::path directory_;
  std::string hub_;  // as in the names of directories; empty: not known yet
  std::uint64_t limit_ = 0;
  std::map<std::string, Entry> entries_;  // by directory
  net::Event freed_;
};

}  // namespace hearth::node
