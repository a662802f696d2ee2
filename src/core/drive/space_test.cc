#include "core/drive/space.h"

#include <gtest/gtest.h>

namespace hearth::drive {
namespace {

const std::string kName(64, 'a');

TEST(SpaceGrant, IsReadAsItsOwnerWroteIt) {
  EXPECT_EQ(parse_space_grant("5\n"), (SpaceGrant{.bytes = 5}));
  EXPECT_EQ(parse_space_grant("18446744073709551615 append-only"),
            (SpaceGrant{.bytes = UINT64_MAX, .append_only = true}));
  for (const char* wrong : {"", "\n", "5 \n", "-1", "18446744073709551616", "5 append", "append-only", "5\n\n"}) {
    EXPECT_FALSE(parse_space_grant(wrong)) << wrong;
  }
}

TEST(SpacePath, NamesWhatResticKeepsAndNothingElse) {
  EXPECT_EQ(parse_space_path("/space/"), SpacePath());
  EXPECT_TRUE(parse_space_path("/space/config")->is_config());
  EXPECT_EQ(parse_space_path("/space/data/"), (SpacePath{.folder = "data", .name = ""}));
  EXPECT_EQ(parse_space_path("/space/locks/" + kName), (SpacePath{.folder = "locks", .name = kName}));
  for (const std::string& wrong :
       {std::string("/space"), std::string("/space/data"), std::string("/space/other/"), "/space/data/" + kName + "a",
        "/space/data/" + std::string(64, 'A'), "/space/data/" + std::string(64, '.'), "/space/data/x/" + kName,
        std::string("/space/config/"), "/space/" + kName, std::string("/space/data/../config")}) {
    const Result<SpacePath> path = parse_space_path(wrong);
    ASSERT_FALSE(path) << wrong;
    EXPECT_EQ(path.error().code, Code::kNotFound);
  }
}

TEST(SpaceRequest, IsOneOfTheProtocolAndGranted) {
  const SpaceGrant all{.bytes = 1};
  const SpaceGrant append{.bytes = 1, .append_only = true};
  const auto code = [](const SpaceGrant& grant, const char* method, const SpacePath& path) {
    const Result<void> checked = check_space_request(grant, method, path);
    return checked ? Code::kUnknown : checked.error().code;
  };
  const SpacePath whole;
  const SpacePath config{.folder = "", .name = "config"};
  const SpacePath list{.folder = "data", .name = ""};
  const SpacePath file{.folder = "data", .name = kName};
  const SpacePath lock{.folder = "locks", .name = kName};
  EXPECT_EQ(code(all, "POST", whole), Code::kUnknown);
  EXPECT_EQ(code(all, "GET", whole), Code::kUnimplemented);
  EXPECT_EQ(code(all, "DELETE", whole), Code::kUnimplemented);
  EXPECT_EQ(code(all, "GET", list), Code::kUnknown);
  EXPECT_EQ(code(all, "DELETE", list), Code::kUnimplemented);
  EXPECT_EQ(code(all, "PUT", file), Code::kUnimplemented);
  for (const char* method : {"GET", "HEAD", "POST", "DELETE"}) EXPECT_EQ(code(all, method, file), Code::kUnknown);
  for (const char* method : {"GET", "HEAD", "POST"}) EXPECT_EQ(code(append, method, file), Code::kUnknown);
  EXPECT_EQ(code(append, "DELETE", file), Code::kPermissionDenied);
  EXPECT_EQ(code(append, "DELETE", lock), Code::kUnknown);
  EXPECT_EQ(code(all, "DELETE", config), Code::kPermissionDenied);
}

TEST(SpaceUse, IsNeverMoreThanIsGranted) {
  SpaceUse use(40);
  const SpaceGrant grant{.bytes = 100};
  EXPECT_TRUE(use.reserve(50, grant));
  EXPECT_FALSE(use.reserve(11, grant)) << "what is on its way counts";
  EXPECT_TRUE(use.reserve(10, grant));
  use.settle(50, true);
  use.settle(10, false);
  EXPECT_EQ(use.held(), 90U);
  const Result<void> full = use.reserve(11, grant);
  ASSERT_FALSE(full);
  EXPECT_EQ(full.error().code, Code::kResourceExhausted);
  EXPECT_FALSE(use.reserve(UINT64_MAX, grant));
  EXPECT_FALSE(use.reserve(1, {.bytes = 5})) << "a grant that was made smaller";
  use.removed(90);
  EXPECT_TRUE(use.reserve(100, grant));
}

}  // namespace
}  // namespace hearth::drive
