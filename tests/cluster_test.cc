// Engines that exist, on the pool: hearth cluster mpi, dask, torch. Each across three nodes.
#include <csignal>
#include <fstream>

#include <unistd.h>

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "harness/api.h"
#include "harness/gang.h"
#include "harness/proc.h"

namespace hearth::e2e {
namespace {

using testing::HasSubstr;

// What every rank adds up, and where they were. Waits for a while in the middle, so that something can happen to it.
constexpr const char* kProgram = R"(
#include <mpi.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
int main(int argc, char** argv) {
  MPI_Init(&argc, &argv);
  int rank, size, length, sum = 0;
  char name[MPI_MAX_PROCESSOR_NAME] = {0}, all[16 * MPI_MAX_PROCESSOR_NAME];
  MPI_Comm_rank(MPI_COMM_WORLD, &rank);
  MPI_Comm_size(MPI_COMM_WORLD, &size);
  MPI_Get_processor_name(name, &length);
  if (rank == 0) { printf("begun\n"); fflush(stdout); }
  for (int i = 0; i < atoi(argv[1]) * 10; ++i) { MPI_Barrier(MPI_COMM_WORLD); usleep(100000); }
  int square = (rank + 1) * (rank + 1);
  MPI_Reduce(&square, &sum, 1, MPI_INT, MPI_SUM, 0, MPI_COMM_WORLD);
  MPI_Gather(name, MPI_MAX_PROCESSOR_NAME, MPI_CHAR, all, MPI_MAX_PROCESSOR_NAME, MPI_CHAR, 0, MPI_COMM_WORLD);
  if (rank == 0) {
    FILE* out = fopen("answer.txt", "w");
    fprintf(out, "%d of %d:", sum, size);
    for (int i = 0; i < size; ++i) fprintf(out, " %s", all + i * MPI_MAX_PROCESSOR_NAME);
    fprintf(out, "\n");
    fclose(out);
  }
  MPI_Finalize();
  return 0;
}
)";

class ClusterTest : public GangFixture {
 protected:
  void build() {
    std::ofstream(pool().directory() / "squares.c") << kProgram;
    const Ended built = run_program({"mpicc", "-O2", "-o", "squares", "squares.c"}, {.cwd = pool().directory()});
    ASSERT_EQ(built.exit_code, 0) << built.err;
  }
  static bool has_mpi() { return ::access("/usr/bin/mpicc", X_OK) == 0 && ::access("/usr/bin/mpirun", X_OK) == 0; }
  static bool has_module(const std::string& name) {
    return run_program({"/usr/bin/python3", "-c", "import " + name}).exit_code == 0;
  }
  std::string write(const std::string& name, const std::string& text) {
    std::ofstream(pool().directory() / name) << text;
    return "./" + name;
  }
  std::uint64_t start_squares(const std::string& wait) {
    const Ended ended =
        pool().cli({"cluster", "mpi", "-n", "3", "--output", "answer.txt*", "--detach", "--", "./squares", wait});
    EXPECT_EQ(ended.exit_code, 0) << ended.err;
    return ended.out.empty() ? 0 : std::stoull(ended.out);
  }
  void expect_answer(std::uint64_t job) {
    Api api(pool());
    ASSERT_EQ(api.wait(job, seconds(240)).state(), v1::JOB_STATE_SUCCEEDED)
        << api.log_text(api.get(job, 3).tasks(0).outcome());
    const Ended got = pool().cli({"get", std::to_string(job)});
    ASSERT_EQ(got.exit_code, 0) << got.err;
    EXPECT_EQ(read_text(pool().directory() / "answer.txt"), "14 of 3: host-0 host-1 host-2\n");
  }
};

TEST_F(ClusterTest, MpiRunsOnThreeNodes) {
  if (!has_mpi()) GTEST_SKIP() << "SKIPPED: there is no Open MPI here (apt install openmpi-bin libopenmpi-dev)";
  build();
  expect_answer(start_squares("0"));
  EXPECT_TRUE(eventually(seconds(30), [&] { return tools("nebula").empty() && tools("orted").empty(); }));
}

TEST_F(ClusterTest, MpiFailsWithItsProgramsCode) {
  if (!has_mpi()) GTEST_SKIP() << "SKIPPED: there is no Open MPI here (apt install openmpi-bin libopenmpi-dev)";
  const Ended ended =
      pool().cli({"cluster", "mpi", "-n", "3", "--retries", "0", "--", "sh", "-c", "exit 7"}, {.limit = seconds(200)});
  EXPECT_EQ(ended.exit_code, 7) << ended.err;
}

TEST_F(ClusterTest, MpiRunsAgainWhenANodeDies) {
  if (!has_mpi()) GTEST_SKIP() << "SKIPPED: there is no Open MPI here (apt install openmpi-bin libopenmpi-dev)";
  build();
  const std::uint64_t job = start_squares("5");
  const Process log = pool().start_cli({"logs", "--follow", std::to_string(job)});
  ASSERT_TRUE(eventually(seconds(90), [&] { return log.out().contains("begun"); })) << log.out();
  ::kill(node(2).node_process(), SIGKILL);
  expect_answer(job);
  EXPECT_GE(Api(pool()).get(job, 3).tasks(0).attempts(), 1U);
}

// The carrier of one member's packets stands still: its node goes on talking to the hub, but its gang hears nothing of
// it any more, not even that it has gone.
TEST_F(ClusterTest, MpiNoticesAMemberThatIsSilentlyCutOff) {
  if (!has_mpi()) GTEST_SKIP() << "SKIPPED: there is no Open MPI here (apt install openmpi-bin libopenmpi-dev)";
  build();
  const std::uint64_t job = start_squares("8");
  const Process log = pool().start_cli({"logs", "--follow", std::to_string(job)});
  ASSERT_TRUE(eventually(seconds(90), [&] { return log.out().contains("begun"); })) << log.out();
  pid_t carrier = 0;
  for (const pid_t process : descendants_of(node(2).node_process())) {
    if (command_line(process).find("nebula -config") != std::string::npos &&
        command_line(process).find("bwrap") == std::string::npos) {
      carrier = process;
    }
  }
  ASSERT_NE(carrier, 0);
  ::kill(carrier, SIGSTOP);
  EXPECT_TRUE(eventually(seconds(60), [&] { return log.err().contains("is lost"); })) << log.out() << log.err();
  expect_answer(job);
}

TEST_F(ClusterTest, DaskRunsOnThreeNodes) {
  if (!has_module("distributed")) GTEST_SKIP() << "SKIPPED: there is no Dask here (apt install python3-distributed)";
  const std::string program = write("squares.py", R"(
import os, socket
from distributed import Client
def square(x):
  return x * x
if __name__ == "__main__":
  with Client(os.environ["DASK_SCHEDULER_ADDRESS"]) as client:
    client.wait_for_workers(int(os.environ["HEARTH_GANG_SIZE"]) - 1)
    hosts = sorted(client.run(socket.gethostname).values())
    print(sum(client.gather(client.map(square, range(100)))), *hosts)
)");
  const Ended ended = pool().cli({"cluster", "dask", "-n", "3", "--", program}, {.limit = seconds(200)});
  EXPECT_EQ(ended.exit_code, 0) << ended.err;
  EXPECT_THAT(ended.out, HasSubstr("328350 host-1 host-2\n")) << ended.err;
}

TEST_F(ClusterTest, AProgramOutsideHasADaskClusterOfThreeNodes) {
  if (!has_module("distributed")) GTEST_SKIP() << "SKIPPED: there is no Dask here (apt install python3-distributed)";
  const std::string program = write("outside.py", R"(
from dask.distributed import Client
from hearth.dask import HearthCluster
def square(x): return x * x
def where(_): import socket; return socket.gethostname()
if __name__ == "__main__":
  with HearthCluster(3, memory="512M") as cluster, Client(cluster) as client:
    print(sum(client.gather(client.map(square, range(50)))))
    print(sorted(set(client.gather(client.map(where, range(20), pure=False)))))
    big = client.submit(bytes, 3_000_000)
    print(len(big.result()), len(cluster.scheduler_info["workers"]), cluster.job)
)");
  const std::string token = pool().cli({"token", "new", "outside"}).out;
  const std::string client = std::string(HEARTH_PROTO_DIRECTORY) + "/../../../clients/python";
  const Ended ended = run_program({"/usr/bin/python3", "-W", "error::ResourceWarning", program},
                                  {.cwd = pool().directory(),
                                   .env = {{"HEARTH_TOKEN", token.substr(0, token.find('\n'))}, {"PYTHONPATH", client}},
                                   .limit = seconds(240)});
  EXPECT_EQ(ended.exit_code, 0) << ended.err;
  EXPECT_EQ(ended.out, "40425\n['host-1', 'host-2']\n3000000 2 1\n") << ended.err;
  Api api(pool());
  EXPECT_EQ(api.wait(1, seconds(60)).state(), v1::JOB_STATE_CANCELLED);
}

TEST_F(ClusterTest, TorchRunsOnThreeNodes) {
  if (!has_module("torch")) GTEST_SKIP() << "SKIPPED: there is no PyTorch here (apt install python3-torch)";
  const std::string program = write("sum.py", R"(
import torch, torch.distributed as dist
dist.init_process_group("gloo")
value = torch.tensor([float((dist.get_rank() + 1) ** 2)])
dist.all_reduce(value)
print(f"{value.item():.0f} of {dist.get_world_size()}", flush=True)
)");
  const Ended ended =
      pool().cli({"cluster", "torch", "-n", "3", "--memory", "2G", "--", program}, {.limit = seconds(240)});
  EXPECT_EQ(ended.exit_code, 0) << ended.err;
  EXPECT_THAT(ended.out, HasSubstr("14 of 3\n")) << ended.err;
}

}  // namespace
}  // namespace hearth::e2e
