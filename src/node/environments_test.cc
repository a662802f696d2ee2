// Environments with a real fence and real images: unpacked once, kept while used, within the limit, whoever made them.
#include "node/environments.h"

#include <fstream>

#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/bytes.h"
#include "sandbox/testing.h"

namespace hearth::node {
namespace {

namespace fs = std::filesystem;
using net::Async;
using testing::HasSubstr;

class NodeEnvironments : public testing::Test {
 public:
  NodeEnvironments() {
    fs::create_directories(tree_ / "etc");
    std::ofstream(tree_ / "etc" / "marker") << "mine\n";
  }
  void SetUp() override {
    auto cache = blob::BlobStore::open(
        host_.directory() / "cache", {.max_bytes = 1ULL << 30, .keep_free_bytes = 0, .evict = true, .durable = false});
    ASSERT_TRUE(cache) << cache.error().message;
    cache_ = std::move(*cache);
    loop_ = std::make_unique<net::Loop>();
    workers_ = std::make_unique<net::Workers>(2);
    open();
  }
  void open(Duration unpack_limit = minutes(60)) {
    environments_ = std::make_unique<Environments>(Environments::World{.loop = *loop_,
                                                                       .workers = *workers_,
                                                                       .host = *host_.operator->(),
                                                                       .cache = *cache_,
                                                                       .directory = place_,
                                                                       .unpack_limit = unpack_limit});
    Result<void> opened = environments_->open();
    ASSERT_TRUE(opened) << opened.error().message;
  }

  // The tree as an image, with more options for mksquashfs.
  v1::Blob image(const std::string& options = "") {
    const fs::path file = host_.directory() / "image";
    const std::string command = "mksquashfs " + tree_.string() + " " + file.string() +
                                " -noappend -quiet -no-progress -comp zstd " + options + " >/dev/null";
    EXPECT_EQ(std::system(command.c_str()), 0) << command;
    std::ifstream in(file, std::ios::binary);
    return blob(std::string(std::istreambuf_iterator<char>(in), {}));
  }
  v1::Blob blob(const std::string& bytes) {
    Result<blob::Digest> digest = cache_->put(bytes);
    EXPECT_TRUE(digest) << digest.error().message;
    v1::Blob made;
    made.set_sha256(*digest);
    made.set_size(bytes.size());
    return made;
  }
  void fill(const std::string& name, std::size_t mebibytes) {
    std::ofstream out(tree_ / name);
    for (std::size_t i = 0; i < mebibytes; ++i) out << std::string(1 << 20, 'x');
  }

  Result<std::shared_ptr<const Environment>> get(const v1::Blob& image) {
    return loop_->run_until_done(environments_->get(image, [this]() -> Async<Result<void>> {
      ++fetches_;
      co_return Result<void>();
    }));
  }
  Error refusal(const v1::Blob& image) {
    const auto got = get(image);
    EXPECT_FALSE(got);
    EXPECT_FALSE(fs::exists(place_ / to_hex(image.sha256())));
    EXPECT_FALSE(fs::exists(place_ / "incoming"));
    return got ? Error{} : got.error();
  }

