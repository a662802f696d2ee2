// Uploads into the drive by tus, step by step; the page's own are in tests/browser.
#include <chrono>
#include <csignal>
#include <fstream>
#include <regex>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "harness/pairing.h"
#include "harness/pool.h"

namespace hearth::e2e {
namespace {

using testing::HasSubstr;
using testing::Not;

constexpr const char* kPath = "Upload-Metadata: path L3Bob3Rvcy9hLmJpbg==";  // /photos/a.bin

class DriveUploadTest : public PoolFixture {
 protected:
  void SetUp() override {
    PoolFixture::SetUp();
    token_ = token("files");
  }
  std::string token(const std::string& name) {
    const Ended made = pool().cli({"token", "new", name});
    EXPECT_EQ(made.exit_code, 0) << made.err;
    return made.out.substr(0, made.out.find('\n'));
  }
  // The answer's head and body.
  std::string tus(const std::string& method, const std::string& path, const std::vector<std::string>& headers,
                  const std::string& body = "", const std::string& password = "") {
    std::vector<std::string> argv{"curl",
                                  "-sS",
                                  "-i",
                                  "--max-time",
                                  "20",
                                  "--cacert",
                                  pool().home() / "hub" / "certificate.pem",
                                  "-u",
                                  "me:" + (password.empty() ? token_ : password),
                                  "-H",
                                  "Tus-Resumable: 1.0.0"};
    if (method == "HEAD")
      argv.emplace_back("-I");
    else
      argv.insert(argv.end(), {"-X", method});
    for (const std::string& header : headers) argv.insert(argv.end(), {"-H", header});
    if (method == "PATCH" || !body.empty()) {
      const std::filesystem::path file = pool().directory() / "body";
      std::ofstream(file) << body;
      argv.insert(argv.end(),
                  {"-H", "Content-Type: application/offset+octet-stream", "--data-binary", "@" + file.string()});
    }
    argv.push_back("https://127.0.0.1:" + std::to_string(pool().endpoint().port) + path);
    const Ended ended = run_program(argv);
    return ended.out + ended.err;
  }
  std::string create(const std::vector<std::string>& headers, const std::string& body = "") {
    const std::string answer = tus("POST", "/upload/", headers, body);
    std::smatch match;
    EXPECT_TRUE(std::regex_search(answer, match, std::regex("Location: (/upload/[0-9a-f]{32})"))) << answer;
    return match[1];
  }
  std::string file(const std::string& name) {
    std::ifstream stream(pool().home() / "drive" / name);
    return {std::istreambuf_iterator<char>(stream), std::istreambuf_iterator<char>()};
  }

