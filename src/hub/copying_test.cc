// The drive's copy, both sides in one process: whatever is done to the drive, and whenever the copy is interrupted, it
// comes to the same; and the way back, after the two have changed their roles.
#include "hub/copying.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

#include <fstream>
#include <map>
#include <random>
#include <set>

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/bytes.h"
#include "blob/temporary_directory.h"
#include "drive/changes.h"
#include "drive/copy_source.h"
#include "net/crypto.h"
#include "net/server.h"

namespace hearth::hub {
namespace {

namespace fs = std::filesystem;
using drive::Folder;
using drive::Path;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

std::string text_of(const fs::path& file) {
  std::ifstream stream(file);
  return {std::istreambuf_iterator<char>(stream), {}};
}

void write(const fs::path& file, const std::string& text) {
  fs::create_directories(file.parent_path());
  std::ofstream(file) << text;
}

std::string attribute_of(const fs::path& file, const char* name) {
  std::string value(256, '\0');
  const ssize_t size = ::getxattr(file.c_str(), name, value.data(), value.size());
  return value.substr(0, size < 0 ? 0 : static_cast<std::size_t>(size));
}

// All that is the family's, with what is said of it.
std::map<std::string, std::string> tree_of(const fs::path& root) {
  std::map<std::string, std::string> tree;
  const std::set<std::string> skipped = {"new", "aside", "id", "uploads", "thumbs"};
  for (auto found = fs::recursive_directory_iterator(root); found != fs::recursive_directory_iterator(); ++found) {
    const std::string path = fs::relative(found->path(), root);
    if (path.starts_with(".hearth/") && skipped.contains(path.substr(8))) {
      found.disable_recursion_pending();
      continue;
    }
    struct stat status{};
    EXPECT_EQ(::lstat(found->path().c_str(), &status), 0);
    if (S_ISDIR(status.st_mode)) {
      // Of the drive's own, each side makes what it needs.
      if (!(path.starts_with(".hearth") && fs::is_empty(found->path()))) tree[path] = "folder";
      continue;
    }
    tree[path] = fmt::format("{} {}.{} {:o} {}", text_of(found->path()), status.st_mtim.tv_sec, status.st_mtim.tv_nsec,
                             status.st_mode & 0777, attribute_of(found->path(), "user.hearth.versions"));
  }
  tree.erase(".hearth");
  return tree;
}

// A PC with a hub: its drive's folder, and what serves it while it holds the pool.
struct Side {
  Side(net::Loop& loop_in, const fs::path& directory) : loop(loop_in), home(directory) {
    fs::create_directories(home);
    row = {
        .identity = identity.public_key(), .name = home.filename(), .endpoints = "", .secret = net::random_bytes(32)};
  }
  fs::path folder() const { return home / "drive"; }

  void hold(const Side& other) {
    drive = std::make_unique<drive::Drive>(loop, workers, folder());
    source = std::make_unique<drive::CopySource>(loop, *drive);
    const std::string password = "Bearer " + to_hex(drive::copy_password(row.secret, other.row.secret));
    server =
        std::move(*net::Server::listen(loop, {.address = "127.0.0.1", .port = 0}, net::TlsContext::server(identity),
                                       [this, password](net::Exchange& exchange) -> net::Async<void> {
                                         EXPECT_EQ(exchange.head().headers.get("authorization"), password);
                                         if (delay) co_await net::sleep_for(milliseconds(20));
                                         co_await source->serve(exchange);
                                       }));
    row.endpoints = fmt::format("127.0.0.1:{}", server->port());
  }
  void stand_by(const Side& holder, std::uint64_t rate = 0) {
    copy = std::make_unique<DriveCopy>(
        loop, DriveCopy::Start{.folder = folder(), .directory = home, .self = row, .rate = rate});
    copy->meet(&holder.row);
  }
  void stop_copy() {
    loop.run_until_done(copy->stop());
    copy.reset();
  }
  v1::DriveCopyState state() const {
    v1::DriveCopyState state;
    EXPECT_TRUE(state.ParseFromString(text_of(home / kDriveCopyFile)));
    return state;
  }

