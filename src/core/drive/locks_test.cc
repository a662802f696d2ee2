#include "core/drive/locks.h"

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace hearth::drive {
namespace {

using ::testing::HasSubstr;
using Reach = Touched::Reach;

constexpr DeviceId kLaptop{7};
constexpr DeviceId kPhone{8};
constexpr WallTime kNow{1'000'000};
constexpr WallTime kLater{kNow.unix_millis + 600'000};

class LocksTest : public ::testing::Test {
 protected:
  static Path at(std::string_view text) { return *Path::parse(text); }
  Result<Lock> lock(std::string_view path, const std::string& token, bool deep = false, bool shared = false,
                    DeviceId holder = kLaptop) {
    return locks_.lock({.token = token,
                        .root = at(path),
                        .deep = deep,
                        .shared = shared,
                        .holder = holder,
                        .holder_name = holder == kLaptop ? "laptop" : "phone",
                        .owner = "<o/>",
                        .expires = kLater},
                       kNow);
  }
  bool may(std::string_view path, Reach reach, std::vector<std::string> tokens = {}, DeviceId device = kLaptop) const {
    const std::vector<Touched> touched{{.path = at(path), .reach = reach}};
    return locks_.check(touched, {.device = device, .name = "", .tokens = std::move(tokens)}, kNow).has_value();
  }

  LockTable locks_;
};

TEST_F(LocksTest, KeepsOthersFromAFile) {
  ASSERT_TRUE(lock("/a/report", "t1"));
  EXPECT_FALSE(may("/a/report", Reach::kItself));
  EXPECT_FALSE(may("/a/report", Reach::kItself, {"t1"}, kPhone));
  EXPECT_TRUE(may("/a/report", Reach::kItself, {"other", "t1"}));
  EXPECT_TRUE(may("/a/reports", Reach::kName));
  EXPECT_TRUE(may("/a", Reach::kItself));
  EXPECT_FALSE(may("/a", Reach::kTree));
  EXPECT_TRUE(may("/a", Reach::kTree, {"t1"}));
  const std::vector<Touched> touched{{.path = at("/a/report")}};
  EXPECT_THAT(locks_.check(touched, {.device = kPhone, .name = "", .tokens = {}}, kNow).error().message,
              "/a/report is locked by laptop");
  EXPECT_TRUE(locks_.check(touched, {.device = kPhone, .name = "", .tokens = {}}, kLater));
}

TEST_F(LocksTest, OfAFolderKeepNamesAndWithDepthAllBelow) {
  ASSERT_TRUE(lock("/a", "t1"));
  EXPECT_FALSE(may("/a/new", Reach::kName));
  EXPECT_TRUE(may("/a/there", Reach::kItself));
  EXPECT_TRUE(may("/a/new", Reach::kName, {"t1"}));
  EXPECT_TRUE(may("/a/b/new", Reach::kName));
  ASSERT_TRUE(lock("/d", "t2", true));
  EXPECT_FALSE(may("/d/b/c", Reach::kItself));
  EXPECT_FALSE(may("/d/b/new", Reach::kName));
  EXPECT_TRUE(may("/d/b/c", Reach::kItself, {"t2"}));
  EXPECT_TRUE(may("/da", Reach::kName));
}

TEST_F(LocksTest, ExcludeEachOtherUnlessBothAreShared) {
  ASSERT_TRUE(lock("/a/b", "t1"));
  EXPECT_EQ(lock("/a/b", "t2").error().code, Code::kAborted);
  EXPECT_EQ(lock("/a/b", "t2", false, true).error().code, Code::kAborted);
  EXPECT_EQ(lock("/a", "t2", true).error().code, Code::kAborted);
  EXPECT_TRUE(lock("/a", "t3"));
  EXPECT_TRUE(lock("/a/b/c", "t4"));
  ASSERT_TRUE(lock("/s", "s1", true, true));
  ASSERT_TRUE(lock("/s/x", "s2", false, true, kPhone));
  EXPECT_EQ(lock("/s/x", "s3").error().code, Code::kAborted);
  EXPECT_EQ(lock("/s/y", "s3").error().code, Code::kAborted);
  EXPECT_TRUE(may("/s/x", Reach::kItself, {"s1"}));
  EXPECT_TRUE(may("/s/x", Reach::kItself, {"s2"}, kPhone));
  EXPECT_FALSE(may("/s/x", Reach::kItself, {"s1"}, kPhone));
  EXPECT_EQ(locks_.covering(at("/s/x"), kNow).size(), 2U);
}

TEST_F(LocksTest, LiveUntilTheyAreGivenBackOrRunOut) {
  ASSERT_TRUE(lock("/a", "t1", true));
  EXPECT_EQ(locks_.unlock(at("/b"), "t1", kLaptop, kNow).error().code, Code::kNotFound);
  EXPECT_EQ(locks_.unlock(at("/a/x"), "t1", kPhone, kNow).error().code, Code::kPermissionDenied);
  EXPECT_EQ(locks_.refresh(at("/a"), {.device = kPhone, .name = "", .tokens = {"t1"}}, kLater, kNow).error().code,
            Code::kFailedPrecondition);
  const WallTime far{kNow.unix_millis + 100 * 3'600'000LL};
  const Result<Lock> refreshed =
      locks_.refresh(at("/a/x"), {.device = kLaptop, .name = "", .tokens = {"t1"}}, far, kNow);
  ASSERT_TRUE(refreshed);
  EXPECT_EQ(refreshed->expires.unix_millis, kNow.unix_millis + 3'600'000);
  EXPECT_FALSE(may("/a/x", Reach::kItself));
  EXPECT_TRUE(locks_.unlock(at("/a/x"), "t1", kLaptop, kNow));
  EXPECT_TRUE(may("/a/x", Reach::kItself));

  ASSERT_TRUE(lock("/a", "t2"));
  EXPECT_TRUE(locks_.lock({.token = "t3", .root = at("/a"), .holder = kPhone, .expires = far}, kLater));
  EXPECT_EQ(locks_.all().size(), 1U);
}

TEST_F(LocksTest, GoWithWhatTheyAreOnAndWithTheirHolder) {
  ASSERT_TRUE(lock("/a/b", "t1"));
  ASSERT_TRUE(lock("/a/b/c", "t2"));
  ASSERT_TRUE(lock("/ab", "t3", false, false, kPhone));
  const std::uint64_t changes = locks_.changes();
  locks_.forget(at("/a"));
  EXPECT_GT(locks_.changes(), changes);
  ASSERT_EQ(locks_.all().size(), 1U);
  locks_.release(kPhone);
  EXPECT_TRUE(locks_.all().empty());
}

TEST_F(LocksTest, AreLimited) {
  for (std::size_t i = 0; i < LockTable::kMaxLocksOfHolder; ++i) {
    ASSERT_TRUE(lock(fmt::format("/f{}", i), fmt::format("t{}", i)));
  }
  EXPECT_THAT(lock("/one more", "u").error().message, HasSubstr("laptop holds 500 locks"));
  EXPECT_TRUE(lock("/one more", "u", false, false, kPhone));
  EXPECT_FALSE(
      locks_.lock({.token = "v", .root = at("/x"), .owner = std::string(3'000, 'a'), .expires = kLater}, kNow));
}

}  // namespace
}  // namespace hearth::drive
