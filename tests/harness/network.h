// PCs with a network each, joined by a switch whose lines are as slow, lossy or cut as a test wants. Only root can make
// them; for others the PCs are addresses of the loopback device, and no line can be shaped or cut.
//
// Namespaces and devices have no name outside of this process, and go with it.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>

#include "harness/held_port.h"
#include "harness/process.h"

namespace hearth::e2e {

// Both ways alike. A packet that would wait longer than `queue` is lost.
struct Line {
  double megabits_per_second = 0;  // 0: as fast as it goes
  milliseconds delay{0};           // one way
  double loss = 0;                 // the share of packets, 0 to 1
  milliseconds queue{200};
};

class Network {
 public:
  static std::string lack();  // why PCs cannot have networks of their own; empty: they can

  // The PCs are 0 to pcs - 1, at most 50.
  explicit Network(int pcs);
  Network(const Network&) = delete;
  Network& operator=(const Network&) = delete;
  ~Network();

  bool real() const { return fabric_ != nullptr; }
  std::string address(int pc) const;
  int space(int pc) const;  // for RunOptions::network
  HeldPort hold_port(int pc) const;

  // The calling thread, the threads that it starts and what these run are on this PC, until the object's end.
  void enter(int pc);

  // For packets that come from now on. A cut line says nothing to either side.
  void set_line(int pc, const Line& line);
  void cut(int pc);
  void mend(int pc);

 private:
  class Fabric;

  std::unique_ptr<Fabric> fabric_;
  int home_ = -1;  // the network that this process came from
};

}  // namespace hearth::e2e
