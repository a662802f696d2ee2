#include "sandbox/microvm/machine_listener.h"

#include <cerrno>

#include <fcntl.h>

#include <gtest/gtest.h>

#include "sandbox/microvm/initramfs.h"
#include "sandbox/testing.h"

namespace hearth::sandbox {
namespace {

std::string record(wire::Header header, std::string_view name = "", std::string_view content = "") {
  header.name_bytes = static_cast<std::uint16_t>(name.size());
  header.size = content.size();
  std::array<char, wire::kHeaderBytes> bytes = wire::encode(header);
  return std::string(bytes.data(), bytes.size()).append(name).append(content);
}

const std::string kStarted = record({.kind = wire::Kind::kStarted});
const std::string kExit = record({.kind = wire::Kind::kExit, .number = 3});
const std::string kEnd = record({.kind = wire::Kind::kEnd});

struct Heard {
  Exit exit;
  std::string printed;
};

// Feeds it to a listener byte by byte; results land in `place`.
Heard hear(const std::filesystem::path& place, const std::string& stream, const std::string& console = "") {
  WorkingDirectory directory(std::make_unique<Mount>(place, Mount::Borrowed{}),
                             Fd(::open(place.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC)), GuestUser{});
  MachineListener listener(directory, "program");
  Heard heard;
  auto print = [&heard](Stream, std::string_view piece) { heard.printed += piece; };
  for (char c : stream) listener.hear(Stream::kStdout, {&c, 1}, print);
  listener.hear(Stream::kStderr, console, print);
  listener.conclude({.exit_code = 0, .kill_wanted = false}, print, heard.exit);
  return heard;
}

TEST(MachineListener, TakesResultsAndRefusesNonsense) {
  TemporaryDirectory place;
  const std::string file = record({.kind = wire::Kind::kFile}, "out/r.txt", "result");
  Heard good = hear(place.path(), kStarted + record({.kind = wire::Kind::kStdout}, "", "hello") + kExit + file + kEnd);
  EXPECT_EQ(good.printed, "hello");
  EXPECT_EQ(good.exit.exit_code, 3);
  EXPECT_EQ(read_text(place.path() / "out/r.txt"), "result");

  for (const char* path : {"../x", "/x", "a/../b", "out/r.txt/below"}) {
    Heard bad = hear(place.path(), kStarted + kExit + record({.kind = wire::Kind::kFile}, path, "x") + kEnd);
    EXPECT_FALSE(bad.exit.started) << path;
    EXPECT_NE(bad.exit.message.find("its results could not be taken"), std::string::npos) << bad.exit.message;
  }
  EXPECT_FALSE(std::filesystem::exists(place.path().parent_path() / "x"));
  EXPECT_NE(hear(place.path(), kExit).exit.message.find("an end without a beginning"), std::string::npos);
  EXPECT_NE(hear(place.path(), std::string(16, '\xff')).exit.message.find("no known kind"), std::string::npos);
  EXPECT_EQ(hear(place.path(), kStarted).exit.exit_code, 128 + 9) << "the machine died with the program in it";
}

TEST(MachineListener, SaysWhyNothingStarted) {
  TemporaryDirectory place;
  EXPECT_EQ(hear(place.path(), record({.kind = wire::Kind::kNotStarted, .number = ENOENT}) + kEnd).exit.message,
            "the program 'program' was not found in the environment");
  EXPECT_EQ(hear(place.path(), "", "noise\nhearth: the machine has no image\r\nmore\n").exit.message,
            "the virtual machine could not start: the machine has no image");
  const std::string gave_up =
      "[    2.3] Policy zone: DMA32\nKVM internal error. Suberror: 1\nemulation failure\nRAX=0\n";
  EXPECT_TRUE(hear(place.path(), "", gave_up).exit.message.contains("(KVM internal error. Suberror: 1); "));
  EXPECT_TRUE(
      hear(place.path(), "", "KVM: entry failed, hardware error 0x7\n").exit.message.contains("could not go on"));
}

TEST(Initramfs, ReadsWhatAModuleNeeds) {
  using namespace std::string_view_literals;
  EXPECT_EQ(dependencies_in("\177ELF\0license=GPL\0depends=dm-mod,crc\0name=x\0"sv),
            (std::vector<std::string>{"dm-mod", "crc"}));
  EXPECT_TRUE(dependencies_in("\0depends=\0"sv).empty());
  EXPECT_TRUE(dependencies_in("nothing").empty());
  EXPECT_EQ(find_kernel("/no/such").error().code, Code::kFailedPrecondition);
}

}  // namespace
}  // namespace hearth::sandbox
