#include "node/task_inputs.h"

#include <gtest/gtest.h>

namespace hearth::node {
namespace {

v1::Tree tree_of(const std::vector<std::string>& paths) {
  v1::Tree tree;
  for (const std::string& path : paths) tree.add_files()->set_path(path);
  return tree;
}

std::vector<std::string> paths_of(const v1::Tree& tree, std::uint32_t task) {
  std::vector<std::string> paths;
  for (const v1::TreeFile& file : files_of_task(tree, task)) paths.push_back(file.path());
  return paths;
}

TEST(TaskInputs, ATaskHasItsOwnFilesAlone) {
  const v1::Tree tree = tree_of({"0/a", "1/a", "1/b/c", "10/x", "2/1/a"});
  using Paths = std::vector<std::string>;
  EXPECT_EQ(paths_of(tree, 0), Paths({"a"}));
  EXPECT_EQ(paths_of(tree, 1), Paths({"a", "b/c"})) << "10 begins with 1 too";
  EXPECT_EQ(paths_of(tree, 2), Paths({"1/a"}));
  EXPECT_EQ(paths_of(tree, 3), Paths());
  EXPECT_EQ(paths_of(tree, 10), Paths({"x"}));
  EXPECT_EQ(paths_of({}, 0), Paths());
}

TEST(TaskInputs, TheTreeAskedForLastStays) {
  TaskInputs inputs;
  v1::Blob first;
  first.set_sha256(std::string(32, 'a'));
  v1::Blob second;
  second.set_sha256(std::string(32, 'b'));
  EXPECT_EQ(inputs.find(first), nullptr);
  const auto kept = inputs.keep(first, tree_of({"0/a"}));
  EXPECT_EQ(inputs.find(first), kept);
  EXPECT_EQ(inputs.find(second), nullptr);
  inputs.keep(second, tree_of({"0/b"}));
  EXPECT_EQ(inputs.find(first), nullptr);
  EXPECT_EQ(kept->files(0).path(), "0/a") << "whoever has it keeps it";
}

}  // namespace
}  // namespace hearth::node
