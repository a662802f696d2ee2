// How many tasks a second the store takes: groups of 256, each task leased in one commit and ended in a later one, as
// a busy hub does. Prints one line of JSON.
//
//   hearth_store_bench DIRECTORY [TASKS]
//
// The database is made in the directory, which lies on the disk to be measured, and is removed.
#include <chrono>
#include <cstdio>
#include <cstdlib>

#include "store/store.h"

namespace hearth::store {
namespace {

constexpr std::uint32_t kGroup = 256;

TaskRow row(std::uint32_t index, pool::TaskState state) {
  TaskRow task{{{1}, index}, state, 1, 1, 0, {1}, {1'700'000'000'000}, {}, {}};
  if (state == pool::TaskState::kSucceeded) task.outcome = std::string(48, 'o');
  return task;
}

// Each commit ends the group before and leases the next one.
Result<void> lease_and_end(Store& store, std::uint32_t tasks) {
  for (std::uint32_t first = 0; first < tasks + kGroup; first += kGroup) {
    Batch batch;
    for (std::uint32_t offset = 0; offset < kGroup; ++offset) {
      if (first >= kGroup) batch.tasks.push_back(row(first - kGroup + offset, pool::TaskState::kSucceeded));
      if (first < tasks) batch.tasks.push_back(row(first + offset, pool::TaskState::kLeased));
    }
    if (const Result<void> done = store.commit(batch); !done) return done;
  }
  return {};
}

Result<double> tasks_per_second(const std::filesystem::path& file, std::uint32_t tasks) {
  std::filesystem::remove(file);
  Result<std::unique_ptr<Store>> store = open_sqlite(file);
  if (!store) return std::unexpected(store.error());
  const auto begin = std::chrono::steady_clock::now();
  if (const Result<void> done = lease_and_end(**store, tasks); !done) return std::unexpected(done.error());
  const double span = std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
  store->reset();
  std::filesystem::remove(file);
  return tasks / span;
}

}  // namespace
}  // namespace hearth::store

int main(int argc, char** argv) {
  if (argc < 2) {
    std::fputs("usage: hearth_store_bench DIRECTORY [TASKS]\n", stderr);
    return 2;
  }
  const auto tasks = static_cast<std::uint32_t>(argc > 2 ? std::strtoul(argv[2], nullptr, 10) : 102'400);
  const auto rate = hearth::store::tasks_per_second(std::filesystem::path(argv[1]) / "store-bench.db", tasks);
  if (!rate) {
    std::fprintf(stderr, "error: %s\n", rate.error().message.c_str());
    return 1;
  }
  std::printf("{\"benchmark\": \"store/lease_and_end\", \"group\": 256, \"tasks\": %u, \"tasks_per_second\": %.0f}\n",
              tasks, *rate);
}
