// The drive as the programs that people mount it with see it, and as WebDAV's own test suite judges it.
#include <chrono>
#include <filesystem>
#include <fstream>
#include <optional>
#include <regex>

#include <unistd.h>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "harness/pairing.h"
#include "harness/pool.h"

namespace hearth::e2e {
namespace {

using testing::HasSubstr;
using testing::Not;

class DriveClientsTest : public PoolFixture {
 protected:
  void SetUp() override {
    PoolFixture::SetUp();
    const Ended made = pool().cli({"token", "new", "files"});
    ASSERT_EQ(made.exit_code, 0) << made.err;
    token_ = made.out.substr(0, made.out.find('\n'));
  }
  void TearDown() override {
    bridge_.reset();
    PoolFixture::TearDown();
  }
  std::filesystem::path drive(const std::string& name) { return pool().home() / "drive" / name; }
  std::string url() { return "https://127.0.0.1:" + std::to_string(pool().endpoint().port) + "/dav/"; }
  std::string certificate() { return pool().home() / "hub" / "certificate.pem"; }

  // Plain HTTP to what the hub says in TLS, for programs that ask at a terminal whether to trust its certificate.
  std::string plain_url() {
    const std::filesystem::path log = pool().directory() / "socat.log";
    bridge_.emplace(Process::start({"socat", "-d", "-d", "-lf", log, "TCP-LISTEN:0,bind=127.0.0.1,fork",
                                    "OPENSSL:127.0.0.1:" + std::to_string(pool().endpoint().port) + ",verify=0"},
                                   {.cwd = pool().directory()}));
    std::smatch port;
    std::string text;
    EXPECT_TRUE(eventually(seconds(10), [&] {
      text = read(log);
      return std::regex_search(text, port, std::regex("listening on AF=2 127.0.0.1:(\\d+)"));
    }));
    return port.empty() ? "" : "http://127.0.0.1:" + port[1].str() + "/dav/";
  }
  static std::string read(const std::filesystem::path& file) {
    std::ifstream stream(file);
    return {std::istreambuf_iterator<char>(stream), std::istreambuf_iterator<char>()};
  }
  void write(const std::filesystem::path& file, std::string_view text) {
    std::filesystem::create_directories(file.parent_path());
    std::ofstream(file) << text;
  }

