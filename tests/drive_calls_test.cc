// DriveService, as the page and the command line call it.
#include <filesystem>
#include <fstream>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "harness/api.h"
#include "harness/pairing.h"
#include "hearth/v1/drive.pb.h"

namespace hearth::e2e {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::Not;

class DriveCallsTest : public PoolFixture {
 protected:
  void SetUp() override {
    PoolFixture::SetUp();
    owner_ = std::make_unique<Api>(pool());
    std::filesystem::create_directories(file("photos"));
    for (const char* name : {"a.jpg", "photos/b10", "photos/b9"}) std::ofstream(file(name)) << name;
  }

  std::filesystem::path file(const std::string& name) { return pool().home() / "drive" / name; }
  std::vector<std::string> names(const std::string& path) {
    v1::ListDriveRequest request;
    request.set_path(path);
    const auto reply = owner_->call<v1::ListDriveReply>("hearth.v1.DriveService/List", request);
    if (!reply) return {text_of(reply.error())};
    std::vector<std::string> names;
    for (const v1::DriveEntry& entry : reply->entries()) names.push_back(entry.name());
    return names;
  }
  Result<v1::MoveDriveReply> move(const std::vector<std::string>& paths, const std::string& folder, bool copy = false,
                                  const std::string& name = "") {
    v1::MoveDriveRequest request;
    request.mutable_paths()->Assign(paths.begin(), paths.end());
    request.set_folder(folder);
    request.set_name(name);
    request.set_copy(copy);
    return owner_->call<v1::MoveDriveReply>("hearth.v1.DriveService/Move", request);
  }
  Result<v1::RemoveDriveReply> remove(const std::string& path) {
    v1::RemoveDriveRequest request;
    request.add_paths(path);
    return owner_->call<v1::RemoveDriveReply>("hearth.v1.DriveService/Remove", request);
  }
  v1::ListDriveTrashReply trash() {
    return *owner_->call<v1::ListDriveTrashReply>("hearth.v1.DriveService/ListTrash", v1::ListDriveTrashRequest());
  }
  // What is said by curl, as another device, "laptop".
  std::string curl(std::vector<std::string> options, const std::string& path) {
    if (token_.empty()) {
      const Ended made = pool().cli({"token", "new", "laptop"});
      token_ = made.out.substr(0, made.out.find('\n'));
    }
    options.insert(options.begin(),
                   {"curl", "-sS", "--cacert", pool().home() / "hub" / "certificate.pem", "-u", "anybody:" + token_});
    options.push_back("https://127.0.0.1:" + std::to_string(pool().endpoint().port) + path);
    const Ended ended = run_program(options);
    return ended.out + ended.err;
  }
  // "NAME=TEXT " of each, by Python, which checks all sums.
  static std::string unzipped(const std::filesystem::path& zip) {
    const Ended ended = run_program(
        {"/usr/bin/python3", "-c",
         "import sys, zipfile\nz = zipfile.ZipFile(sys.argv[1])\nassert z.testzip() is None\n"
         "assert all(i.compress_type == 0 and i.date_time[0] > 2000 for i in z.infolist())\n"
         "sys.stdout.buffer.write(''.join(n + '=' + z.read(n).decode() + ' ' for n in z.namelist()).encode())",
         zip});
    return ended.out + ended.err;
  }
  void lock(const std::string& path) {
    ASSERT_THAT(
        curl({"-X", "LOCK", "-d",
              "<lockinfo xmlns=\"DAV:\"><lockscope><exclusive/></lockscope><locktype><write/></locktype></lockinfo>"},
             "/dav" + path),
        HasSubstr("urn:uuid:"));
  }

