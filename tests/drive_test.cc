// The drive at /dav/, as curl and file managers use it: a token of ring home is the password.
#include <filesystem>
#include <fstream>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "harness/pairing.h"
#include "harness/pool.h"

namespace hearth::e2e {
namespace {

using testing::HasSubstr;
using testing::Not;

class DriveTest : public PoolFixture {
 protected:
  std::string token(const std::string& name, const std::string& ring = "home") {
    const Ended made = pool().cli({"token", "new", name, "--ring", ring});
    EXPECT_EQ(made.exit_code, 0) << made.err;
    return made.out.substr(0, made.out.find('\n'));
  }
  // "BODY\nSTATUS".
  std::string curl(std::vector<std::string> options, const std::string& path, const std::string& password) {
    options.insert(options.begin(),
                   {"curl", "-sS", "--path-as-is", "--cacert", pool().home() / "hub" / "certificate.pem", "-w",
                    "\n%{http_code}", "-u", "anybody:" + password});
    options.push_back("https://127.0.0.1:" + std::to_string(pool().endpoint().port) + path);
    const Ended ended = run_program(options);
    return ended.out + ended.err;
  }
  std::string curl(std::vector<std::string> options, const std::string& path) {
    if (token_.empty()) token_ = token("files");
    return curl(std::move(options), path, token_);
  }
  std::filesystem::path file(const std::string& name) { return pool().home() / "drive" / name; }
  static std::string text(const std::filesystem::path& file) {
    std::ifstream stream(file);
    return {std::istreambuf_iterator<char>(stream), std::istreambuf_iterator<char>()};
  }

