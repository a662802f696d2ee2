// PCs that are lost again and again under load, whatever keeps the pool's records: what must hold of every recipe by
// which a pool outlives any of its PCs.
//
// PCs 0 and 1 have a hub each, PC 2 a node that is never lost (and whatever the recipe wants there), and the test is a
// client on PC 3. HEARTH_KILLS is how often a PC is lost, if not as often as the test itself says.
#pragma once

#include <chrono>
#include <string>
#include <vector>

#include "harness/load.h"
#include "harness/network.h"
#include "harness/pool.h"

namespace hearth::e2e {

enum class Loss {  // in this order, again and again
  kPower,          // all processes there at once
  kCutOff,         // all goes on, and nothing of it is heard
  kStandsStill,    // all processes there, which go on afterwards as if nothing had been
  kKilled,         // its hub and what keeps the records there, and nobody starts them again; its node goes on
};

// What is different from one recipe to the other. What it does not override does nothing.
class Recipe {
 public:
  virtual ~Recipe() = default;
  virtual int holder() const = 0;          // the PC whose loss stops the pool, 0 or 1
  virtual bool is_whole() const = 0;       // whichever PC is lost next, the pool goes on
  virtual void take_over(int /*lost*/) {}  // what a person does
  // What keeps the records on a PC, but for its hub.
  virtual std::vector<pid_t> servers(int /*pc*/) const { return {}; }
  virtual void lose_servers(int /*pc*/) {}
  virtual void come_back(int /*pc*/, Loss) {}  // what was killed is gone, what stood still goes on
  virtual std::string logs() const { return ""; }
};

class FailoverFixture : public PoolFixture {
 protected:
  FailoverFixture();
  void SetUp() override {}

  Network& network() { return network_; }
  Pool& pc(int number) { return *pcs_.at(static_cast<std::size_t>(number)); }

  // `hearth up` with these options; its node is connected then if it is the first.
  void up(int number, std::vector<std::string> options = {});

  // Loses the holder's PC as often as is wanted, each time as another Loss, and prints what it cost.
  void lose_again_and_again(Recipe& recipe, const std::string& name, int times);

 private:
  void lose(Recipe& recipe, int lost, Loss loss);
  void bring_back(Recipe& recipe, int lost, Loss loss);
  std::vector<pid_t> processes(int number) const;  // of Hearth
  std::string all_logs(const Recipe& recipe) const;

  Network network_;
  std::vector<Pool*> pcs_;
  std::vector<pid_t> still_;  // what was stopped and is to go on
};

}  // namespace hearth::e2e
