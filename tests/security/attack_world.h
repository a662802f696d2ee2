// What the attacks of security/attacks/ are after: a secret file of the owner's, a process with the secret in its
// memory, sockets, shared memory and queues; and the attacks themselves, run here on the owner's PC as their control.
#pragma once

#include <filesystem>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "harness/process.h"

namespace hearth::e2e {

using Variables = std::vector<std::pair<std::string, std::string>>;

class AttackWorld {
 public:
  explicit AttackWorld(const std::filesystem::path& directory);
  ~AttackWorld();
  AttackWorld(const AttackWorld&) = delete;
  AttackWorld& operator=(const AttackWorld&) = delete;

  // TARGET_*, as the attacks read them.
  const Variables& variables() const { return variables_; }
  const std::string& mark() const { return mark_; }

  // See attempt_outside() below.
  std::string attempt(const std::string& attack) const;
  // What all attacks print, one after the other, outside of every sandbox.
  std::string attempt_all() const;

  bool victim_lives() { return victim_->running(); }

 private:
  void start_victim();
  int listen(int family, const std::string& name);
  void share();

  std::filesystem::path directory_;
  std::string mark_;
  std::string name_;  // of what has one, and no secret
  Variables variables_;
  std::unique_ptr<Process> victim_;
  std::vector<int> files_;  // sockets, and two that any program started here inherits
  int memory_ = -1;
  int queue_ = -1;
};

// What an attack's line says after its name: "succeeded", "refused EPERM". Outside of every sandbox, as root.
std::string attempt_outside(const std::string& attack, const Variables& variables,
                            const std::filesystem::path& directory);

std::string attacks_program();

// CLASS/NAME of each.
std::vector<std::string> attack_names();

// The attack's line in what the attacks printed, without its name; empty if there is none.
std::string verdict_of(const std::string& attack, const std::string& printed);

// A text that is nowhere else, of 32 letters.
std::string new_mark();

}  // namespace hearth::e2e
