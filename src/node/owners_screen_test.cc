#include "node/owners_screen.h"

#include <array>
#include <string>
#include <thread>

#include <gtest/gtest.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/pass_files.h"

namespace hearth::node {
namespace {

TEST(OwnersWord, NamesAJob) {
  EXPECT_EQ(parse_owners_word("job 17"), JobId{17});
  for (const char* word : {"", "job ", "job 0", "job -1", "job 17 ", "job 17x", "JOB 17", "job 99999999999999999999"}) {
    EXPECT_EQ(parse_owners_word(word), std::nullopt) << word;
  }
}

// The owner's command.
class Owner {
 public:
  explicit Owner(const std::filesystem::path& socket) {
    sockaddr_un address{.sun_family = AF_UNIX, .sun_path = {}};
    socket.string().copy(address.sun_path, sizeof address.sun_path - 1);
    EXPECT_EQ(::connect(file_, reinterpret_cast<const sockaddr*>(&address), sizeof address), 0);
  }
  ~Owner() { close(); }
  void close() {
    if (file_ >= 0) ::close(std::exchange(file_, -1));
  }
  void say(const std::string& words) const {
    EXPECT_EQ(::send(file_, words.data(), words.size(), MSG_NOSIGNAL), words.size());
  }
  // What the node has said meanwhile; "over" at its end.
  std::string hear() {
    std::array<char, 100> buffer{};
    const ssize_t count = ::recv(file_, buffer.data(), buffer.size(), MSG_DONTWAIT);
    return count == 0 ? "over" : std::string(buffer.data(), static_cast<std::size_t>(std::max<ssize_t>(count, 0)));
  }
  // The socket that came with a byte, which is told.
  int take(char& what) const {
    int socket = -1;
    receive_files(file_, {&what, 1}, {&socket, 1}, MSG_DONTWAIT);
    return socket;
  }

 private:
  int file_ = ::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
};

class OwnersScreenTest : public testing::Test {
 protected:
  OwnersScreenTest() {
    std::string pattern = "/tmp/owners_screen.XXXXXX";
    directory_ = ::mkdtemp(pattern.data());
    screen_.emplace(loop_, directory_);
    screen_->start();
  }
  ~OwnersScreenTest() override {
    screen_.reset();
    std::filesystem::remove_all(directory_);
  }
  std::filesystem::path socket() const { return directory_ / "screen"; }
  void pause() {
    loop_.run_until_done([]() -> net::Async<void> { co_await net::sleep_for(milliseconds(5)); }());
  }
  std::string hears(Owner& owner) {
    std::string heard;
    for (int i = 0; i < 1'000 && heard.empty(); ++i) {
      pause();
      heard = owner.hear();
    }
    return heard;
  }
  Result<void> claim(JobId job) { return loop_.run_until_done(screen_->claim(job)); }

  std::filesystem::path directory_;
  net::Loop loop_;
  std::optional<OwnersScreen> screen_;
};

TEST_F(OwnersScreenTest, IsShownByTheOwnersWordAlone) {
  EXPECT_EQ(claim({5}).error().code, Code::kPermissionDenied) << "nobody is there";
  struct stat status{};
  ASSERT_EQ(::stat(socket().c_str(), &status), 0);
  EXPECT_EQ(status.st_mode & 0777, 0600U);
  Owner owner(socket());
  EXPECT_EQ(hears(owner), "ok\n");
  owner.say("job 5\n");
  EXPECT_FALSE(claim({6})) << "another job";
  EXPECT_TRUE(claim({5}));
  EXPECT_FALSE(claim({5})) << "once";
}

TEST_F(OwnersScreenTest, WaitsForAWordThatIsAboutToCome) {
  Owner owner(socket());
  EXPECT_EQ(hears(owner), "ok\n");
  loop_.spawn([](Owner& late) -> net::Async<void> {
    co_await net::sleep_for(milliseconds(20));
    late.say("job ");
    co_await net::sleep_for(milliseconds(20));
    late.say("5\n");
  }(owner));
  EXPECT_TRUE(claim({5}));
}

TEST_F(OwnersScreenTest, IsShownOnceAtATime) {
  Owner owner(socket());
  EXPECT_EQ(hears(owner), "ok\n");
  Owner second(socket());
  EXPECT_EQ(hears(second).substr(0, 4), "no: ");
  owner.close();
  for (int i = 0; i < 20; ++i) pause();
  Owner third(socket());
  EXPECT_EQ(hears(third), "ok\n");
}

TEST_F(OwnersScreenTest, EndsAtAWordThatIsNone) {
  Owner owner(socket());
  EXPECT_EQ(hears(owner), "ok\n");
  owner.say(std::string(100, 'j'));
  EXPECT_EQ(hears(owner), "over");
}

TEST_F(OwnersScreenTest, HandsViewersOverAndEndsWithEitherSide) {
  EXPECT_FALSE(screen_->connect({5}, false));
  for (const bool by_owner : {true, false}) {
    Owner owner(socket());
    EXPECT_EQ(hears(owner), "ok\n");
    owner.say("job 5\n");
    ASSERT_TRUE(claim({5}));
    bool over = false;
    screen_->begin({5}, [&over] { over = true; });
    EXPECT_FALSE(screen_->connect({6}, false));
    const Result<int> viewer = screen_->connect({5}, true);
    ASSERT_TRUE(viewer);
    char what = 0;
    const int theirs = owner.take(what);
    ASSERT_GE(theirs, 0);
    EXPECT_EQ(what, 'w');
    EXPECT_EQ(::send(*viewer, "hello", 5, 0), 5);
    std::array<char, 5> heard{};
    EXPECT_EQ(::recv(theirs, heard.data(), heard.size(), 0), 5);
    ::close(theirs);
    ::close(*viewer);
    if (by_owner) owner.close();
    screen_->end(JobId{6});
    EXPECT_FALSE(over);
    if (!by_owner) screen_->end(JobId{5});
    for (int i = 0; i < 1'000 && !over; ++i) pause();
    EXPECT_TRUE(over);
    if (!by_owner) EXPECT_EQ(hears(owner), "over");
    bool late = false;
    screen_->begin({5}, [&late] { late = true; });
    pause();
    EXPECT_TRUE(late) << "it was over";
  }
}

}  // namespace
}  // namespace hearth::node