  std::string token_;
};

TEST_F(DriveUploadTest, GoesOnWhereItStoppedThoughTheHubIsKilled) {
  EXPECT_THAT(tus("OPTIONS", "/upload/", {}), HasSubstr("Tus-Extension: creation"));
  std::string bytes(3'000'000, 'x');
  for (std::size_t i = 0; i < bytes.size(); i += 7) bytes[i] = static_cast<char>('a' + i % 23);
  const std::string upload = create({"Upload-Length: 3000000", kPath});
  EXPECT_THAT(tus("PATCH", upload, {"Upload-Offset: 0"}, bytes.substr(0, 1'000'000)),
              AllOf(HasSubstr(" 204 "), HasSubstr("Upload-Offset: 1000000")));
  EXPECT_THAT(tus("PATCH", upload, {"Upload-Offset: 5"}, "xx"), HasSubstr(" 409 "));
  // A sender that says more than it sends, and goes.
  const Process cut =
      Process::start({"curl", "-sS", "-k", "-u", "me:" + token_, "-X", "PATCH", "-H", "Tus-Resumable: 1.0.0", "-H",
                      "Upload-Offset: 1000000", "-H", "Content-Type: application/offset+octet-stream", "-T", "-",
                      "--limit-rate", "300k", "https://127.0.0.1:" + std::to_string(pool().endpoint().port) + upload},
                     {.cwd = pool().directory(), .input = bytes.substr(1'000'000)});
  const std::filesystem::path kept = pool().home() / "drive/.hearth/uploads" / upload.substr(8);
  EXPECT_TRUE(eventually(seconds(20), [&] { return std::filesystem::file_size(kept) > 1'100'000; }));
  const pid_t killed = pool().hub_process();
  ASSERT_EQ(::kill(killed, SIGKILL), 0);
  ASSERT_TRUE(eventually(seconds(20), [&] { return pool().hub_process() != killed; }));
  const std::string head = tus("HEAD", upload, {});
  std::smatch offset;
  ASSERT_TRUE(std::regex_search(head, offset, std::regex("Upload-Offset: (\\d+)"))) << head;
  const std::size_t at = std::stoul(offset[1]);
  EXPECT_GT(at, 1'000'000U);
  EXPECT_THAT(tus("PATCH", upload, {"Upload-Offset: " + std::to_string(at)}, bytes.substr(at)),
              AllOf(HasSubstr("Hearth-Path: %2Fphotos%2Fa.bin"), HasSubstr("Upload-Offset: 3000000")));
  EXPECT_EQ(file("photos/a.bin"), bytes);
  // The answer may have been lost: whoever asks is told, and nothing is placed twice.
  EXPECT_THAT(tus("HEAD", upload, {}), AllOf(HasSubstr("Upload-Offset: 3000000"), HasSubstr("%2Fphotos%2Fa.bin")));
  EXPECT_FALSE(std::filesystem::exists(pool().home() / "drive/photos/a (2).bin"));
}

TEST_F(DriveUploadTest, ChecksumsPartsAndLengthsThatComeLater) {
  const std::string upload = create({"Upload-Defer-Length: 1", kPath});
  EXPECT_THAT(tus("PATCH", upload, {"Upload-Offset: 0", "Upload-Checksum: sha1 AAAAAAAAAAAAAAAAAAAAAAAAAAA="}, "hello"),
              HasSubstr(" 460 "));
  EXPECT_THAT(tus("HEAD", upload, {}), AllOf(HasSubstr("Upload-Offset: 0"), HasSubstr("Upload-Defer-Length: 1")));
  EXPECT_THAT(
      tus("PATCH", upload,
          {"Upload-Offset: 0", "Upload-Length: 5", "Upload-Checksum: sha1 qvTGHdzF6KLavt4PO0gs2a6pQ00="}, "hello"),
      HasSubstr("Hearth-Path"));
  EXPECT_EQ(file("photos/a.bin"), "hello");

  const std::string first = create({"Upload-Length: 6", "Upload-Concat: partial"}, "hello ");
  const std::string second = create({"Upload-Length: 5", "Upload-Concat: partial"});
  const std::string final = "Upload-Concat: final;" + first + " " + second;
  EXPECT_THAT(tus("POST", "/upload/", {final, kPath}), HasSubstr("is not whole yet"));
  EXPECT_THAT(tus("PATCH", second, {"Upload-Offset: 0"}, "worlds"), HasSubstr(" 413 "));
  EXPECT_THAT(tus("PATCH", second, {"Upload-Offset: 0"}, "world"), HasSubstr(" 204 "));
  EXPECT_THAT(tus("POST", "/upload/", {final, kPath}), HasSubstr("Hearth-Path: %2Fphotos%2Fa%20%282%29.bin"));
  EXPECT_EQ(file("photos/a (2).bin"), "hello world");
  EXPECT_THAT(create({"Upload-Length: 0", "Upload-Metadata: path L2VtcHR5"}), HasSubstr("/upload/"));
  EXPECT_TRUE(std::filesystem::exists(pool().home() / "drive/empty"));
}

TEST_F(DriveUploadTest, IsItsOwnersAloneAndCanBeTakenBack) {
  const std::string upload = create({"Upload-Length: 10", kPath}, "half");
  const std::string other = token("other");
  EXPECT_THAT(tus("HEAD", upload, {}, "", other), HasSubstr(" 404 "));
  EXPECT_THAT(tus("DELETE", upload, {}, "", other), HasSubstr(" 404 "));
  EXPECT_THAT(tus("HEAD", upload, {}), HasSubstr("Upload-Offset: 4"));
  EXPECT_THAT(tus("DELETE", upload, {}), HasSubstr(" 204 "));
  EXPECT_THAT(tus("HEAD", upload, {}), HasSubstr(" 404 "));
  EXPECT_TRUE(std::filesystem::is_empty(pool().home() / "drive/.hearth/uploads"));

  EXPECT_THAT(tus("POST", "/upload/", {"Upload-Length: 1"}), HasSubstr("path, where the file is to lie, is missing"));
  EXPECT_THAT(tus("POST", "/upload/", {kPath}), HasSubstr("Upload-Length, or Upload-Defer-Length"));
  EXPECT_THAT(tus("POST", "/upload/", {"Upload-Length: 4000000000000000000", kPath}), HasSubstr(" 507 "));
  EXPECT_THAT(tus("POST", "/upload/", {"Upload-Length: 1", "Upload-Metadata: path Li4vLi4veA=="}), HasSubstr(" 400 "));
  EXPECT_THAT(tus("PATCH", "/upload/../x", {"Upload-Offset: 0"}, "x"), Not(HasSubstr(" 204 ")));
  EXPECT_THAT(tus("HEAD", "/upload/" + std::string(32, '0'), {}), HasSubstr(" 404 "));
  EXPECT_THAT(tus("HEAD", upload, {}, "", "wrong"), HasSubstr(" 401 "));
}

TEST_F(DriveUploadTest, IsGoneAWeekAfterItsLastByte) {
  const std::string old = create({"Upload-Length: 10", kPath}, "half");
  const std::string young = create({"Upload-Length: 10", kPath}, "half");
  EXPECT_THAT(tus("HEAD", old, {}), HasSubstr("Upload-Expires: "));
  const std::filesystem::path uploads = pool().home() / "drive/.hearth/uploads";
  std::filesystem::last_write_time(uploads / old.substr(8),
                                   std::filesystem::file_time_type::clock::now() - std::chrono::days(8));
  pool().down();
  pool().up();
  EXPECT_THAT(tus("HEAD", old, {}), HasSubstr(" 404 "));
  EXPECT_THAT(tus("HEAD", young, {}), HasSubstr("Upload-Offset: 4"));
  EXPECT_FALSE(std::filesystem::exists(uploads / old.substr(8)));
  EXPECT_TRUE(std::filesystem::exists(uploads / young.substr(8)));
}

}  // namespace
}  // namespace hearth::e2e