  net::Loop& loop;
  fs::path home;
  bool delay = false;
  net::IdentityKey identity = net::IdentityKey::generate();
  store::HubRow row;
  net::Workers workers{2};
  std::unique_ptr<drive::Drive> drive;
  std::unique_ptr<drive::CopySource> source;
  std::unique_ptr<net::Server> server;
  std::unique_ptr<DriveCopy> copy;
};

class DriveCopyTest : public testing::Test {
 protected:
  ~DriveCopyTest() override {
    for (Side* side : {&den_, &attic_}) {
      if (side->copy) side->stop_copy();
      if (side->source) side->source->stop();
      side->server.reset();
    }
    loop_.run_until_done([]() -> net::Async<void> { co_await net::sleep_for(milliseconds(50)); }());
    loop_.stop();
    loop_.run();
  }

  template <class Holds>
  bool eventually(Holds holds, Duration limit = seconds(60)) {
    return loop_.run_until_done([](net::Loop& loop, Holds is_so, Duration most) -> net::Async<bool> {
      const Time end = loop.now() + most;
      while (!is_so() && loop.now() < end) co_await net::sleep_for(milliseconds(10));
      co_return is_so();
    }(loop_, std::move(holds), limit));
  }
  bool is_current(const Side& holder) {
    return eventually([&] { return holder.source->is_current(); });
  }
  template <class Change>
  bool change(Side& side, Change made) {
    return loop_
        .run_until_done(side.drive->change({}, {}, [&](Folder& folder) -> Result<bool> { return made(folder); }))
        .value_or(false);
  }
  bool put(Side& side, const std::string& path, const std::string& text) {
    return change(side, [&](Folder& folder) -> Result<bool> {
      Result<drive::Incoming> file = folder.receive(text.size());
      if (!file || !file->write(text)) return false;
      return folder.place(std::move(*file), *Path::parse(path), {}).has_value();
    });
  }
  static ino_t inode(const fs::path& file) {
    struct stat status{};
    return ::stat(file.c_str(), &status) == 0 ? status.st_ino : 0;
  }

