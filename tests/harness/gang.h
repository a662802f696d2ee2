// A pool of several nodes on this machine whose guests may use /dev/net/tun, which networks of gangs need.
#pragma once

#include "harness/pairing.h"
#include "harness/pool.h"

namespace hearth::e2e {

class GangFixture : public PoolFixture {
 protected:
  // Three nodes of one core each, so that three tasks that run at once are on three. Skips the test where there can be
  // no networks of gangs.
  void SetUp() override;

  Pool& node(std::size_t number) { return *nodes_.at(number); }

  // Processes of nebula and pasta that these pools have started, by their name.
  std::vector<pid_t> tools(const std::string& name);

  // `hearth run --gang --net gang` of three tasks, each a Python script; detached. Its number.
  std::uint64_t start_gang(const std::string& script);

 private:
  std::vector<Pool*> nodes_;
};

}  // namespace hearth::e2e
