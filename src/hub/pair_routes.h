// What the two hubs of a pool that is kept twice, and their witness, say to each other over HTTPS: see hubs.proto.
#pragma once

#include <filesystem>
#include <memory>
#include <string>
#include <string_view>

#include "hub/pair_store.h"
#include "net/async.h"
#include "net/server.h"

namespace hearth::hub {

// On the loop's thread. A handler may run on after the server is gone: stop() waits for it.
class PairRoutes {
 public:
  PairRoutes(net::Loop& loop, net::Workers& store_worker, net::Workers& file_workers, PairStore& store,
             std::filesystem::path directory, std::string secret);
  ~PairRoutes();

  // Whether it was one of these, from one of them; else nothing has been answered.
  net::Async<bool> serve(net::Exchange& exchange);
  net::Async<void> stop();

 private:
  net::Async<void> answer_hub(net::Exchange& exchange);
  net::Async<void> greet(net::Exchange& exchange);
  net::Async<void> take_commits(net::Exchange& exchange);
  net::Async<void> take_copy(net::Exchange& exchange);
  net::Async<Result<void>> receive(net::Exchange& exchange, const std::filesystem::path& file);
  net::Async<void> hear_witness(net::Exchange& exchange);

  net::Loop& loop_;
  net::Workers& store_worker_;
  net::Workers& file_workers_;
  PairStore& store_;
  const std::filesystem::path directory_;
  const std::string secret_;
  bool receiving_ = false;
  int running_ = 0;
  net::Event idle_;
  std::shared_ptr<net::Event> asked_ = std::make_shared<net::Event>();
};

}  // namespace hearth::hub