  sandbox::TestHost host_;  // first: it wants a process of one thread
  fs::path tree_ = host_.directory() / "tree";
  fs::path place_ = host_.directory() / "environments";
  std::unique_ptr<blob::BlobStore> cache_;
  std::unique_ptr<net::Loop> loop_;
  std::unique_ptr<net::Workers> workers_;
  std::unique_ptr<Environments> environments_;
  int fetches_ = 0;
};

TEST_F(NodeEnvironments, AreUnpackedOnceAndSurviveARestart) {
  const v1::Blob made = image();
  const auto first = get(made);
  ASSERT_TRUE(first) << first.error().message;
  EXPECT_EQ((*first)->root, place_ / to_hex(made.sha256()) / "root");
  EXPECT_TRUE(fs::exists((*first)->root / "etc" / "marker"));
  for (const char* name : {"proc", "dev", "tmp", "job", "workspace"})
    EXPECT_TRUE(fs::is_directory((*first)->root / name));
  EXPECT_GT(environments_->bytes(), 0U);
  EXPECT_EQ(get(made)->get(), first->get());
  EXPECT_EQ(fetches_, 1);
  const std::uint64_t bytes = environments_->bytes();
  open();
  EXPECT_EQ(environments_->bytes(), bytes);
  cache_->remove(made.sha256());
  EXPECT_TRUE(get(made)) << "the image is not needed once it is unpacked";
}

TEST_F(NodeEnvironments, AreUnpackedOnceForManyWhoAsk) {
  const v1::Blob made = image();
  int got = 0;
  for (int i = 0; i < 5; ++i) {
    loop_->spawn([](NodeEnvironments& self, v1::Blob wanted, int& count) -> Async<void> {
      auto environment = co_await self.environments_->get(wanted, [&self]() -> Async<Result<void>> {
        ++self.fetches_;
        co_return Result<void>();
      });
      EXPECT_TRUE(environment);
      ++count;
    }(*this, made, got));
  }
  while (got < 5) loop_->run_until_done(net::sleep_for(milliseconds(20)));
  EXPECT_EQ(fetches_, 1);
}

TEST_F(NodeEnvironments, NothingHalfUnpackedIsBelieved) {
  const std::string name(64, 'a');
  fs::create_directories(place_ / "incoming" / "root" / "etc");
  fs::create_directories(place_ / ("leaving-" + name) / "root");
  fs::create_directories(place_ / name / "root");  // without its size: not by us
  fs::permissions(place_ / "incoming" / "root" / "etc", fs::perms::none);
  open();
  EXPECT_TRUE(fs::is_empty(place_));
}

TEST_F(NodeEnvironments, AProgramSeesItsEnvironmentAloneAndCannotChangeIt) {
  fs::create_directories(tree_ / "bin");
  fs::copy_file("/bin/busybox", tree_ / "bin" / "busybox");
  fs::create_symlink("busybox", tree_ / "bin" / "sh");
  const auto environment = get(image("-all-root"));
  ASSERT_TRUE(environment) << environment.error().message;
  auto box = host_->prepare("in-environment", sandbox::small_limits(),
                            {.root = (*environment)->root, .image = {}, .workspace = {}});
  ASSERT_TRUE(box) << box.error().message;
  const sandbox::Ran ran = sandbox::Running(**box, {.argv = {"/bin/sh", "-c",
                                                             "busybox cat /etc/marker; busybox ls / /workspace; "
                                                             "busybox touch /etc/x 2>/dev/null && echo written; "
                                                             "busybox touch /job/x && echo own"},
                                                    .variables = {{"PATH", "/bin"}},
                                                    .bound_files = {}})
                               .wait();
  EXPECT_EQ(ran.out, "mine\n/:\nbin\ndev\netc\njob\nproc\nrun\nsys\ntmp\nworkspace\n\n/workspace:\nown\n") << ran.err;
}

TEST_F(NodeEnvironments, NoDeviceAndNoPrivilegeComesOutOfAnImage) {
  std::ofstream(tree_ / "program") << "x";
  fs::create_directory(tree_ / "closed");
  std::ofstream(tree_ / "closed" / "inside") << "x";
  const auto got =
      get(image("-p 'memory c 0666 0 0 1 1' -p 'disk b 0666 0 0 8 0' -p 'program m 6755 0 0' "
                "-p 'closed m 0 0 0' -p 'setter d 7777 0 0'"));
  ASSERT_TRUE(got) << got.error().message;
  EXPECT_FALSE(fs::exists(fs::symlink_status((*got)->root / "memory")));
  EXPECT_FALSE(fs::exists(fs::symlink_status((*got)->root / "disk")));
  for (const char* name : {"program", "setter"}) {
    struct stat status{};
    ASSERT_EQ(::lstat(((*got)->root / name).c_str(), &status), 0);
    EXPECT_EQ(status.st_mode & 07000U, 0U) << name;
  }
  // Whatever modes its directories have, it can be removed again.
  EXPECT_TRUE(sandbox::remove_tree(place_ / to_hex(image("-p 'closed m 0 0 0'").sha256())));
}

TEST_F(NodeEnvironments, WhatIsNoRootFileSystemIsRefused) {
  EXPECT_EQ(refusal(blob("hsqs and nothing more")).code, Code::kInvalidArgument);
  EXPECT_EQ(refusal(blob("")).code, Code::kInvalidArgument);
  fs::create_symlink("/etc", tree_ / "tmp");
  const Error link = refusal(image());
  EXPECT_EQ(link.code, Code::kInvalidArgument);
  EXPECT_THAT(link.message, HasSubstr("/tmp"));
}

TEST_F(NodeEnvironments, ALargerOneThanTheOwnerAllowsIsRefused) {
  fill("large", 96);
  environments_->set_limit(64ULL << 20);
  const Error error = refusal(image());
  EXPECT_EQ(error.code, Code::kResourceExhausted);
  EXPECT_THAT(error.message, HasSubstr("hearth limit --disk"));
}

TEST_F(NodeEnvironments, OneThatTakesTooLongIsGivenUp) {
  open(Duration());
  const Error error = refusal(image());
  EXPECT_EQ(error.code, Code::kDeadlineExceeded);
  EXPECT_THAT(error.message, HasSubstr("not unpacked within"));
  open();
  EXPECT_TRUE(get(image())) << "the next one has its turn";
}

TEST_F(NodeEnvironments, TheLeastRecentlyUsedGoesFirstAndNeverOneInUse) {
  environments_->set_limit(64ULL << 20);
  std::vector<v1::Blob> images;
  for (const char* name : {"a", "b", "c", "d"}) {
    fs::remove_all(tree_);
    fs::create_directory(tree_);
    fill(name, 12);
    images.push_back(image());
  }
  const auto there = [&](int which) {
    return fs::exists(place_ / to_hex(images[static_cast<std::size_t>(which)].sha256()));
  };
  auto held = get(images[0]);
  ASSERT_TRUE(held) << held.error().message;
  ASSERT_TRUE(get(images[1]));
  EXPECT_TRUE(there(0) && there(1));
  ASSERT_TRUE(get(images[2]));  // three are more than half of the limit
  EXPECT_TRUE(there(0)) << "it is in use";
  EXPECT_FALSE(there(1));
  EXPECT_TRUE(there(2));
  held = fail(Code::kUnknown, "given back");
  ASSERT_TRUE(get(images[2]));
  ASSERT_TRUE(get(images[3]));
  EXPECT_FALSE(there(0)) << "the least recently used";
  EXPECT_TRUE(there(2) && there(3));
}

TEST_F(NodeEnvironments, OneInUseOverALoweredLimitGoesWhenItsUseEnds) {
  fill("large", 96);
  const v1::Blob made = image();
  auto held = get(made);
  ASSERT_TRUE(held) << held.error().message;
  environments_->set_limit(64ULL << 20);
  loop_->run_until_done(net::sleep_for(milliseconds(50)));
  EXPECT_TRUE(fs::exists((*held)->root));
  held = fail(Code::kUnknown, "given back");
  const auto is_over = [this, &made] { return environments_->bytes() > 0 || !cache_->create(made.size()); };
  for (int i = 0; i < 1000 && is_over(); ++i) {
    environments_->trim();
    loop_->run_until_done(net::sleep_for(milliseconds(10)));
  }
  EXPECT_EQ(environments_->bytes(), 0U);
  EXPECT_EQ(refusal(image()).code, Code::kResourceExhausted) << "put into the cache anew, which had given it up";
}

TEST_F(NodeEnvironments, TheCacheGetsWhatEnvironmentsLeave) {
  fill("large", 40);
  const auto held = get(image());
  ASSERT_TRUE(held) << held.error().message;
  for (int i = 0; i < 8; ++i) blob(std::string(4 << 20, static_cast<char>('a' + i)));
  EXPECT_GE(cache_->bytes(), 32ULL << 20);
  environments_->set_limit(64ULL << 20);
  loop_->run_until_done(net::sleep_for(milliseconds(20)));
  EXPECT_LE(environments_->bytes() + cache_->bytes(), 64ULL << 20);
  EXPECT_TRUE(fs::exists((*held)->root));
}

}  // namespace
}  // namespace hearth::node
