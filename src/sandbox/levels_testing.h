// What the tests of one level of isolation stand on, and tests that are the same at each.
#pragma once

#include <cstdlib>
#include <filesystem>
#include <optional>
#include <string>

#include <gtest/gtest.h>

#include "sandbox/microvm/testing.h"
#include "sandbox/program.h"
#include "sandbox/testing.h"

namespace hearth::sandbox {

struct Ground {
  Options options;
  Setup setup;
  std::string lack;  // why there are no such sandboxes here; empty if there are
};

inline Ground ground_of_machines(const std::filesystem::path& directory) {
  Ground ground{.options = options_with_tcg(), .setup = {.level = Level::kMicroVm}, .lack = why_no_machine()};
  if (ground.lack.empty()) ground.setup.image = make_image(directory);
  return ground;
}

// `directory`: for what the level needs.
inline Ground ground_of(Level level, const std::filesystem::path& directory) {
  if (level == Level::kMicroVm) {
    if (std::getenv("HEARTH_INSECURE_TCG_FOR_TESTS") != nullptr) return ground_of_machines(directory);
    return {.lack = "machines by emulation take minutes; HEARTH_INSECURE_TCG_FOR_TESTS=1 lets them"};
  }
  Ground ground{.options = {}, .setup = {.level = level}, .lack = ""};
  if (level == Level::kOci && find_program("crun").empty()) ground.lack = "crun is not here";
  return ground;
}

// A test of one level, skipped where that cannot be had.
class AtLevel : public testing::TestWithParam<Level> {
 public:
  static std::string name(const testing::TestParamInfo<Level>& info) { return std::string(name_of(info.param)); }

 protected:
  void SetUp() override {
    ground_ = ground_of(GetParam(), directory_.path());
    if (!ground_.lack.empty()) GTEST_SKIP() << "SKIPPED: " << ground_.lack;
  }

  const Ground& ground() const { return ground_; }
  const std::filesystem::path& directory() const { return directory_.path(); }

 private:
  TemporaryDirectory directory_;
  Ground ground_;
};

// With a Host whose sandboxes are of that level. Scripts of sh() keep to what busybox has.
class HostAtLevel : public AtLevel {
 protected:
  void SetUp() override {
    AtLevel::SetUp();
    if (IsSkipped()) return;
    host_.emplace(ground().options);
    host_->set_up(ground().setup);
  }

  TestHost& host() { return *host_; }
  Ran sh(const std::string& script, const Limits& limits = small_limits()) {
    return host().run({"/bin/sh", "-c", script}, limits);
  }

 private:
  std::optional<TestHost> host_;
};

}  // namespace hearth::sandbox
