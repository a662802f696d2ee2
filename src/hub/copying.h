// The copy of the pool's drive that a hub keeps while it stands by. It asks the holder for it, again and again; when
// this hub takes over, the folder is the drive.
//
// It is asynchronous: what was written at the holder's within the last seconds may be missing in it. The holder is told
// how it stands, and DIRECTORY/drive-copy says so on this PC, where the holder may be gone.
//
//   DriveCopy copy(loop, {...});
//   copy.meet(holder);      // whenever it is heard; nullptr: it is away
//   co_await copy.stop();   // whatever moment: what has come is whole
#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>

#include "hearth/v1/hubs.pb.h"
#include "hub/copy_caller.h"
#include "hub/copy_round.h"
#include "net/async.h"
#include "store/shared.h"

namespace hearth::hub {

// In the hub's directory: a DriveCopyState.
inline constexpr const char* kDriveCopyFile = "drive-copy";

class DriveCopy {
 public:
  struct Start {
    std::filesystem::path folder;     // of the drive on this PC
    std::filesystem::path directory;  // the hub's
    store::HubRow self;
    std::uint64_t rate = 0;  // bytes a second, at most; 0: no limit
  };
  DriveCopy(net::Loop& loop, Start start);

  void meet(const store::HubRow* holder);
  net::Async<void> stop();

 private:
  net::Async<void> run();
  net::Async<Result<void>> round();
  net::Async<Result<void>> open(const std::string& drive);
  net::Async<void> progress(const CopyRound& round);
  net::Async<void> settle(const CopyCaller::Look& look, const CopyRound& round, const Result<void>& done);
  net::Async<void> fail_with(const Error& error);
  net::Async<void> write_state();

  net::Loop& loop_;
  const Start start_;
  net::Workers calls_{1};
  CopyCaller caller_{loop_, calls_, start_.self, start_.rate};
  std::unique_ptr<drive::CopyFolder> folder_;
  drive::CopyFolder::Names names_;  // of the folder as it is open
  CopyMemory memory_;
  v1::DriveCopyState state_;
  std::uint64_t known_ = 0;  // changes of the drive; 0: all is to be looked at
  WallTime looked_at_;
  Time compared_;    // when all was compared with what is here
  Time looked_;      // when all was looked at
  Time busy_since_;  // with what the last look began
  Time told_;
  std::string written_;
  bool is_met_ = false;
  bool stopping_ = false;
  int running_ = 0;
  net::Event woken_;
  net::Event stopped_;
  net::Workers files_{1};  // it ends before what it works on
};

}  // namespace hearth::hub
