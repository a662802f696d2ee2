// One look at the holder's drive, and all that follows from it: the copy becomes what the drive was when it was looked
// at, as far as that is still so. What changes meanwhile is the next round's.
//
// Nothing of the copy goes before two looks in a row have missed it: a look is no moment's picture, and what was moved
// from where it had yet to look to where it had looked is found by the second.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <unordered_map>
#include <vector>

#include "drive/copy_folder.h"
#include "hub/copy_caller.h"
#include "net/async.h"

namespace hearth::hub {

// What one round leaves to the next, and may be lost.
struct CopyMemory {
  std::map<std::string, std::string> digests;  // of folders that are as the holder's were
  std::set<std::string> missed;                // by the last look, and still here
};

class CopyRound {
 public:
  // `files`: of one thread, on which the folder is worked at. `on_progress`: what is behind has changed.
  CopyRound(CopyCaller& caller, net::Workers& files, drive::CopyFolder& folder, CopyMemory& memory,
            drive::CopyFolder::Names names, std::function<net::Async<void>(const CopyRound&)> on_progress)
      : caller_(caller),
        files_(files),
        folder_(folder),
        memory_(memory),
        names_(std::move(names)),
        on_progress_(std::move(on_progress)) {}

  // The first error after which something is behind still; the rest was done.
  net::Async<Result<void>> run(const CopyCaller::Look& look);

  std::uint64_t files_behind() const { return files_behind_; }
  std::uint64_t bytes_behind() const { return bytes_behind_; }
  // Something has yet to be missed a second time.
  bool waits_for_second_look() const { return !missed_.empty(); }

 private:
  struct Fetch {
    std::string path;
    drive::CopyEntry entry;
  };
  struct Removal {
    std::string path;
    drive::CopyAction action;
  };

  net::Async<Result<void>> survey();
  net::Async<Result<void>> bring(const std::vector<std::string>& folders);
  net::Async<Result<bool>> carry_out(const CopyCaller::List& list, std::vector<Fetch>& fetches);
  net::Async<Result<void>> act(const std::string& path, const drive::CopyAction& action, std::vector<Fetch>& fetches);
  net::Async<Result<void>> remove_all();
  net::Async<Result<bool>> compare(const std::string& path, const drive::CopyEntry& entry);
  net::Async<Result<void>> fetch_all(std::vector<Fetch> fetches);
  net::Async<Result<void>> fetch_small(std::vector<Fetch> some);
  net::Async<Result<void>> fetch_long(const Fetch& one);
  net::Async<Result<void>> set_aside(const std::string& path, const drive::CopyEntry& entry);
  void remember_kept(const std::string& folder, const std::set<std::string>& looked);
  bool has_kept(const drive::CopyEntry& entry) const;  // something that may be it
  bool link_kept(const std::string& path, const drive::CopyEntry& entry);
  net::Async<void> came(const drive::CopyEntry& entry);
  bool is_missed_again(const std::string& path);
  std::vector<drive::CopyEntry> list_here(const std::string& folder) const;

  CopyCaller& caller_;
  net::Workers& files_;
  drive::CopyFolder& folder_;
  CopyMemory& memory_;
  const drive::CopyFolder::Names names_;
  std::function<net::Async<void>(const CopyRound&)> on_progress_;
  std::vector<std::string> changed_;                   // folders
  std::map<std::string, std::string> looked_;          // digests of all
  std::unordered_map<std::string, std::string> kept_;  // paths of files here, by drive::copy_key_of_kept()
  std::set<std::string> missed_;
  std::vector<Removal> removals_;  // the last thing to be done: what they hold may have another name by then
  std::uint64_t files_behind_ = 0;
  std::uint64_t bytes_behind_ = 0;
};

}  // namespace hearth::hub
