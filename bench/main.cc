// hearth-bench NAME [--option VALUE]...: one figure of performance, measured once. bench/run repeats it beside its
// peer.
#include <cstdio>
#include <map>
#include <string>

#include "bench/benches.h"

int main(int argc, char** argv) {
  using hearth::bench::Arguments;
  const std::map<std::string, int (*)(const Arguments&)> benches = {
      {"dispatch", hearth::bench::dispatch}, {"connections", hearth::bench::connections},
      {"start", hearth::bench::start},       {"storm", hearth::bench::storm},
      {"blob", hearth::bench::blob},         {"placement", hearth::bench::placement},
      {"owner", hearth::bench::owner},       {"crowd", hearth::bench::crowd},
      {"listing", hearth::bench::listing}};
  const auto found = argc < 2 ? benches.end() : benches.find(argv[1]);
  if (found == benches.end() || argc % 2 != 0) {
    std::fprintf(stderr, "usage: hearth-bench NAME [--option NUMBER]...\nbenches:");
    for (const auto& [name, run] : benches) std::fprintf(stderr, " %s", name.c_str());
    std::fprintf(stderr, "\n");
    return 2;
  }
  Arguments arguments;
  for (int i = 2; i + 1 < argc; i += 2) arguments.numbers[argv[i]] = std::stoul(argv[i + 1]);
  return found->second(arguments);
}
