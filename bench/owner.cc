// What the owner of a PC feels of a guest: a foreground program's time alone, beside a guest that keeps every core
// busy, and beside the same guest frozen; and how long freezing takes.
#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <functional>
#include <thread>
#include <vector>

#include "bench/benches.h"
#include "bench/world.h"
#include "sandbox/sandbox.h"

namespace hearth::bench {
namespace {

using Clock = std::chrono::steady_clock;

constexpr std::uint64_t kMemory = 64ULL << 20;
constexpr std::uint32_t kOthersWeight = 1;  // as on a PC that joined another's pool, see node/node.cc
constexpr std::uint64_t kSteps = 400'000'000;

double millis_of(const std::function<void()>& work) {
  const Clock::time_point begin = Clock::now();
  work();
  return std::chrono::duration<double, std::milli>(Clock::now() - begin).count();
}

// Fixed work on every core: xorshift, which neither waits nor needs memory.
void foreground(unsigned cores) {
  std::vector<std::thread> threads;
  for (unsigned core = 0; core < cores; ++core) {
    threads.emplace_back([core] {
      volatile std::uint64_t result = 0;
      std::uint64_t state = core + 1;
      for (std::uint64_t step = 0; step < kSteps; ++step) {
        state ^= state << 13U;
        state ^= state >> 7U;
        state ^= state << 17U;
      }
      result = state;
      static_cast<void>(result);
    });
  }
  for (std::thread& thread : threads) thread.join();
}

double median(std::vector<double> values) {
  std::ranges::sort(values);
  return values[values.size() / 2];
}

}  // namespace

int owner(const Arguments& arguments) {
  const std::uint64_t runs = std::max<std::uint64_t>(1, arguments.get("--runs", 5));
  std::string pattern = (std::filesystem::temp_directory_path() / "hearth-bench-owner.XXXXXX").string();
  const std::filesystem::path directory = mkdtemp(pattern.data());
  {
    auto host = sandbox::Host::open({.state_directory = directory, .cpu_weight = kOthersWeight});
    if (!host) give_up(host.error().message);
    const unsigned cores = std::max(1U, std::thread::hardware_concurrency());
    auto box = (*host)->prepare("owner-bench", {.cores = cores, .memory_bytes = kMemory}, {});
    if (!box) give_up(box.error().message);
    std::vector<double> alone;
    std::vector<double> beside;
    std::vector<double> frozen;
    std::vector<double> freezing;
    for (std::uint64_t run = 0; run < runs; ++run) alone.push_back(millis_of([&] { foreground(cores); }));
    const std::string busy = "for i in $(seq " + std::to_string(cores) + "); do while :; do :; done & done; wait";
    Result<void> started = (*box)->start(
        {.argv = {"/bin/sh", "-c", busy}}, [](sandbox::Stream, std::string_view) {}, [](const sandbox::Exit&) {});
    if (!started) give_up(started.error().message);
    std::this_thread::sleep_for(std::chrono::milliseconds(500));
    for (std::uint64_t run = 0; run < runs; ++run) {
      beside.push_back(millis_of([&] { foreground(cores); }));
      freezing.push_back(millis_of([&] {
        if (Result<void> done = (*box)->freeze(); !done) give_up(done.error().message);
      }));
      frozen.push_back(millis_of([&] { foreground(cores); }));
      if (Result<void> done = (*box)->thaw(); !done) give_up(done.error().message);
    }
    const auto percent = [&](const std::vector<double>& values) { return (median(values) / median(alone) - 1) * 100; };
    std::printf("alone_ms=%.0f slowdown_percent=%.1f frozen_percent=%.1f freeze_p50_ms=%.2f freeze_max_ms=%.2f\n",
                median(alone), percent(beside), percent(frozen), median(freezing), *std::ranges::max_element(freezing));
  }
  std::filesystem::remove_all(directory);
  return 0;
}

}  // namespace hearth::bench
