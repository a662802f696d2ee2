// What isolation costs: `/bin/true` in a sandbox, from prepare() to the destructor's end, beside a bare bubblewrap with
// the same options, user and filter. Prints one line of JSON: medians of both, taken in turn, then the rates of so many
// loops at once.
//
//   hearth_sandbox_start_bench DIRECTORY [COUNT] [LOOPS] [LEVEL]
//
// DIRECTORY is made, holds the Host's state, and is removed. LEVEL: fence (standard) or oci.
#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <future>
#include <numeric>
#include <optional>
#include <thread>

#include <fcntl.h>
#include <sys/resource.h>
#include <sys/wait.h>

#include "sandbox/bwrap.h"
#include "sandbox/launch.h"
#include "sandbox/sandbox.h"

namespace hearth::sandbox {
namespace {

constexpr Limits kLimits{.cores = 1, .memory_bytes = 64ULL << 20, .scratch_bytes = 16ULL << 20};

[[noreturn]] void give_up(const std::string& message) {
  std::fprintf(stderr, "error: %s\n", message.c_str());
  std::exit(1);
}

template <typename T>
T expect(Result<T> result) {
  if (!result) give_up(result.error().message);
  if constexpr (!std::is_void_v<T>) return std::move(*result);
}

double seconds() { return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count(); }

// Of this process and of what it has waited for.
double cpu_seconds() {
  double sum = 0;
  for (int who : {RUSAGE_SELF, RUSAGE_CHILDREN}) {
    rusage usage{};
    ::getrusage(who, &usage);
    for (const timeval& time : {usage.ru_utime, usage.ru_stime}) {
      sum += static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_usec) / 1e6;
    }
  }
  return sum;
}

// Process 1 of a bare bubblewrap's sandbox ends a moment after it and is left to us: its time counts, its end does not.
void wait_for_orphans() {
  while (::waitpid(-1, nullptr, 0) > 0) {
  }
}

// How long each step took.
struct Steps {
  std::vector<double> prepare;
  std::vector<double> run;
  std::vector<double> destroy;
};

void run_sandboxed(Host& host, const std::string& name, Level level, Steps* steps = nullptr) {
  const double begin = seconds();
  std::unique_ptr<Sandbox> box = expect(host.prepare(name, kLimits, {.level = level}));
  const double prepared = seconds();
  std::promise<Exit> ended;
  expect(box->start(
      {.argv = {"/bin/true"}}, [](Stream, std::string_view) {}, [&ended](const Exit& exit) { ended.set_value(exit); }));
  const Exit exit = ended.get_future().get();
  if (exit.exit_code != 0) give_up("the program failed: " + exit.message);
  const double ran = seconds();
  box.reset();
  if (steps == nullptr) return;
  steps->prepare.push_back(prepared - begin);
  steps->run.push_back(ran - prepared);
  steps->destroy.push_back(seconds() - ran);
}

// A bubblewrap as a shell would call it: no control group, no limits, nothing watched but its end.
class Bare {
 public:
  Bare(const Bubblewrap& bubblewrap, std::filesystem::path place, std::filesystem::path directory)
      : bubblewrap_(bubblewrap), place_(std::move(place)), directory_(std::move(directory)) {}

  void run() const {
    Launch launch_plan{.program = bubblewrap_.program,
                       .argv = {"bwrap", "--args", std::to_string(kArgumentsFd), "--", "/bin/true"}};
    for (int i = 0; i < kGateFd + 1; ++i) launch_plan.files.emplace_back(::open("/dev/null", O_RDWR | O_CLOEXEC));
    Pipe arguments = expect(make_pipe(O_CLOEXEC));
    const std::string options =
        bubblewrap_options(bubblewrap_, {.root = place_ / "root", .working_directory = directory_}, kLimits, {});
    if (::write(arguments.write_end.get(), options.data(), options.size()) < 0) give_up("could not pass the options");
    launch_plan.files[kArgumentsFd] = std::move(arguments.read_end);
    launch_plan.files[kFilterFd].reset(::open((place_ / "filter").c_str(), O_RDONLY | O_CLOEXEC));
    if (::geteuid() == 0) launch_plan.user = {.drop = true, .uid = 65534, .gid = 65534};
    arguments.write_end.reset();
    const Started started = expect(launch(launch_plan));
    int status = 0;
    if (::waitpid(started.pid, &status, 0) < 0 || status != 0) give_up("bubblewrap failed");
  }

