#include "blob/blob_store.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include <array>
#include <fstream>
#include <optional>
#include <set>
#include <thread>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/bytes.h"
#include "blob/blob_index.h"
#include "blob/temporary_directory.h"
#include "net/crypto.h"

namespace hearth::blob {
namespace {

namespace fs = std::filesystem;
using testing::ElementsAre;
using testing::HasSubstr;

class BlobStoreTest : public testing::Test {
 protected:
  BlobStoreTest() { options.keep_free_bytes = 0; }

  BlobStore& store() {
    if (!store_) open();
    return *store_;
  }

  void open() {
    store_.reset();
    auto opened = BlobStore::open(directory(), options);
    ASSERT_TRUE(opened.has_value()) << opened.error().message;
    store_ = std::move(*opened);
  }

  fs::path directory() const { return temporary.path() / "blobs"; }
  fs::path path_of(const Digest& digest) const { return directory() / to_hex(digest).substr(0, 2) / to_hex(digest); }

  std::size_t files_in(const char* name) const {
    return static_cast<std::size_t>(std::distance(fs::directory_iterator(directory() / name), {}));
  }

  void damage(const Digest& digest) const {
    fs::permissions(path_of(digest), fs::perms::owner_all);
    std::ofstream(path_of(digest), std::ios::in) << "X";
  }

