// Bears witness for two hubs that keep one pool (core/succession): asks both every second what is to be noted, and
// notes it on disk before it says so. On the loop's thread.
#pragma once

#include <filesystem>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "core/succession/succession.h"
#include "hearth/v1/hubs.pb.h"
#include "net/async.h"
#include "net/client.h"

namespace hearth::node {

class Witness {
 public:
  // `directory` has the file `witness` while there is a duty.
  Witness(net::Loop& loop, net::Workers& workers, const std::filesystem::path& directory);

  // Goes on with the duty of an earlier life.
  void start();
  // By the hub's word. The same duty as before: no effect.
  void take(const v1::WitnessDuty& duty);

 private:
  struct Watch;                                                    // of one hub
  using Ways = std::map<std::string, std::vector<net::Endpoint>>;  // to each hub, by its identity

  void watch_hubs();
  net::Async<void> watch(std::shared_ptr<Watch> watch);
  net::Async<Result<v1::WitnessAsk>> ask(Watch& watch);
  net::Async<bool> note(const v1::WitnessAsk& ask);
  Result<void> write(const v1::WitnessFile& file) const;

  net::Loop& loop_;
  net::Workers& workers_;
  const std::filesystem::path file_;
  v1::WitnessFile kept_;  // as it is on disk: what is told
  succession::Witness register_;
  std::map<std::string, std::shared_ptr<Watch>> watches_;
  bool noting_ = false;
  net::Event noted_;
  std::optional<v1::WitnessDuty> next_duty_;  // that came while what was witnessed is being written
};

}  // namespace hearth::node