 private:
  const Bubblewrap& bubblewrap_;
  std::filesystem::path place_;
  std::filesystem::path directory_;
};

double median_micros(std::vector<double>& spans) {
  std::ranges::sort(spans);
  return spans[spans.size() / 2] * 1e6;
}

class Series {
 public:
  void take(const std::function<void()>& action) {
    const double cpu = cpu_seconds();
    const double begin = seconds();
    action();
    walls_.push_back(seconds() - begin);
    wait_for_orphans();
    cpu_ += cpu_seconds() - cpu;
  }
  double wall_micros() { return median_micros(walls_); }
  double cpu_micros() const { return cpu_ * 1e6 / static_cast<double>(walls_.size()); }

 private:
  std::vector<double> walls_;
  double cpu_ = 0;
};

double rate(std::size_t count, std::size_t loops, const std::function<void(std::size_t)>& action) {
  const double begin = seconds();
  std::vector<std::thread> threads;
  for (std::size_t loop = 0; loop < loops; ++loop) {
    threads.emplace_back([&, loop] {
      for (std::size_t i = loop; i < count; i += loops) action(i);
    });
  }
  for (std::thread& thread : threads) thread.join();
  return static_cast<double>(count) / (seconds() - begin);
}

void measure(const std::filesystem::path& directory, std::size_t count, std::size_t loops, Level level) {
  const std::unique_ptr<Host> host = expect(Host::open({.state_directory = directory, .cpu_weight = 100}));
  const Bubblewrap bubblewrap = expect(find_bubblewrap("bwrap"));
  const std::unique_ptr<Sandbox> place_holder = expect(host->prepare("bare", kLimits, {}));
  const std::filesystem::path& shown = place_holder->directory();
  const Bare bare(bubblewrap, shown.parent_path().parent_path(), shown);

  Series ours;
  Series bares;
  Steps steps;
  for (std::size_t i = 0; i < count; ++i) {
    ours.take([&] { run_sandboxed(*host, "turn-" + std::to_string(i), level, &steps); });
    bares.take([&] { bare.run(); });
  }
  const double our_rate =
      rate(count, loops, [&](std::size_t i) { run_sandboxed(*host, "loop-" + std::to_string(i), level); });
  const double bare_rate = rate(count, loops, [&](std::size_t) { bare.run(); });
  wait_for_orphans();
  std::printf(
      "{\"benchmark\": \"sandbox/start\", \"level\": \"%s\", \"count\": %zu, \"loops\": %zu, \"sandbox_us\": %.0f, "
      "\"bwrap_us\": %.0f, "
      "\"ratio\": %.2f, \"prepare_us\": %.0f, \"run_us\": %.0f, \"destroy_us\": %.0f, \"sandbox_cpu_us\": %.0f, "
      "\"bwrap_cpu_us\": %.0f, \"sandboxes_per_second\": %.0f, \"bwraps_per_second\": %.0f}\n",
      std::string(name_of(level)).c_str(), count, loops, ours.wall_micros(), bares.wall_micros(),
      ours.wall_micros() / bares.wall_micros(), median_micros(steps.prepare), median_micros(steps.run),
      median_micros(steps.destroy), ours.cpu_micros(), bares.cpu_micros(), our_rate, bare_rate);
}

}  // namespace
}  // namespace hearth::sandbox

int main(int argc, char** argv) {
  if (argc < 2) {
    std::fputs("usage: hearth_sandbox_start_bench DIRECTORY [COUNT] [LOOPS] [LEVEL]\n", stderr);
    return 2;
  }
  const std::filesystem::path directory = argv[1];
  const std::size_t count = argc > 2 ? std::strtoul(argv[2], nullptr, 10) : 200;
  const std::size_t loops = argc > 3 ? std::strtoul(argv[3], nullptr, 10) : 2;
  const std::optional<hearth::sandbox::Level> level = hearth::sandbox::level_named(argc > 4 ? argv[4] : "fence");
  if (count == 0 || loops == 0 || !level) {
    std::fputs("error: COUNT and LOOPS are at least 1, LEVEL is fence or oci\n", stderr);
    return 2;
  }
  hearth::sandbox::measure(directory, count, loops, *level);
  std::filesystem::remove_all(directory);
}
