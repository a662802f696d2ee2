// What the hub that stands by asks the holder for to keep a copy of its drive: see drive/copy_source.h. On the loop's
// thread, one call at a time.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "core/sync/wire.h"
#include "drive/copy_tree.h"
#include "drive/copy_words.h"
#include "net/client.h"
#include "store/shared.h"

namespace hearth::hub {

class CopyCaller {
 public:
  // `rate`: bytes that come each second, at most, on average; 0: as many as can.
  CopyCaller(net::Loop& loop, net::Workers& workers, const store::HubRow& self, std::uint64_t rate)
      : loop_(loop), workers_(workers), self_(self), rate_(rate) {}

  // Whom to ask. What is being asked of another one fails.
  void ask(const store::HubRow& holder);
  void close();  // what is being asked fails
  void end();    // and whatever is asked from now on
  const store::HubRow& holder() const { return holder_; }

  struct Look {
    v1::DriveLooked head;
    std::vector<drive::LookedAt> folders;
    std::string trouble;  // why some may be missing; empty: none are
    Time begun;           // by the holder, after it had waited for a change
  };
  // Waits for a change, if `changes` are known. Errors of all: kUnavailable, of the holder's drive.
  net::Async<Result<Look>> look(v1::DriveCopyState state, std::uint64_t changes);
  net::Async<void> tell(v1::DriveCopyState state);

  struct List {
    std::string folder;
    std::vector<drive::CopyEntry> entries;
    bool is_absent = false;
  };
  net::Async<Result<std::vector<List>>> lists(const std::vector<std::string>& folders);
  net::Async<Result<std::vector<sync::Given>>> read(const std::vector<sync::Wanted>& wanted);
  net::Async<Result<std::string>> hash(const sync::Wanted& wanted);
  // Its bytes from there on. Errors: kAborted (it has changed), of the sink.
  net::Async<Result<void>> fetch(const sync::Wanted& wanted, std::uint64_t offset,
                                 std::function<net::Async<Result<void>>(std::string_view)> sink);

 private:
  using TakeFrame = std::function<Result<void>(const std::string&)>;
  net::Headers headers() const;
  Result<net::Client*> connect();
  net::Async<Result<void>> post(std::string what, std::string body, TakeFrame take);
  net::Async<void> pace(std::size_t bytes);

  net::Loop& loop_;
  net::Workers& workers_;
  const store::HubRow& self_;
  const std::uint64_t rate_;
  store::HubRow holder_;
  std::size_t turn_ = 0;  // of its endpoints, which is tried
  std::shared_ptr<net::Client> client_;
  bool is_over_ = false;
  Time due_;  // when the next bytes may come
};

}  // namespace hearth::hub
