#include <algorithm>
#include <array>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <vector>

#include <sys/wait.h>
#include <unistd.h>

#include "security/attacks/attacks.h"
#include "security/attacks/plant.h"

namespace hearth::attacks {
namespace {

constexpr unsigned kPatienceSeconds = 20;

std::array<const Class*, 11> all_classes() {
  return {&kFiles,  &kDevices,          &kKernelFiles, &kNamespaces, &kProcesses, &kPrivileges,
          &kKernel, &kBetweenProcesses, &kNetwork,     &kSockets,    &kResources};
}

std::string why(int status) {
  if (WIFSIGNALED(status)) return std::string("SIG") + sigabbrev_np(WTERMSIG(status));
  const char* name = strerrorname_np(WEXITSTATUS(status));
  return name != nullptr ? name : "exit code " + std::to_string(WEXITSTATUS(status));
}

void attempt(const std::string& name, Attack attack, const World& world) {
  const pid_t child = ::fork();
  if (child == 0) {
    ::alarm(kPatienceSeconds);
    ::_exit(attack(world));
  }
  int status = 0;
  if (child < 0 || ::waitpid(child, &status, 0) != child) status = EAGAIN << 8;
  const bool succeeded = WIFEXITED(status) && WEXITSTATUS(status) == 0;
  std::printf("%s %s\n", name.c_str(), succeeded ? "succeeded" : ("refused " + why(status)).c_str());
  std::fflush(stdout);
}

int run(const std::vector<std::string>& words) {
  const bool list = !words.empty() && words[0] == "list";
  if (!list && (words.empty() || words[0] != "try")) return 2;
  const World world = World::from_variables();
  for (const Class* group : all_classes()) {
    for (const Entry& entry : group->attacks) {
      const std::string name = std::string(group->name) + "/" + entry.name;
      if (list) std::puts(name.c_str());
      const bool wanted = words.size() == 1 || std::ranges::find(words, name) != words.end();
      if (!list && wanted) attempt(name, entry.attack, world);
    }
  }
  return 0;
}

// Keeps the mark where an attacker looks for it: in the arguments, the variables and the stack.
int wait_to_be_ended() {
  const World world = World::from_variables();
  std::array<char, 256> held{};
  std::copy_n(world.mark.begin(), std::min(world.mark.size(), held.size()), held.begin());
  std::printf("ready %p\n", static_cast<void*>(held.data()));
  std::fflush(stdout);
  ::pause();
  return held[0];
}

}  // namespace
}  // namespace hearth::attacks

int main(int argc, char** argv) {
  const std::vector<std::string> words(argv + 1, argv + argc);
  if (!words.empty() && words[0] == "wait") return hearth::attacks::wait_to_be_ended();
  if (words.size() > 1 && words[0] == "plant") return hearth::attacks::plant(words[1], words.back() == "stay");
  return hearth::attacks::run(words);
}
