// What is read from the kernel's files, on a tree of the test's own.
#include <filesystem>
#include <fstream>

#include <gtest/gtest.h>
#include <unistd.h>

#include "presence/load.h"
#include "presence/thermal.h"

namespace hearth::presence {
namespace {

namespace fs = std::filesystem;

class MachineTest : public testing::Test {
 protected:
  MachineTest() {
    std::string name = (fs::temp_directory_path() / "hearth-machine-XXXXXX").string();
    if (::mkdtemp(name.data()) != nullptr) root = name;
  }
  ~MachineTest() override { fs::remove_all(root); }

  void write(const std::string& path, const std::string& text) const {
    fs::create_directories((root / path).parent_path());
    std::ofstream(root / path) << text;
  }
  // A process and the ticks that it has used.
  void write_process(int pid, long parent, int ticks) const {
    write("proc/" + std::to_string(pid) + "/stat", std::to_string(pid) + " (a (b) c) R " + std::to_string(parent) +
                                                       " 1 1 0 -1 0 0 0 0 0 " + std::to_string(ticks) + " 0 0 0 20 0");
  }
  void write_load(int busy, int idle, double pressure) const {
    write("proc/stat", "cpu  " + std::to_string(busy) + " 0 0 " + std::to_string(idle) + " 0 0 0 0 0 0\n");
    write("proc/pressure/cpu", "some avg10=" + std::to_string(pressure) + " avg60=0.00 avg300=0.00 total=1\n");
  }

  fs::path root;
};

TEST_F(MachineTest, TheHottestZoneCounts) {
  EXPECT_FALSE(hottest_celsius(root)) << "a PC without zones";
  write("sys/class/thermal/thermal_zone0/temp", "41999\n");
  write("sys/class/thermal/thermal_zone1/temp", "63000\n");
  write("sys/class/thermal/thermal_zone2/temp", "no number\n");
  write("sys/class/thermal/thermal_zone3/temp", "999999\n");
  write("sys/class/thermal/cooling_device0/temp", "99000\n");
  EXPECT_EQ(hottest_celsius(root).value(), 63);
}

TEST_F(MachineTest, PressureIsThatOfOthers) {
  PressureMeter meter(root);
  EXPECT_FALSE(meter.read()) << "a kernel without PSI";
  write_load(1'000, 1'000, 80);
  write_process(4711, ::getpid(), 500);
  write_process(4712, 1, 400);
  EXPECT_EQ(meter.read().value(), 0) << "nothing to compare with";
  write_load(1'100, 1'000, 80);
  write_process(4711, ::getpid(), 590);
  write_process(4712, 1, 410);
  EXPECT_NEAR(meter.read().value(), 0.1, 0.001) << "guests used 90 of the 100 ticks";
  write_load(1'200, 1'000, 80);
  write_process(4712, 1, 510);
  EXPECT_NEAR(meter.read().value(), 0.8, 0.001) << "others used them all, and 80 % of the time something waited";
  write_load(1'300, 1'000, 5);
  EXPECT_NEAR(meter.read().value(), 0.05, 0.001) << "nothing waits: there is room for both";
}

}  // namespace
}  // namespace hearth::presence