  TemporaryDirectory temporary;
  Options options;
  std::unique_ptr<BlobStore> store_;
};

TEST_F(BlobStoreTest, KeepsABlobUnderItsName) {
  const auto digest = store().put("hello");
  ASSERT_TRUE(digest.has_value());
  EXPECT_EQ(*digest, net::sha256("hello"));
  EXPECT_TRUE(store().has(*digest));
  EXPECT_EQ(store().load(*digest, 5), "hello");
  EXPECT_EQ(store().bytes(), 5U);
  EXPECT_THAT(store().list(), ElementsAre(*digest));
  struct stat status{};
  ASSERT_EQ(::stat(path_of(*digest).c_str(), &status), 0);
  EXPECT_EQ(status.st_mode & 07777U, 0555U);
  EXPECT_EQ(files_in("incoming"), 0U);
}

TEST_F(BlobStoreTest, KeepsTheEmptyBlob) {
  const auto digest = store().put("");
  ASSERT_TRUE(digest.has_value());
  EXPECT_EQ(store().load(*digest, 0), "");
}

TEST_F(BlobStoreTest, KeepsOneContentOnce) {
  ASSERT_TRUE(store().put("hello"));
  ASSERT_TRUE(store().put("hello"));
  auto writer = store().create(0);
  ASSERT_TRUE(writer->write("hello"));
  ASSERT_TRUE(writer->commit());
  EXPECT_EQ(store().bytes(), 5U);
  EXPECT_EQ(store().list().size(), 1U);
}

// Whoever shows it to a guest has its path: through gocryptfs a file that was replaced is not found any more.
TEST_F(BlobStoreTest, AFileThatSomebodyReadsIsNotReplacedByItsEqual) {
  for (int round = 0; round < 40; ++round) {
    const std::string content = "content " + std::to_string(round);
    const Digest digest = net::sha256(content);
    std::vector<Writer> writers;
    for (int i = 0; i < 6; ++i) {
      Result<Writer> writer = store().create(content.size());
      ASSERT_TRUE(writer && writer->write(content));
      writers.push_back(std::move(*writer));
    }
    std::vector<ino_t> seen(writers.size());
    std::vector<std::thread> threads;
    for (std::size_t i = 0; i < writers.size(); ++i) {
      threads.emplace_back([&, i] {
        EXPECT_TRUE(writers[i].commit(&digest));
        struct stat status{};
        EXPECT_EQ(::stat(path_of(digest).c_str(), &status), 0);
        seen[i] = status.st_ino;
      });
    }
    for (std::thread& thread : threads) thread.join();
    EXPECT_EQ(std::set<ino_t>(seen.begin(), seen.end()).size(), 1U) << "round " << round;
  }
}

TEST_F(BlobStoreTest, TakesABlobInPieces) {
  auto writer = store().create(6);
  ASSERT_TRUE(writer->write("abc"));
  ASSERT_TRUE(writer->write("def"));
  EXPECT_EQ(writer->size(), 6U);
  const Digest expected = net::sha256("abcdef");
  EXPECT_FALSE(store().has(expected));
  EXPECT_EQ(writer->commit(&expected), expected);
  const auto reader = store().read(expected);
  ASSERT_TRUE(reader.has_value());
  EXPECT_EQ(reader->size(), 6U);
  EXPECT_EQ(reader->path(), path_of(expected));
}

TEST_F(BlobStoreTest, RefusesBytesOfAnotherHash) {
  {
    auto writer = store().create(3);
    ASSERT_TRUE(writer->write("abc"));
    const Digest expected = net::sha256("other");
    const auto committed = writer->commit(&expected);
    ASSERT_FALSE(committed.has_value());
    EXPECT_EQ(committed.error().code, Code::kInvalidArgument);
  }
  EXPECT_TRUE(store().list().empty());
  EXPECT_EQ(files_in("incoming"), 0U);
}

TEST_F(BlobStoreTest, LeavesNothingOfAnAbandonedWriter) {
  {
    auto writer = store().create(1000);
    ASSERT_TRUE(writer->write("abc"));
    EXPECT_EQ(files_in("incoming"), 1U);
  }
  EXPECT_EQ(files_in("incoming"), 0U);
  EXPECT_EQ(store().bytes(), 0U);
}

TEST_F(BlobStoreTest, AWriterMayOutliveItsStore) {
  auto writer = store().create(3);
  ASSERT_TRUE(writer->write("abc"));
  store_.reset();
  EXPECT_EQ(writer->commit(), net::sha256("abc"));
}

TEST_F(BlobStoreTest, FindsItsBlobsAgainAndSweepsWhatWasIncoming) {
  const auto digest = store().put("hello");
  store_.reset();
  std::ofstream(directory() / "incoming" / "77") << "half a blob";
  fs::create_directory(directory() / "ab");
  std::ofstream(directory() / "ab" / "notes.txt") << "not ours";
  fs::create_directory(path_of(net::sha256("link")).parent_path());
  fs::create_symlink("/etc/passwd", path_of(net::sha256("link")));
  open();
  EXPECT_THAT(store().list(), ElementsAre(*digest));
  EXPECT_EQ(store().bytes(), 5U);
  EXPECT_EQ(files_in("incoming"), 0U);
  EXPECT_TRUE(fs::exists(directory() / "ab" / "notes.txt"));
}

TEST_F(BlobStoreTest, IsOpenOnce) {
  store();
  const auto second = BlobStore::open(directory(), options);
  ASSERT_FALSE(second.has_value());
  EXPECT_EQ(second.error().code, Code::kFailedPrecondition);
}

TEST_F(BlobStoreTest, SaysWhatIsNotThere) {
  const Digest absent = net::sha256("absent");
  EXPECT_FALSE(store().has(absent));
  EXPECT_EQ(store().read(absent).error().code, Code::kNotFound);
  EXPECT_EQ(store().load(absent, 9).error().code, Code::kNotFound);
  EXPECT_EQ(store().verify(absent).error().code, Code::kNotFound);
  store().remove(absent);
}

TEST_F(BlobStoreTest, ForgetsABlobWhoseFileVanished) {
  const auto digest = store().put("hello");
  fs::remove(path_of(*digest));
  EXPECT_EQ(store().read(*digest).error().code, Code::kNotFound);
  EXPECT_FALSE(store().has(*digest));
  EXPECT_EQ(store().bytes(), 0U);
}

TEST_F(BlobStoreTest, LoadsNoMoreThanAsked) {
  const auto digest = store().put("hello");
  EXPECT_EQ(store().load(*digest, 4).error().code, Code::kResourceExhausted);
}

TEST_F(BlobStoreTest, SetsADamagedBlobAsideAndTakesItAgain) {
  const auto digest = store().put("hello");
  EXPECT_TRUE(store().verify(*digest));
  damage(*digest);
  EXPECT_EQ(store().verify(*digest).error().code, Code::kDataLoss);
  EXPECT_FALSE(store().has(*digest));
  EXPECT_EQ(files_in("damaged"), 1U);
  EXPECT_EQ(store().bytes(), 0U);
  ASSERT_TRUE(store().put("hello"));
  EXPECT_TRUE(store().verify(*digest));
  damage(*digest);
  EXPECT_EQ(store().load(*digest, 100).error().code, Code::kDataLoss);
  EXPECT_FALSE(store().has(*digest));
}

TEST_F(BlobStoreTest, RemovesABlob) {
  const auto digest = store().put("hello");
  store().remove(*digest);
  EXPECT_FALSE(store().has(*digest));
  EXPECT_FALSE(fs::exists(path_of(*digest)));
  EXPECT_EQ(store().bytes(), 0U);
}

TEST_F(BlobStoreTest, RemovesOnlyWhatIsUnwanted) {
  const Digest digest = *store().put("content");
  EXPECT_TRUE(store().unwanted(minutes(1)).empty());
  EXPECT_FALSE(store().remove_unwanted(digest, minutes(1)));
  EXPECT_THAT(store().unwanted(Duration{}), ElementsAre(digest));
  EXPECT_TRUE(store().remove_unwanted(digest, Duration{}));
  EXPECT_FALSE(store().has(digest));
  EXPECT_FALSE(fs::exists(path_of(digest)));
  EXPECT_FALSE(store().remove_unwanted(digest, Duration{})) << "twice";
}

TEST_F(BlobStoreTest, RemovesNothingUnwantedThatIsOpen) {
  const Digest digest = *store().put("content");
  std::optional<Result<Reader>> reader(store().read(digest));
  EXPECT_FALSE(store().remove_unwanted(digest, Duration{}));
  reader.reset();
  EXPECT_TRUE(store().remove_unwanted(digest, Duration{}));
}

TEST_F(BlobStoreTest, KnowsAfterARestartHowLongABlobWasUnwanted) {
  const Digest old = *store().put("old");
  const Digest asked_for = *store().put("old, and asked for");
  const Digest fresh = *store().put("fresh");
  for (const Digest& digest : {old, asked_for}) {
    fs::last_write_time(path_of(digest), fs::file_time_type::clock::now() - std::chrono::hours(2));
  }
  open();
  EXPECT_TRUE(store().has(asked_for));
  EXPECT_TRUE(store().load(old, 100).has_value()) << "to read a blob is not to want it";
  EXPECT_THAT(store().unwanted(minutes(60)), ElementsAre(old));
  EXPECT_TRUE(store().unwanted(minutes(180)).empty());
  EXPECT_EQ(*store().put("old"), old);
  EXPECT_TRUE(store().unwanted(minutes(60)).empty()) << "it was uploaded again";
}

TEST_F(BlobStoreTest, RefusesWhatIsOverTheLimits) {
  options.max_bytes = 10;
  options.max_blob_bytes = 8;
  EXPECT_EQ(store().create(9).error().code, Code::kResourceExhausted);
  ASSERT_TRUE(store().put("123456"));
  EXPECT_EQ(store().put("abcdef").error().code, Code::kResourceExhausted);
  auto writer = store().create(0);
  ASSERT_TRUE(writer->write("1234"));
  const auto over = writer->write("5");
  ASSERT_FALSE(over.has_value());
  EXPECT_EQ(over.error().code, Code::kResourceExhausted);
  EXPECT_THAT(over.error().message, HasSubstr("10 bytes"));
}

TEST_F(BlobStoreTest, RefusesABlobThatGrowsTooLong) {
  options.max_blob_bytes = 8;
  auto writer = store().create(0);
  ASSERT_TRUE(writer->write("12345678"));
  EXPECT_EQ(writer->write("9").error().code, Code::kResourceExhausted);
}

TEST_F(BlobStoreTest, PromisesRoomOnceAndTakesItBack) {
  options.max_bytes = 10;
  {
    auto writer = store().create(8);
    ASSERT_TRUE(writer.has_value());
    EXPECT_FALSE(store().create(3).has_value());
    EXPECT_TRUE(store().create(2).has_value());
  }
  EXPECT_TRUE(store().create(10).has_value());
  ASSERT_TRUE(store().put("12345678"));
  EXPECT_FALSE(store().create(3).has_value());
}

TEST_F(BlobStoreTest, KeepsSomeOfTheDiskFree) {
  options.keep_free_bytes = UINT64_MAX / 2;
  const auto put = store().put("hello");
  ASSERT_FALSE(put.has_value());
  EXPECT_EQ(put.error().code, Code::kResourceExhausted);
  EXPECT_THAT(put.error().message, HasSubstr("the disk of"));
  EXPECT_EQ(files_in("incoming"), 0U);
}

TEST_F(BlobStoreTest, EvictsTheLeastRecentlyUsed) {
  options.max_bytes = 10;
  options.evict = true;
  const auto a = store().put("aaaa");
  const auto b = store().put("bbbb");
  EXPECT_TRUE(store().load(*a, 100));  // b is the older one now
  ASSERT_TRUE(store().put("cccc"));
  EXPECT_TRUE(store().has(*a));
  EXPECT_FALSE(store().has(*b));
  EXPECT_FALSE(fs::exists(path_of(*b)));
  EXPECT_EQ(store().bytes(), 8U);
}

TEST_F(BlobStoreTest, EvictsNothingThatIsOpen) {
  options.max_bytes = 10;
  options.evict = true;
  const auto a = store().put("aaaa");
  const auto b = store().put("bbbb");
  auto held = std::make_optional(store().read(*a));
  ASSERT_TRUE(store().put("cccc"));
  EXPECT_TRUE(store().has(*a));
  EXPECT_FALSE(store().has(*b));
  const auto also_held = store().read(net::sha256("cccc"));
  EXPECT_EQ(store().put("dddd").error().code, Code::kResourceExhausted);
  held.reset();
  EXPECT_TRUE(store().put("dddd").has_value());
}

TEST_F(BlobStoreTest, RemembersUseAcrossRestarts) {
  options.max_bytes = 10;
  options.evict = true;
  const auto a = store().put("aaaa");
  const auto b = store().put("bbbb");
  const auto set_times = [this](const Digest& digest, time_t when) {
    const timespec times[2] = {{when, 0}, {when, 0}};
    ASSERT_EQ(::utimensat(AT_FDCWD, path_of(digest).c_str(), times, 0), 0);
  };
  set_times(*a, 2'000'000);
  set_times(*b, 1'000'000);
  open();
  ASSERT_TRUE(store().put("cccc"));
  EXPECT_TRUE(store().has(*a));
  EXPECT_FALSE(store().has(*b));
}

TEST_F(BlobStoreTest, TakesManyBlobsFromManyThreads) {
  options.durable = false;
  store();
  const auto put_all = [this] {
    for (int i = 0; i < 200; ++i) {
      const std::string content = "blob " + std::to_string(i);
      EXPECT_EQ(store_->put(content), net::sha256(content));
      EXPECT_EQ(store_->load(net::sha256(content), 100), content);
    }
  };
  {
    std::array<std::jthread, 4> threads;
    for (std::jthread& thread : threads) thread = std::jthread(put_all);
  }
  std::uint64_t bytes = 0;
  for (int i = 0; i < 200; ++i) bytes += ("blob " + std::to_string(i)).size();
  EXPECT_EQ(store().list().size(), 200U);
  EXPECT_EQ(store().bytes(), bytes);
  EXPECT_EQ(files_in("incoming"), 0U);
}

TEST_F(BlobStoreTest, EvictsWhileManyWrite) {
  options.durable = false;
  options.evict = true;
  options.max_bytes = 1000;
  store();
  const auto put_all = [this](int first) {
    for (int i = first; i < first + 200; ++i) {
      const auto put = store_->put("some content of one blob " + std::to_string(i));
      EXPECT_TRUE(put.has_value() || put.error().code == Code::kAborted) << put.error().message;
    }
  };
  {
    std::array<std::jthread, 4> threads;
    for (int first = 0; std::jthread & thread : threads) {
      thread = std::jthread(put_all, first);
      first += 100;
    }
  }
  EXPECT_LE(store().bytes(), 1000U);
  for (const Digest& digest : store().list()) EXPECT_TRUE(store().verify(digest));
  open();  // what was counted is what is there
  EXPECT_LE(store().bytes(), 1000U);
}

TEST_F(BlobStoreTest, SaysThatItsDirectoryIsAFile) {
  std::ofstream(directory()) << "x";
  EXPECT_FALSE(BlobStore::open(directory(), options).has_value());
}

TEST(BlobIndex, KeepsTheOrderOfUse) {
  BlobIndex index;
  index.load({{"b", 2, 20, {}}, {"a", 1, 10, {}}, {"c", 3, 30, {}}});
  EXPECT_EQ(index.oldest(), "a");
  EXPECT_TRUE(index.touch("a"));
  EXPECT_FALSE(index.touch("x"));
  EXPECT_EQ(index.oldest(), "b");
  EXPECT_EQ(index.newer_than("b"), "c");
  EXPECT_EQ(index.newer_than("a"), std::nullopt);
  EXPECT_EQ(index.bytes(), 6U);
  index.add("b", 5, {});
  EXPECT_EQ(index.bytes(), 9U);
  EXPECT_TRUE(index.erase("c"));
  EXPECT_FALSE(index.erase("c"));
  EXPECT_THAT(index.list(), ElementsAre("a", "b"));
}

}  // namespace
}  // namespace hearth::blob