  blob::TemporaryDirectory scratch_;
  net::Loop loop_;
  Side den_{loop_, scratch_.path() / "den"};
  Side attic_{loop_, scratch_.path() / "attic"};
};

TEST_F(DriveCopyTest, WhatIsMovedOrReplacedDoesNotTravelAgain) {
  den_.hold(attic_);
  write(den_.folder() / "album/a.jpg", std::string(3'000'000, 'a'));
  write(den_.folder() / "notes.txt", "one");
  attic_.stand_by(den_);
  ASSERT_TRUE(is_current(den_));
  EXPECT_EQ(tree_of(attic_.folder()), tree_of(den_.folder()));
  const ino_t picture = inode(attic_.folder() / "album/a.jpg");
  const ino_t notes = inode(attic_.folder() / "notes.txt");
  ASSERT_TRUE(change(den_, [](Folder& folder) {
    return folder.move(*Path::parse("/album"), *Path::parse("/2026"), false).has_value();
  }));
  ASSERT_TRUE(is_current(den_));
  ASSERT_TRUE(put(den_, "/notes.txt", "two"));
  ASSERT_TRUE(is_current(den_));
  EXPECT_EQ(tree_of(attic_.folder()), tree_of(den_.folder()));
  EXPECT_EQ(inode(attic_.folder() / "2026/a.jpg"), picture);
  const fs::path series =
      attic_.folder() / ".hearth/versions" / attribute_of(attic_.folder() / "notes.txt", "user.hearth.versions");
  ASSERT_FALSE(fs::is_empty(series));
  EXPECT_EQ(inode(fs::directory_iterator(series)->path()), notes) << "what was replaced is the version";
  ASSERT_TRUE(change(den_, [](Folder& folder) { return folder.remove(*Path::parse("/2026")).has_value(); }));
  ASSERT_TRUE(is_current(den_));
  EXPECT_FALSE(fs::exists(attic_.folder() / "2026"));
  const fs::path trashed = fs::directory_iterator(attic_.folder() / ".hearth/trash")->path();
  EXPECT_EQ(inode(trashed / "content/a.jpg"), picture);
}

// A look in the middle of a replacement, or a removal, finds the file where it goes to and where it was.
TEST_F(DriveCopyTest, WhatIsOnItsWayIntoTheTrashDoesNotTravelAgain) {
  den_.hold(attic_);
  write(den_.folder() / "album/notes.txt", "one");
  attic_.stand_by(den_);
  ASSERT_TRUE(is_current(den_));
  const fs::path place = fs::path(".hearth/trash") / std::string(32, 'a');
  fs::create_directories(den_.folder() / place);
  fs::create_hard_link(den_.folder() / "album/notes.txt", den_.folder() / place / "content");
  ASSERT_TRUE(is_current(den_));
  EXPECT_EQ(text_of(attic_.folder() / place / "content"), "one");
  EXPECT_EQ(inode(attic_.folder() / place / "content"), inode(attic_.folder() / "album/notes.txt"));
}

TEST_F(DriveCopyTest, ALongFileGoesOnWhereItWasInterrupted) {
  den_.hold(attic_);
  std::string film;
  for (int i = 0; film.size() < 4'000'000; ++i) film += fmt::format("{} ", i);
  write(den_.folder() / "film", film);
  attic_.stand_by(den_, 1'000'000);
  const auto half = [&] {
    for (const auto& found : fs::directory_iterator(attic_.folder() / ".hearth/new")) {
      if (found.path().filename().string().starts_with("copy-")) return fs::file_size(found.path());
    }
    return std::uintmax_t{0};
  };
  ASSERT_TRUE(eventually([&] { return fs::exists(attic_.folder() / ".hearth/new") && half() > 500'000; }));
  attic_.stop_copy();
  const std::uintmax_t had = half();
  ASSERT_GT(had, 0U);
  EXPECT_FALSE(fs::exists(attic_.folder() / "film")) << "whole or not at all";
  EXPECT_GT(attic_.state().bytes_behind(), 0U);
  // What it already has is taken as it is, and judged in the end.
  attic_.stand_by(den_);
  ASSERT_TRUE(is_current(den_));
  EXPECT_EQ(text_of(attic_.folder() / "film"), film);
  EXPECT_EQ(half(), 0U);
  // A half that was damaged by a loss of power.
  write(den_.folder() / "second", film);
  put(den_, "/x", "x");
  attic_.stop_copy();
  for (const auto& found : fs::directory_iterator(den_.folder())) {
    if (found.path().filename() != "second") continue;
    const std::string etag = (*drive::CopyTree::open(den_.folder())).read("second")->second.etag;
    write(attic_.folder() / ".hearth/new" /
              ("copy-" + drive::copy_source_name(den_.row.identity) + "-" + etag.substr(1, etag.size() - 2)),
          std::string(1'000'000, '\0'));
  }
  attic_.stand_by(den_);
  ASSERT_TRUE(is_current(den_));
  EXPECT_EQ(text_of(attic_.folder() / "second"), film);
}

TEST_F(DriveCopyTest, AFolderWithOtherFilesIsNoCopy) {
  den_.hold(attic_);
  put(den_, "/a", "a");
  write(attic_.folder() / "mine.txt", "mine");
  attic_.stand_by(den_);
  ASSERT_TRUE(eventually([&] { return den_.source->state() && !den_.source->state()->trouble().empty(); }));
  EXPECT_THAT(den_.source->state()->trouble(), HasSubstr("has other files"));
  EXPECT_FALSE(fs::exists(attic_.folder() / "a"));
  EXPECT_EQ(text_of(attic_.folder() / "mine.txt"), "mine");
  fs::remove(attic_.folder() / "mine.txt");
  ASSERT_TRUE(is_current(den_)) << "it tries again";
  EXPECT_EQ(text_of(attic_.folder() / "a"), "a");
}

TEST_F(DriveCopyTest, AFullDiskIsSaidAndKeepsNothingElseFromComing) {
  den_.hold(attic_);
  write(den_.folder() / "a film", "");
  fs::resize_file(den_.folder() / "a film", 8ULL << 40U);
  write(den_.folder() / "b", "small");
  attic_.stand_by(den_);
  ASSERT_TRUE(eventually([&] { return den_.source->state() && !den_.source->state()->trouble().empty(); }));
  EXPECT_THAT(den_.source->state()->trouble(), HasSubstr("is full"));
  EXPECT_FALSE(den_.source->state()->whole());
  EXPECT_EQ(text_of(attic_.folder() / "b"), "small");
}

// What is written past the hub, as by a file manager on its PC.
TEST_F(DriveCopyTest, WhatOtherProgramsWriteComesWithinSeconds) {
  den_.hold(attic_);
  put(den_, "/photos/a.jpg", "a");
  attic_.stand_by(den_);
  ASSERT_TRUE(is_current(den_));
  write(den_.folder() / "photos/b.jpg", "b");
  EXPECT_FALSE(den_.source->is_current()) << "it is not said to be whole meanwhile";
  write(den_.folder() / "album/of/c.jpg", "c");
  ASSERT_TRUE(is_current(den_));
  EXPECT_EQ(tree_of(attic_.folder()), tree_of(den_.folder()));
  // In a folder that came later, too; and what goes.
  write(den_.folder() / "album/of/d.jpg", "d");
  fs::remove(den_.folder() / "photos/a.jpg");
  EXPECT_FALSE(den_.source->is_current());
  ASSERT_TRUE(is_current(den_));
  EXPECT_EQ(tree_of(attic_.folder()), tree_of(den_.folder()));
}

// A look is answered after ten seconds if nothing changes, and the time that it waited is not paused for.
TEST_F(DriveCopyTest, WhatChangesAfterALongRestComesAtOnce) {
  den_.hold(attic_);
  put(den_, "/a", "a");
  attic_.stand_by(den_);
  ASSERT_TRUE(is_current(den_));
  loop_.run_until_done([]() -> net::Async<void> { co_await net::sleep_for(milliseconds(11'000)); }());
  put(den_, "/b", "b");
  EXPECT_TRUE(eventually([&] { return den_.source->is_current(); }, seconds(8)));
}

// What is written through a mapping is told by no notice as long as it is open: whoever hands over looks.
TEST_F(DriveCopyTest, WhoeverHandsOverLooksOnceMore) {
  den_.hold(attic_);
  write(den_.folder() / "database", std::string(4'096, 'a'));
  const int file = ::open((den_.folder() / "database").c_str(), O_RDWR | O_CLOEXEC);
  void* const mapping = ::mmap(nullptr, 4'096, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
  ::close(file);
  ASSERT_NE(mapping, MAP_FAILED);
  attic_.stand_by(den_);
  ASSERT_TRUE(is_current(den_));
  *static_cast<char*>(mapping) = 'b';
  ASSERT_EQ(::msync(mapping, 4'096, MS_SYNC), 0);
  ASSERT_TRUE(den_.source->is_current());
  EXPECT_TRUE(loop_.run_until_done(den_.source->hand_over(seconds(30))));
  EXPECT_EQ(text_of(attic_.folder() / "database").front(), 'b');
  ::munmap(mapping, 4'096);
}

TEST_F(DriveCopyTest, WhatSomebodyPutsIntoTheCopyIsSetAside) {
  den_.hold(attic_);
  put(den_, "/a", "a");
  put(den_, "/b", "b");
  attic_.stand_by(den_);
  ASSERT_TRUE(is_current(den_));
  attic_.stop_copy();
  write(attic_.folder() / "a", "changed here");
  write(attic_.folder() / "mine/x", "mine");
  attic_.stand_by(den_);
  ASSERT_TRUE(eventually([&] { return den_.source->is_current() && den_.source->state()->set_aside() == 2; }));
  EXPECT_EQ(tree_of(attic_.folder()), tree_of(den_.folder()));
  const fs::path aside = attic_.state().aside();
  const fs::path stay = fs::directory_iterator(aside)->path();
  EXPECT_EQ(text_of(stay / "a"), "changed here");
  EXPECT_EQ(text_of(stay / "mine/x"), "mine");
}

// The roles change, after what the first wrote last did not reach the second.
TEST_F(DriveCopyTest, OnTheWayBackOnlyWhatDiffersIsSetAside) {
  den_.hold(attic_);
  for (int i = 0; i < 20; ++i) put(den_, fmt::format("/{}", i), fmt::format("text {}", i));
  write(den_.folder() / "album/a.jpg", std::string(2'000'000, 'a'));
  put(den_, "/replaced", "one");
  put(den_, "/replaced", "two");
  attic_.stand_by(den_);
  ASSERT_TRUE(is_current(den_));
  attic_.stop_copy();
  put(den_, "/late", "only here");
  put(den_, "/3", "changed too late");
  const ino_t picture = inode(den_.folder() / "album/a.jpg");
  den_.source->stop();
  den_.server.reset();
  loop_.run_until_done([]() -> net::Async<void> { co_await net::sleep_for(milliseconds(50)); }());
  den_.source.reset();
  den_.drive.reset();

  attic_.hold(den_);
  put(attic_, "/new", "written there");
  ASSERT_TRUE(change(attic_, [](Folder& folder) {
    return folder.move(*Path::parse("/album"), *Path::parse("/2026"), false).has_value();
  }));
  ASSERT_TRUE(change(attic_, [](Folder& folder) { return folder.remove(*Path::parse("/7")).has_value(); }));
  den_.stand_by(attic_);
  ASSERT_TRUE(is_current(attic_));
  EXPECT_EQ(tree_of(den_.folder()), tree_of(attic_.folder()));
  EXPECT_EQ(inode(den_.folder() / "2026/a.jpg"), picture) << "it did not travel";
  EXPECT_EQ(den_.state().set_aside(), 2U);
  const fs::path stay = fs::directory_iterator(den_.folder() / ".hearth/aside")->path();
  EXPECT_EQ(text_of(stay / "late"), "only here");
  EXPECT_EQ(text_of(stay / "3"), "changed too late");
}

// Whatever is done, and whenever the copy ends and begins again.
TEST_F(DriveCopyTest, ComesToTheSameAfterWhateverHappens) {
  const char* wanted = std::getenv("HEARTH_SEED");
  const unsigned seed =
      wanted == nullptr ? std::random_device()() : static_cast<unsigned>(std::strtoul(wanted, nullptr, 10));
  SCOPED_TRACE(fmt::format("HEARTH_SEED={}", seed));
  std::mt19937 random(seed);
  const auto pick = [&](int most) { return static_cast<int>(random() % static_cast<unsigned>(most)); };
  const auto some_path = [&] {
    const int folder = pick(4);
    return fmt::format("{}/{}", folder == 0 ? "" : fmt::format("/{}", folder), pick(5));
  };
  den_.hold(attic_);
  for (int i = 1; i < 4; ++i)
    change(den_, [&](Folder& folder) { return folder.make_folder(*Path::parse(fmt::format("/{}", i))).has_value(); });
  attic_.stand_by(den_);
  for (int step = 0; step < 120; ++step) {
    const std::string path = some_path();
    const std::string other = some_path();
    switch (pick(9)) {
      case 0:
      case 1:
        put(den_, path, fmt::format("{} {}", step, std::string(static_cast<std::size_t>(pick(5'000)), 'x')));
        break;
      case 2:
        change(den_, [&](Folder& folder) {
          return folder.move(*Path::parse(path), *Path::parse(other), pick(2) == 0).has_value();
        });
        break;
      case 3:
        change(den_, [&](Folder& folder) { return folder.remove(*Path::parse(path)).has_value(); });
        break;
      case 4:
        change(den_, [&](Folder& folder) {
          const Result<std::vector<std::string>> ids = folder.trash_ids();
          return ids && !ids->empty() && folder.restore(ids->front()).has_value();
        });
        break;
      case 5:
        change(den_, [&](Folder& folder) {
          const auto versions = folder.versions(*Path::parse(path));
          return versions && !versions->empty() &&
                 folder.restore_version(*Path::parse(path), versions->back().id).has_value();
        });
        break;
      case 6:
        change(den_, [&](Folder& folder) {
          Result<drive::Copied> copied = folder.copy_aside(*Path::parse(path), *Path::parse(other), true, true);
          return copied && folder.place_copy(*copied, *Path::parse(path), *Path::parse(other), true).has_value();
        });
        break;
      case 7:
        loop_.run_until_done(
            [](int millis) -> net::Async<void> { co_await net::sleep_for(milliseconds(millis)); }(pick(250)));
        break;
      default:
        if (pick(3) != 0) break;
        attic_.stop_copy();
        attic_.stand_by(den_);
    }
  }
  put(den_, "/end", "end");
  ASSERT_TRUE(is_current(den_));
  EXPECT_EQ(tree_of(attic_.folder()), tree_of(den_.folder()));
  EXPECT_EQ(attic_.state().set_aside(), 0U);
}

}  // namespace
}  // namespace hearth::hub
