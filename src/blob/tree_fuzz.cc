// check_tree() against a slow restatement of its rules.
#include <cstdint>
#include <filesystem>
#include <set>
#include <string>
#include <string_view>

#include "base/check.h"
#include "blob/transfer.h"

namespace {

// A tree that is accepted stays below whatever folder it is laid out in.
void check_accepted(const hearth::v1::Tree& tree) {
  std::set<std::string> files;
  for (const hearth::v1::TreeFile& file : tree.files()) {
    CHECK(files.insert(file.path()).second);
    CHECK(file.path().find('\0') == std::string::npos);
    const std::filesystem::path path = file.path();
    CHECK(path.is_relative());
    CHECK(path.lexically_normal() == path);
    CHECK(*path.begin() != "..");
  }
  for (const std::string& file : files) {
    for (std::filesystem::path parent = std::filesystem::path(file).parent_path(); !parent.empty();
         parent = parent.parent_path()) {
      CHECK(!files.contains(parent.string()));
    }
  }
}

}  // namespace

// The input is either a serialized tree or, so that the fuzzer reaches the rules sooner, paths with a line each.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view input(reinterpret_cast<const char*>(data), size);
  hearth::v1::Tree tree;
  if (tree.ParseFromArray(data, static_cast<int>(size)) && hearth::blob::check_tree(tree)) check_accepted(tree);

  tree.Clear();
  for (std::size_t begin = 0; begin < input.size();) {
    const std::size_t end = std::min(input.find('\n', begin), input.size());
    hearth::v1::TreeFile& file = *tree.add_files();
    file.set_path(std::string(input.substr(begin, end - begin)));
    file.mutable_blob()->set_sha256(std::string(32, 'x'));
    begin = end + 1;
  }
  if (hearth::blob::check_tree(tree)) check_accepted(tree);
  return 0;
}
