// The screen that this PC's owner sits at, while he shows it (`hearth app share-screen`): whose word it takes, and who
// is led to what makes its pictures. The loop's thread only.
//
// The owner's command speaks with the node through the socket `screen` in the node's directory, which nobody else on
// this PC can reach; no other word counts, and none comes from afar:
//
//   "ok\n", or "no: SENTENCE\n"   the node's: whether it takes the word at all
//   "job N\n"                     the owner's: the job that shows it
//   one byte, 'c' or 'w'          the node's, with a connected socket beside it: a viewer, who controls or watches
//
// It lasts as long as this connection: whichever side goes, by its own will or not, ends it.
#pragma once

#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <string_view>

#include "base/ids.h"
#include "base/result.h"
#include "net/async.h"

namespace hearth::node {

// What the owner says.
std::optional<JobId> parse_owners_word(std::string_view line);

class OwnersScreen {
 public:
  // `directory`: the node's.
  OwnersScreen(net::Loop& loop, std::filesystem::path directory);
  ~OwnersScreen();
  OwnersScreen(const OwnersScreen&) = delete;
  OwnersScreen& operator=(const OwnersScreen&) = delete;

  // From now on the owner is heard. What fails is logged.
  void start();

  // Whether the owner says here and now that this job shows his screen; waits for the word for 10 s at most, if he is
  // about to give it. True once. Errors: kPermissionDenied.
  net::Async<Result<void>> claim(JobId job);
  // Of what was claimed. `on_end` is called once, later, or soon if it is over by then.
  void begin(JobId job, std::function<void()> on_end);
  // A socket to what makes its pictures, the caller's to close. Errors: kFailedPrecondition (it is over).
  Result<int> connect(JobId job, bool watches) const;

  // Nothing, if another job shows it.
  void end(JobId job);
  void end();

 private:
  struct Share;
  net::Async<void> accept_for_ever();
  net::Async<void> serve(std::shared_ptr<Share> share);

  net::Loop& loop_;
  const std::filesystem::path directory_;
  struct Listener;
  std::unique_ptr<Listener> listener_;
  std::shared_ptr<Share> share_;  // nullptr: nothing is shown
  net::Event changed_;
};

}  // namespace hearth::node
