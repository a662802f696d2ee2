#include "cli/cluster.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace hearth::cli {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

RunPlan plan_of(const std::string& program) {
  RunPlan plan;
  plan.spec.add_argv(program);
  plan.spec.add_argv("10");
  plan.spec.set_tasks(3);
  plan.spec.mutable_resources()->set_cores(2);
  return plan;
}

TEST(Cluster, EveryTaskRunsTheLauncher) {
  RunPlan plan = plan_of("./model");
  ASSERT_TRUE(make_cluster("mpi", "/here/launcher", plan));
  EXPECT_THAT(plan.spec.argv(), ElementsAre("/usr/bin/python3", "cluster_launcher.py", "mpi", "2", "./model", "10"));
  EXPECT_TRUE(plan.spec.gang());
  EXPECT_TRUE(plan.spec.net_gang());
  EXPECT_EQ(plan.spec.name(), "mpi model");
  ASSERT_EQ(plan.files.size(), 1U);
  EXPECT_EQ(plan.files[0].tree_path, "cluster_launcher.py");
  EXPECT_EQ(plan.files[0].source, "/here/launcher");
  EXPECT_THAT(std::string(launcher_text()), HasSubstr("def mpirun_command"));
}

TEST(Cluster, WrongValuesAreNamed) {
  RunPlan plan = plan_of("./model");
  EXPECT_THAT(make_cluster("spark", "/l", plan).error().message, HasSubstr("mpi, dask, torch"));
  plan = plan_of("model.cpp");
  EXPECT_THAT(make_cluster("mpi", "/l", plan).error().message, HasSubstr("compile it first"));
  plan = plan_of("./model");
  plan.files.push_back({.tree_path = "cluster_launcher.py", .source = "/mine"});
  EXPECT_THAT(make_cluster("mpi", "/l", plan).error().message, HasSubstr("may not have this name"));
}

}  // namespace
}  // namespace hearth::cli
