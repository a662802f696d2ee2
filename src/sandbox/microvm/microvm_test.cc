// A real machine, by emulation: slow, so there is one. KVM is not tested.
#include <functional>

#include <gtest/gtest.h>

#include "sandbox/levels_testing.h"

namespace hearth::sandbox {
namespace {

// Emulated machines hang now and then before they reach process 1: once more.
Ran run_with_one_retry(TestHost& host, const std::function<Ran()>& run) {
  static_cast<void>(host);
  Ran ran = run();
  return ran.exit.started || !ran.exit.message.contains("virtual machine") ? ran : run();
}

TEST(MicroVm, RunsAProgramOfAnEnvironment) {
  TemporaryDirectory directory;
  const Ground ground = ground_of_machines(directory.path());
  if (!ground.lack.empty()) GTEST_SKIP() << ground.lack;
  TestHost host(ground.options);
  host.set_up(ground.setup);
  Limits limits{.cores = 1, .memory_bytes = 192ULL << 20, .scratch_bytes = 32ULL << 20};
  std::unique_ptr<Sandbox> box;
  Ran ran = run_with_one_retry(host, [&] {
    box.reset();
    box = host.prepare(limits);
    put(*box, "in/data.txt", "forty-two");
    put(*box, "in/old.txt", "old");
    put(*box, "run.sh",
        "#!/bin/sh\ncat in/data.txt; echo; id -u; ls /; echo $MARK; mkdir out; echo result > out/r.txt; rm in/old.txt;"
        "echo changed >> in/data.txt; touch /usr/x || echo read-only >&2; mount -t tmpfs x /tmp || echo no-mount;"
        "grep -E '^(CapEff|CapBnd|NoNewPrivs|Seccomp):' /proc/self/status; seq 1 20000; grep -c dm-0 /proc/swaps; exit "
        "7\n",
        true);
    return Running(*box, {.argv = {"./run.sh"}, .variables = {{"MARK", "here"}}}).wait();
  });
  ASSERT_TRUE(ran.exit.started) << ran.exit.message;
  EXPECT_EQ(ran.exit.exit_code, 7);
  EXPECT_TRUE(ran.out.starts_with("forty-two\n65534\nbin\ndev\netc\njob\nproc\ntmp\nusr\nhere\nno-mount\n")) << ran.out;
  EXPECT_NE(ran.err.find("read-only"), std::string::npos) << ran.err;
  EXPECT_NE(ran.out.find("CapBnd:\t0000000000000000\nNoNewPrivs:\t1\nSeccomp:\t2\n1\n"), std::string::npos) << ran.out;
  EXPECT_TRUE(ran.out.ends_with("\n20000\n1\n")) << "output is whole, and the swap space is the encrypted disk";
  auto outputs = box->collect({"**"}, {});
  ASSERT_TRUE(outputs) << outputs.error().message;
  ASSERT_EQ(outputs->size(), 2U);
  EXPECT_EQ((*outputs)[0].path, "in/data.txt");
  EXPECT_EQ((*outputs)[1].path, "out/r.txt");
  EXPECT_FALSE(box->open_output("in/old.txt"));
}

}  // namespace
}  // namespace hearth::sandbox