  std::string token_;
  std::optional<Process> bridge_;
};

// litmus speaks TLS, but leaves one test out then (Expect: 100-continue).
TEST_F(DriveClientsTest, LitmusFindsNothing) {
  const Ended litmus =
      run_program({"litmus", "-k", plain_url(), "anybody", token_}, {.cwd = pool().directory(), .limit = seconds(120)});
  EXPECT_EQ(litmus.exit_code, 0);
  std::size_t passed = 0;
  const std::regex summary("tests run: (\\d+) passed");
  for (std::sregex_iterator at(litmus.out.begin(), litmus.out.end(), summary), end; at != end; ++at) {
    passed += std::stoul((*at)[1]);
  }
  EXPECT_EQ(passed, 104U);
  EXPECT_THAT(litmus.out, AllOf(Not(HasSubstr("WARNING")), Not(HasSubstr("FAIL")), Not(HasSubstr("SKIPPED"))));
}

TEST_F(DriveClientsTest, RcloneKeepsAFolderTheSame) {
  const std::filesystem::path source = pool().directory() / "source";
  const std::string large(3'000'000, 'x');
  write(source / "large", large);
  for (const char* name : {"f 1 é.txt", "f#2?.txt", "100%.txt"}) write(source / "below" / name, name);
  const auto changed = std::chrono::file_clock::from_sys(
      std::chrono::sys_seconds(std::chrono::sys_days(std::chrono::year(2020) / 1 / 2)));
  std::filesystem::last_write_time(source / "below" / "100%.txt", changed);
  const std::string config = pool().directory() / "rclone.conf";
  const auto rclone = [&](std::vector<std::string> arguments) {
    arguments.insert(arguments.begin(), {"rclone", "--config", config, "--ca-cert", certificate()});
    const Ended ended = run_program(arguments, {.cwd = pool().directory()});
    EXPECT_EQ(ended.exit_code, 0) << ended.out << ended.err;
    return ended.out + ended.err;
  };
  rclone({"config", "create", "home", "webdav", "url=" + url(), "vendor=owncloud", "user=me", "pass=" + token_,
          "--obscure"});
  rclone({"sync", source, "home:backup"});
  EXPECT_EQ(read(drive("backup/large")), large);
  EXPECT_EQ(read(drive("backup/below/100%.txt")), "100%.txt");
  EXPECT_EQ(std::filesystem::last_write_time(drive("backup/below/100%.txt")), changed);
  EXPECT_THAT(rclone({"check", source, "home:backup"}), HasSubstr("0 differences found"));
  EXPECT_THAT(rclone({"sync", source, "home:backup", "--stats-one-line", "-v"}), Not(HasSubstr("Copied")));
  rclone({"moveto", "home:backup/large", "home:backup/below/larger"});
  EXPECT_EQ(read(drive("backup/below/larger")), large);
  EXPECT_THAT(rclone({"about", "home:"}), HasSubstr("Free:"));
  rclone({"purge", "home:backup"});
  EXPECT_FALSE(std::filesystem::exists(drive("backup")));
}

TEST_F(DriveClientsTest, CadaverLocksNamesAndMoves) {
  const std::filesystem::path home = pool().directory() / "home";
  write(home / ".netrc", "machine 127.0.0.1\nlogin me\npassword " + token_ + "\n");
  std::filesystem::permissions(home / ".netrc", std::filesystem::perms::owner_read);
  write(home / "one", "one");
  const Ended ended = run_program({"cadaver", plain_url()},
                                  {.cwd = home,
                                   .env = {{"HOME", home}},
                                   .input = "mkcol notes\ncd notes\nput one\nlock one\nput one\ndiscover one\n"
                                            "unlock one\npropset one colour blue\npropget one colour\n"
                                            "copy one two\nmove two three\ndelete one\nls\nquit\n"});
  EXPECT_THAT(ended.out, AllOf(HasSubstr("Scope: exclusive"), HasSubstr("Value of colour is: blue"), HasSubstr("three"),
                               Not(HasSubstr("failed"))));
  EXPECT_EQ(read(drive("notes/three")), "one");
  EXPECT_FALSE(std::filesystem::exists(drive("notes/one")));
}

// Its own way of unmounting (not -i) waits for the mounting program to have gone, which a test's processes only do once
// the test has seen them end. The certificate and the cache lie where davfs2's own user, whom it becomes, reaches them.
TEST_F(DriveClientsTest, Davfs2MountsIt) {
  if (::geteuid() != 0 || ::access("/dev/fuse", W_OK) != 0 || ::access("/sbin/mount.davfs", X_OK) != 0) {
    GTEST_SKIP() << "SKIPPED: mounting by davfs2 needs root, /dev/fuse and the package davfs2";
  }
  const std::filesystem::path open =
      std::filesystem::temp_directory_path() / ("hearth-davfs-" + std::to_string(::getpid()));
  write(open / "certificate.pem", read(certificate()));
  write(open / "davfs2.conf", "use_locks 1\ndelay_upload 0\nbuf_size 64\ncache_dir " + (open / "cache").string() +
                                  "\ntrust_server_cert " + (open / "certificate.pem").string() + "\n");
  const std::string script =
      "set -e; mkdir cache mnt; chown :davfs2 cache; chmod 1775 cache\n"
      "mount -t davfs -o conf=$PWD/davfs2.conf \"$1\" mnt <password >&2\n"
      "trap 'umount -i mnt >&2' EXIT\n"
      "mkdir mnt/letters; echo hello >mnt/draft; mv mnt/draft mnt/letters/final; ls mnt; ls mnt/letters\n"
      "cat mnt/letters/final; echo more >>mnt/letters/final; rm mnt/old\n";
  write(open / "password", "me\n" + token_ + "\n");
  write(drive("old"), "old");
  const Ended ended = run_program({"sh", "-c", script, "sh", url()}, {.cwd = open});
  EXPECT_EQ(ended.exit_code, 0) << ended.err;
  EXPECT_TRUE(eventually(seconds(20), [&] { return read(drive("letters/final")) == "hello\nmore\n"; }));
  EXPECT_THAT(ended.out, AllOf(HasSubstr("letters\n"), HasSubstr("old\n"), HasSubstr("final\nhello\n"))) << ended.err;
  EXPECT_FALSE(std::filesystem::exists(drive("old")));
  std::filesystem::remove_all(open);
}

}  // namespace
}  // namespace hearth::e2e
