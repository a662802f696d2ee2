// Real machines, by emulation: slow, so there are few. KVM is not tested.
#include <gtest/gtest.h>

#include "sandbox/microvm/testing.h"

namespace hearth::sandbox {
namespace {

TEST(MicroVm, RunsAProgramOfAnEnvironment) {
  if (std::string missing = why_no_machine(); !missing.empty()) GTEST_SKIP() << "SKIPPED: " << missing;
  TestHost host(options_with_tcg());
  host.set_up({.level = Level::kMicroVm, .image = make_image(host.directory())});
  Limits limits{.cores = 1, .memory_bytes = 192ULL << 20, .scratch_bytes = 32ULL << 20};
  std::unique_ptr<Sandbox> box;
  Ran ran = run_machine([&] {
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