  std::unique_ptr<Api> owner_;
  std::string token_;
};

TEST_F(DriveCallsTest, ListsInOrderAndByPages) {
  EXPECT_THAT(names("/"), ElementsAre("photos", "a.jpg"));
  EXPECT_THAT(names("photos"), ElementsAre("b9", "b10"));
  v1::ListDriveRequest request;
  request.set_path("/photos");
  request.set_order(v1::DRIVE_ORDER_LARGEST);
  request.set_offset(1);
  request.set_count(1);
  const auto reply = owner_->call<v1::ListDriveReply>("hearth.v1.DriveService/List", request);
  ASSERT_TRUE(reply);
  EXPECT_EQ(reply->total(), 2U);
  ASSERT_EQ(reply->entries_size(), 1);
  EXPECT_EQ(reply->entries(0).name(), "b9");
  EXPECT_EQ(reply->entries(0).bytes(), 9U);
  EXPECT_FALSE(reply->entries(0).etag().empty());
  request.set_count(2'001);
  EXPECT_EQ(owner_->call<v1::ListDriveReply>("hearth.v1.DriveService/List", request).error().code,
            Code::kInvalidArgument);
}

TEST_F(DriveCallsTest, MovesCopiesAndKeepsNames) {
  v1::MakeDriveFolderRequest make;
  make.set_path("/album");
  EXPECT_TRUE(owner_->call<v1::MakeDriveFolderReply>("hearth.v1.DriveService/MakeFolder", make));
  EXPECT_EQ(owner_->call<v1::MakeDriveFolderReply>("hearth.v1.DriveService/MakeFolder", make).error().code,
            Code::kAlreadyExists);
  EXPECT_EQ(move({"/a.jpg"}, "/album", true)->paths(0), "/album/a.jpg");
  EXPECT_EQ(move({"/a.jpg"}, "/album", true)->paths(0), "/album/a (2).jpg");
  EXPECT_EQ(move({"/a.jpg"}, "/", false)->paths(0), "/a.jpg") << "where it is";
  EXPECT_EQ(move({"/a.jpg"}, "/", false, "c.jpg")->paths(0), "/c.jpg");
  EXPECT_EQ(move({"/photos", "/c.jpg"}, "/album")->paths_size(), 2);
  EXPECT_THAT(names("/album"), ElementsAre("photos", "a (2).jpg", "a.jpg", "c.jpg"));
  EXPECT_EQ(move({"/album"}, "/album/photos").error().code, Code::kInvalidArgument);
  EXPECT_EQ(move({"/album/a.jpg", "/album/c.jpg"}, "/", false, "both").error().code, Code::kInvalidArgument);
  const auto half = move({"/album/a.jpg", "/none"}, "/");
  EXPECT_EQ(half.error().code, Code::kNotFound);
  EXPECT_THAT(half.error().message, HasSubstr("after 1 of 2"));
}

TEST_F(DriveCallsTest, TheTrashGivesBackAndForgets) {
  ASSERT_TRUE(remove("/photos"));
  ASSERT_TRUE(remove("/a.jpg"));
  std::ofstream(file("a.jpg")) << "another";
  const v1::ListDriveTrashReply before = trash();
  ASSERT_EQ(before.trashed_size(), 2);
  EXPECT_EQ(before.days(), 30U);
  EXPECT_EQ(before.trashed(0).path(), "/a.jpg");
  EXPECT_EQ(before.trashed(1).bytes(), 19U);
  v1::RestoreDriveRequest restore;
  restore.set_id(before.trashed(0).id());
  EXPECT_EQ(owner_->call<v1::RestoreDriveReply>("hearth.v1.DriveService/Restore", restore)->path(), "/a (2).jpg");
  EXPECT_EQ(owner_->call<v1::RestoreDriveReply>("hearth.v1.DriveService/Restore", restore).error().code,
            Code::kNotFound);
  v1::EraseDriveRequest erase;
  EXPECT_EQ(owner_->call<v1::EraseDriveReply>("hearth.v1.DriveService/Erase", erase).error().code,
            Code::kInvalidArgument);
  erase.set_all(true);
  EXPECT_TRUE(owner_->call<v1::EraseDriveReply>("hearth.v1.DriveService/Erase", erase));
  EXPECT_EQ(trash().trashed_size(), 0);
  EXPECT_TRUE(eventually(seconds(20), [&] { return std::filesystem::is_empty(file(".hearth/new")); }))
      << "its bytes stay";
  erase.set_all(false);
  erase.add_ids("../../photos");
  EXPECT_EQ(owner_->call<v1::EraseDriveReply>("hearth.v1.DriveService/Erase", erase).error().code, Code::kNotFound);
}

TEST_F(DriveCallsTest, AReplacedFileIsKeptAndBroughtBack) {
  const std::filesystem::path draft = scratch().path() / "draft";
  for (const char* text : {"first", "second", "third"}) {
    std::ofstream(draft) << text;
    EXPECT_EQ(curl({"-T", draft}, "/dav/report.txt"), "");
  }
  v1::ListDriveVersionsRequest request;
  request.set_path("/report.txt");
  const auto versions = owner_->call<v1::ListDriveVersionsReply>("hearth.v1.DriveService/ListVersions", request);
  ASSERT_TRUE(versions);
  ASSERT_EQ(versions->versions_size(), 2);
  EXPECT_EQ(versions->versions(0).bytes(), 6U);
  EXPECT_EQ(curl({}, "/dav/report.txt?version=" + versions->versions(1).id()), "first");
  EXPECT_EQ(curl({"-r", "1-2"}, "/dav/report.txt?version=" + versions->versions(0).id()), "ec");
  EXPECT_THAT(curl({}, "/dav/report.txt?version=../../locks"), HasSubstr("404 "));

  v1::RestoreDriveVersionRequest restore;
  restore.set_path("/report.txt");
  restore.set_id(versions->versions(1).id());
  const auto restore_it = [&] {
    return owner_->call<v1::RestoreDriveVersionReply>("hearth.v1.DriveService/RestoreVersion", restore);
  };
  EXPECT_EQ(restore_it()->entry().bytes(), 5U);
  EXPECT_EQ(curl({}, "/dav/report.txt"), "first");
  EXPECT_EQ(restore_it().error().code, Code::kNotFound) << "it is no version any more";
  lock("/report.txt");
  restore.set_id(versions->versions(0).id());
  EXPECT_EQ(restore_it().error().code, Code::kAborted);
  const auto usage = owner_->call<v1::DriveUsageReply>("hearth.v1.DriveService/Usage", v1::DriveUsageRequest());
  EXPECT_EQ(usage->versions_bytes(), 11U) << "\"second\" and \"third\"";
}

TEST_F(DriveCallsTest, SearchesNamesAndTexts) {
  v1::SearchDriveRequest request;
  request.set_text("B1");
  auto reply = owner_->call<v1::SearchDriveReply>("hearth.v1.DriveService/Search", request);
  ASSERT_TRUE(reply);
  ASSERT_EQ(reply->found_size(), 1);
  EXPECT_EQ(reply->found(0).path(), "/photos/b10");
  EXPECT_FALSE(reply->more());
  request.set_text("OTOS/b9");
  request.set_inside(true);
  reply = owner_->call<v1::SearchDriveReply>("hearth.v1.DriveService/Search", request);
  ASSERT_EQ(reply->found_size(), 1);
  EXPECT_EQ(reply->found(0).line(), "photos/b9");
  EXPECT_EQ(reply->found(0).entry().bytes(), 9U);
  const auto code = [&] {
    return owner_->call<v1::SearchDriveReply>("hearth.v1.DriveService/Search", request).error().code;
  };
  request.set_path("/none");
  EXPECT_EQ(code(), Code::kNotFound);
  request.set_text(std::string(201, 'a'));
  EXPECT_EQ(code(), Code::kInvalidArgument);
}

TEST_F(DriveCallsTest, TellsHowMuchItHolds) {
  ASSERT_TRUE(remove("/a.jpg"));
  const auto usage = owner_->call<v1::DriveUsageReply>("hearth.v1.DriveService/Usage", v1::DriveUsageRequest());
  ASSERT_TRUE(usage);
  EXPECT_EQ(usage->files(), 2U);
  EXPECT_EQ(usage->bytes(), 19U);
  EXPECT_GT(usage->trash_bytes(), 4U) << "with the note of where it was";
  EXPECT_GT(usage->free_bytes(), 0U);
  EXPECT_EQ(usage->folder(), (pool().home() / "drive").string());
}

TEST_F(DriveCallsTest, OneDeviceHasSoManyZipsAtATime) {
  ASSERT_EQ(run_program({"truncate", "-s", "4G", file("photos/film")}).exit_code, 0);
  EXPECT_THAT(curl({}, "/dav/photos/b9"), HasSubstr("photos/b9"));  // has a token by now
  const auto fetch = [&](int number) {
    const std::filesystem::path head = scratch().path() / std::to_string(number);
    return std::pair(
        head, Process::start({"curl", "-sS", "-o", "/dev/null", "-D", head, "--limit-rate", "10k", "--cacert",
                              pool().home() / "hub" / "certificate.pem", "-u", "anybody:" + token_,
                              "https://127.0.0.1:" + std::to_string(pool().endpoint().port) + "/dav/photos/?zip"},
                             {}));
  };
  std::vector<std::pair<std::filesystem::path, Process>> fetching;
  for (int i = 0; i < 4; ++i) {
    fetching.push_back(fetch(i));
    ASSERT_TRUE(eventually(seconds(30), [&] { return read_text(fetching.back().first).contains("200"); }));
  }
  EXPECT_THAT(curl({"-D", "-"}, "/dav/photos/?zip"),
              AllOf(HasSubstr("429"), HasSubstr("Retry-After: 30"), HasSubstr("4 archives are on their way to you")));
  EXPECT_THAT(curl({}, "/dav/photos/b9"), HasSubstr("photos/b9")) << "a file is no archive";
  const Ended other = pool().cli({"token", "new", "phone"});
  const std::string before = std::exchange(token_, other.out.substr(0, other.out.find('\n')));
  EXPECT_THAT(curl({"-d", "name=b9", "-o", "/dev/null", "-D", "-"}, "/dav/photos/?zip"), HasSubstr("200"));
  token_ = before;
  fetching.front().second.signal(SIGKILL);
  fetching.front().second.wait(seconds(10));
  EXPECT_TRUE(eventually(seconds(30), [&] {
    return curl({"-d", "name=b9", "-o", "/dev/null", "-D", "-"}, "/dav/photos/?zip").contains("200");
  }));
}

TEST_F(DriveCallsTest, AFolderComesAsAZip) {
  std::ofstream(file("photos/Füße & 1.txt")) << "ü";
  const std::filesystem::path zip = scratch().path() / "a.zip";
  EXPECT_THAT(curl({"-o", zip, "-D", "-"}, "/dav/photos/?zip"), HasSubstr("filename*=UTF-8''photos.zip"));
  EXPECT_EQ(unzipped(zip), "Füße & 1.txt=ü b10=photos/b10 b9=photos/b9 ");
  curl({"-o", zip, "-d", "name=b9&name=F%C3%BC%C3%9Fe+%26+1.txt"}, "/dav/photos/?zip");
  EXPECT_EQ(unzipped(zip), "b9=photos/b9 Füße & 1.txt=ü ");
  curl({"-o", zip}, "/dav/?zip");
  EXPECT_THAT(unzipped(zip), AllOf(HasSubstr("photos/="), HasSubstr("photos/b9="), Not(HasSubstr(".hearth"))));
  EXPECT_THAT(curl({"-d", "name=none"}, "/dav/photos?zip"), HasSubstr("404 "));
  EXPECT_THAT(curl({"-d", "name=.."}, "/dav/photos?zip"), HasSubstr("400 "));
  EXPECT_THAT(curl({"-d", "other=b9"}, "/dav/photos?zip"), HasSubstr("400 "));
  EXPECT_THAT(curl({"-d", "x"}, "/dav/photos"), HasSubstr("405 "));
  const std::filesystem::path form = scratch().path() / "form";
  std::ofstream(form) << "name=" << std::string(300'000, 'a');
  EXPECT_THAT(curl({"-d", "@" + form.string()}, "/dav/photos?zip"), HasSubstr("413 "));
}

TEST_F(DriveCallsTest, ALockOfAnotherKeepsThemOut) {
  lock("/photos");
  EXPECT_EQ(remove("/photos").error().code, Code::kAborted);
  EXPECT_EQ(move({"/a.jpg"}, "/photos").error().code, Code::kAborted);
  EXPECT_EQ(move({"/photos/b9"}, "/").error().code, Code::kAborted);
  EXPECT_THAT(move({"/photos"}, "/", false, "c").error().message, HasSubstr("locked by laptop"));
  EXPECT_TRUE(move({"/photos"}, "/", true, "copy"));
}

TEST_F(DriveCallsTest, NobodyElseAndNothingElse) {
  for (const char* path : {"../hub", "/photos/../../hub", "/.hearth/trash", "/photos//b9"}) {
    EXPECT_THAT(names(path).front(), HasSubstr("invalid_argument")) << path;
    EXPECT_EQ(remove(path).error().code, Code::kInvalidArgument) << path;
    EXPECT_EQ(move({"/a.jpg"}, path).error().code, Code::kInvalidArgument) << path;
  }
  EXPECT_EQ(move({"/a.jpg"}, "/", false, "../b").error().code, Code::kInvalidArgument);
  std::filesystem::create_directory_symlink("/etc", file("link"));
  EXPECT_THAT(names("/link").front(), HasSubstr("not_found"));
  EXPECT_EQ(move({"/a.jpg"}, "/link").error().code, Code::kFailedPrecondition);
}

TEST_F(DriveCallsTest, OnlyDevicesOfRingHomeAreAnswered) {
  Api other(pair_device(pool(), "other", v1::ROLE_MEMBER));
  const auto code = [&other] {
    const auto reply = other.call<v1::ListDriveReply>("hearth.v1.DriveService/List", v1::ListDriveRequest());
    return reply ? Code::kUnknown : reply.error().code;
  };
  EXPECT_EQ(code(), Code::kUnknown) << "it is of ring home";
  ASSERT_EQ(pool().cli({"devices", "ring", "other", "friend"}).exit_code, 0);
  EXPECT_EQ(code(), Code::kPermissionDenied);
  v1::RemoveDriveRequest removal;
  removal.add_paths("/photos");
  EXPECT_EQ(other.call<v1::RemoveDriveReply>("hearth.v1.DriveService/Remove", removal).error().code,
            Code::kPermissionDenied);
  EXPECT_TRUE(std::filesystem::exists(file("photos")));
}

}  // namespace
}  // namespace hearth::e2e