 private:
  std::string token_;
};

TEST_F(DriveTest, FilesArePlainFilesOfThePc) {
  EXPECT_EQ(curl({"-X", "MKCOL"}, "/dav/photos/"), "\n201");
  EXPECT_EQ(curl({"-T", "-"}, "/dav/none/a"), "409 conflict: there is no folder /none\n\n409");
  EXPECT_EQ(curl({"-X", "PUT", "-d", "hello"}, "/dav/photos/a%20b.txt"), "\n201");
  EXPECT_EQ(text(file("photos/a b.txt")), "hello");
  EXPECT_EQ(curl({}, "/dav/photos/a%20b.txt"), "hello\n200");
  EXPECT_EQ(curl({"-r", "1-3"}, "/dav/photos/a%20b.txt"), "ell\n206");
  EXPECT_EQ(curl({"-X", "PUT", "-d", "x", "-H", "If-None-Match: *"}, "/dav/photos/a%20b.txt"),
            "412 precondition failed: /photos/a b.txt: there is a file of that name already\n\n412");
  EXPECT_EQ(curl({"-X", "PUT", "-d", "new"}, "/dav/photos/a%20b.txt"), "\n204");
  std::ofstream(file("from the PC.txt")) << "mine";
  EXPECT_THAT(curl({"-X", "PROPFIND", "-H", "Depth: 1"}, "/dav/"),
              AllOf(HasSubstr("/dav/photos/<"), HasSubstr("/dav/from%20the%20PC.txt"), Not(HasSubstr(".hearth"))));
  EXPECT_EQ(curl({"-X", "MOVE", "-H", "Destination: /dav/b.txt"}, "/dav/photos/a%20b.txt"), "\n201");
  EXPECT_EQ(curl({"-X", "COPY", "-H", "Destination: /dav/album/"}, "/dav/photos/"), "\n201");
  EXPECT_EQ(curl({"-X", "DELETE"}, "/dav/b.txt"), "\n204");
  EXPECT_THAT(curl({}, "/dav/b.txt"), HasSubstr("404"));
  const auto trash = std::filesystem::directory_iterator(file(".hearth/trash"));
  EXPECT_EQ(text(trash->path() / "content"), "new");
}

// A lock as davfs2 and Office ask for it.
constexpr const char* kLock =
    "<lockinfo xmlns=\"DAV:\"><lockscope><exclusive/></lockscope><locktype><write/></locktype>"
    "<owner><href>Mia</href></owner></lockinfo>";

TEST_F(DriveTest, LocksAndPropertiesOutliveARestart) {
  ASSERT_EQ(curl({"-X", "PUT", "-d", "one"}, "/dav/report"), "\n201");
  ASSERT_EQ(curl({"-X", "MKCOL"}, "/dav/safe"), "\n201");
  const std::string locked = curl({"-X", "LOCK", "-d", kLock, "-H", "Timeout: Second-600"}, "/dav/report");
  const std::size_t token_at = locked.find("urn:uuid:");
  ASSERT_NE(token_at, std::string::npos) << locked;
  const std::string token = locked.substr(token_at, 45);
  EXPECT_THAT(locked, HasSubstr("<owner xmlns=\"DAV:\"><href>Mia</href></owner>"));
  EXPECT_THAT(curl({"-X", "PROPPATCH", "-H", "If: (<" + token + ">)", "-d",
                    "<propertyupdate xmlns='DAV:'><set><prop><n:colour xmlns:n='urn:n'>blue</n:colour></prop></set>"
                    "</propertyupdate>"},
                   "/dav/report"),
              HasSubstr("200 OK"));
  pool().down();
  pool().up();
  EXPECT_THAT(curl({"-X", "PUT", "-d", "two"}, "/dav/report"),
              AllOf(HasSubstr("lock-token-submitted"), HasSubstr("/report is locked by files"), HasSubstr("\n423")));
  EXPECT_THAT(curl({"-X", "DELETE"}, "/dav/report"), HasSubstr("\n423"));
  const std::string other = this->token("phone");
  EXPECT_THAT(curl({"-X", "PUT", "-d", "two", "-H", "If: (<" + token + ">)"}, "/dav/report", other),
              HasSubstr("\n423"));
  EXPECT_EQ(curl({"-X", "PUT", "-d", "two", "-H", "If: (<" + token + ">)"}, "/dav/report"), "\n204");
  EXPECT_EQ(curl({"-X", "MOVE", "-H", "Destination: /dav/safe/report", "-H", "If: (<" + token + ">)"}, "/dav/report"),
            "\n201");
  const std::string found = curl({"-X", "PROPFIND", "-H", "Depth: 0"}, "/dav/safe/report", other);
  EXPECT_THAT(found, AllOf(HasSubstr("<colour xmlns=\"urn:n\">blue</colour>"), HasSubstr("<D:lockdiscovery/>")));
}

TEST_F(DriveTest, ARevokedDeviceHoldsNoLock) {
  const std::string laptop = token("laptop");
  ASSERT_THAT(curl({"-X", "LOCK", "-d", kLock}, "/dav/draft", laptop), HasSubstr("\n201"));
  ASSERT_THAT(curl({"-X", "PUT", "-d", "x"}, "/dav/draft"), HasSubstr("\n423"));
  ASSERT_EQ(pool().cli({"devices", "revoke", "laptop"}).exit_code, 0);
  EXPECT_EQ(curl({"-X", "PUT", "-d", "x"}, "/dav/draft"), "\n204");
}

TEST_F(DriveTest, NobodyElseGetsIn) {
  ASSERT_EQ(curl({"-X", "PUT", "-d", "secret"}, "/dav/a"), "\n201");
  EXPECT_THAT(curl({}, "/dav/a", "wrong"), HasSubstr("\n401"));
  EXPECT_THAT(curl({}, "/dav/a", token("friend", "friend")), HasSubstr("\n403"));
  const std::string other = token("other");
  EXPECT_EQ(curl({}, "/dav/a", other), "secret\n200");
  ASSERT_EQ(pool().cli({"devices", "revoke", "other"}).exit_code, 0);
  EXPECT_THAT(curl({}, "/dav/a", other), HasSubstr("\n401"));
}

TEST_F(DriveTest, NothingLeadsOutOfIt) {
  ASSERT_EQ(curl({"-X", "PUT", "-d", "x"}, "/dav/a"), "\n201");
  std::filesystem::create_symlink("/etc/passwd", file("link"));
  EXPECT_THAT(curl({}, "/dav/link"), HasSubstr("\n404"));
  EXPECT_THAT(curl({}, "/dav/.hearth/trash"), HasSubstr("\n400"));
  EXPECT_THAT(curl({}, "/dav/%2e%2e/hub/secret"), Not(HasSubstr("\n200")));
  EXPECT_THAT(curl({"-X", "MOVE", "-H", "Destination: https://elsewhere.test/dav/b"}, "/dav/a"), HasSubstr("\n502"));
  EXPECT_THAT(curl({"-X", "PROPFIND", "-H", "Depth: 0", "-d",
                    "<!DOCTYPE a [<!ENTITY b \"c\">]><propfind xmlns=\"DAV:\"><allprop/></propfind>"},
                   "/dav/a"),
              HasSubstr("a document type"));
  EXPECT_EQ(curl({}, "/dav/a"), "x\n200");
}

}  // namespace
}  // namespace hearth::e2e
