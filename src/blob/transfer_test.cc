#include "blob/transfer.h"

#include <fcntl.h>
#include <unistd.h>

#include <fstream>
#include <map>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/bytes.h"
#include "base/sizes.h"
#include "blob/local_file.h"
#include "blob/parallel.h"
#include "blob/temporary_directory.h"
#include "hearth/v1/blobs.pb.h"
#include "net/connect.h"
#include "net/crypto.h"
#include "net/fake_transport.h"

namespace hearth::blob {
namespace {

namespace fs = std::filesystem;
using testing::HasSubstr;

v1::Blob blob_of(const std::string& bytes) {
  v1::Blob blob;
  blob.set_sha256(net::sha256(bytes));
  blob.set_size(bytes.size());
  return blob;
}

// A hub with the blobs of a map, behind a client without sockets.
class TransferTest : public testing::Test {
 protected:
  TransferTest()
      : dispatcher(
            [](const net::RequestHead& head, const std::string&) -> Result<net::Caller> { return authorize(head); },
            {}),
        client([this](net::Exchange& exchange) { return handle(exchange); }),
        transfer(client, workers, [] { return std::string("token"); }) {
    dispatcher.unary<v1::MissingRequest, v1::MissingReply>(
        "hearth.v1.BlobService.Missing",
        [this](const v1::MissingRequest& request, net::Caller&) { return missing(request); });
    client.piece_bytes = 100'000;
  }

  static Result<net::Caller> authorize(const net::RequestHead& head) {
    if (head.headers.get("authorization") != "Bearer token") return fail(Code::kUnauthenticated, "no session");
    net::Caller caller;
    caller.level = net::AccessLevel::kMember;
    return caller;
  }

  net::Async<Result<v1::MissingReply>> missing(const v1::MissingRequest& request) {
    asked.push_back(request.sha256_size());
    v1::MissingReply reply;
    for (const std::string& digest : request.sha256()) {
      if (!blobs.contains(digest)) reply.add_sha256(digest);
    }
    co_return reply;
  }

  net::Async<void> handle(net::Exchange& exchange) {
    const net::RequestHead& head = exchange.head();
    if (!head.path.starts_with("/blob/")) {
      co_await dispatcher.handle(exchange);
      co_return;
    }
    co_await net::sleep_for(Duration{});
    if (!authorize(head)) {
      (void)co_await exchange.reply(net::text_response(401, "no session"));
    } else if (head.method == "PUT") {
      (void)co_await exchange.reply(put(*from_hex(head.path.substr(6)), *co_await exchange.read_whole_body(kGiB)));
    } else {
      (void)co_await exchange.reply(get(*from_hex(head.path.substr(6))));
    }
  }

  net::Response put(const std::string& digest, const std::string& bytes) {
    puts.push_back(bytes);
    if (full) return net::text_response(507, "the owner's limit is reached");
    if (net::sha256(bytes) != digest) return net::text_response(400, "other bytes");
    return {.status = blobs.emplace(digest, bytes).second ? 201U : 200U, .headers = {}, .body = ""};
  }

  net::Response get(const std::string& digest) {
    const auto found = blobs.find(digest);
    if (found == blobs.end()) return net::text_response(404, "no such blob");
    return {.status = 200, .headers = {}, .body = found->second};
  }

  v1::Blob stored(const std::string& bytes) {
    blobs[net::sha256(bytes)] = bytes;
    return blob_of(bytes);
  }

  fs::path write(const std::string& name, const std::string& content) {
    fs::create_directories((temporary.path() / name).parent_path());
    std::ofstream(temporary.path() / name) << content;
    return temporary.path() / name;
  }

  static std::string read(const fs::path& path) {
    std::ifstream file(path);
    return {std::istreambuf_iterator<char>(file), {}};
  }

  std::unique_ptr<BlobStore> open_store() {
    return std::move(*BlobStore::open(temporary.path() / "store", {.keep_free_bytes = 0, .durable = false}));
  }

  template <class T>
  T run(net::Async<T> coroutine) {
    return loop.run_until_done(std::move(coroutine));
  }

  TemporaryDirectory temporary;
  net::Loop loop;
  net::Workers workers{2};
  std::map<std::string, std::string> blobs;
  std::vector<std::string> puts;
  std::vector<int> asked;
  bool full = false;
  net::Dispatcher dispatcher;
  net::FakeClient client;
  Transfer transfer;
};

TEST_F(TransferTest, SendsATreeAndOnlyWhatTheHubLacks) {
  stored("known");
  const std::string large(600'000, 'L');
  const std::vector<LocalFile> files = {{"z.txt", write("z", "known")},
                                        {"a/b", write("b", "new")},
                                        {"a/copy", write("copy", "new")},
                                        {"large", write("large", large)}};
  fs::permissions(temporary.path() / "b", fs::perms::owner_all);
  std::vector<Progress> progress;
  const auto sent = run(transfer.send_tree(files, [&](const Progress& now) { progress.push_back(now); }));
  ASSERT_TRUE(sent.has_value()) << sent.error().message;
  EXPECT_EQ(puts.size(), 3U);  // "new" once, the large one, the tree
  EXPECT_EQ(net::sha256(puts.back()), sent->sha256());
  EXPECT_EQ(progress.back().bytes_done, 600'011U);
  EXPECT_EQ(progress.back().bytes_total, 600'011U);
  EXPECT_EQ(progress.back().files_done, 4U);
  EXPECT_EQ(progress.back().files_total, 4U);

  const auto tree = run(transfer.fetch_tree(*sent));
  ASSERT_TRUE(tree.has_value()) << tree.error().message;
  ASSERT_EQ(tree->files_size(), 4);
  EXPECT_EQ(tree->files(0).path(), "a/b");
  EXPECT_TRUE(tree->files(0).executable());
  EXPECT_FALSE(tree->files(1).executable());
  EXPECT_EQ(tree->files(2).blob().size(), 600'000U);

  puts.clear();
  EXPECT_TRUE(run(transfer.send_tree(files, {})));
  EXPECT_TRUE(puts.empty());
}

TEST_F(TransferTest, SendsATreeOfNothing) {
  const auto sent = run(transfer.send_tree({}, {}));
  ASSERT_TRUE(sent.has_value());
  EXPECT_EQ(sent->size(), 0U);
}

TEST_F(TransferTest, RefusesATreeThatTheRulesForbid) {
  const fs::path file = write("f", "x");
  const auto sent = run(transfer.send_tree({{"a", file}, {"a/b", file}}, {}));
  EXPECT_EQ(sent.error().code, Code::kInvalidArgument);
  EXPECT_TRUE(puts.empty());
  EXPECT_EQ(run(transfer.send_tree({{"a", temporary.path() / "none"}}, {})).error().code, Code::kNotFound);
}

TEST_F(TransferTest, SaysWhatTheHubRefuses) {
  full = true;
  const auto sent = run(transfer.send_tree({{"a", write("a", "x")}}, {}));
  EXPECT_EQ(sent.error().code, Code::kResourceExhausted);
  EXPECT_THAT(sent.error().message, HasSubstr("the owner's limit is reached"));
  EXPECT_EQ(run(transfer.send_bytes("x")).error().code, Code::kResourceExhausted);
}

TEST_F(TransferTest, SendsFourAtOnce) {
  std::vector<LocalFile> files;
  for (int i = 0; i < 40; ++i) {
    const std::string name = "file" + std::to_string(i);
    files.push_back({name, write(name, name)});
  }
  ASSERT_TRUE(run(transfer.send_tree(files, {})));
  EXPECT_EQ(blobs.size(), 41U);
  EXPECT_GT(client.most_running, 1U);
  EXPECT_LE(client.most_running, 4U);
}

TEST_F(TransferTest, SendsAFileUnlessTheHubHasIt) {
  const std::string content(300'000, 'x');
  const Fd file(::open(write("f", content).c_str(), O_RDONLY | O_CLOEXEC));
  for (int i = 0; i < 2; ++i) {
    const auto sent = run(transfer.send_file(file.get(), content.size(), net::sha256(content)));
    ASSERT_TRUE(sent.has_value());
    EXPECT_EQ(sent->sha256(), net::sha256(content));
  }
  EXPECT_EQ(puts.size(), 1U);
  EXPECT_EQ(run(transfer.send_file(file.get(), 1, "short")).error().code, Code::kInvalidArgument);
}

TEST_F(TransferTest, FetchesSmallBlobs) {
  const v1::Blob blob = stored(std::string(100'000, 'x'));
  EXPECT_EQ(run(transfer.fetch_bytes(blob, 100'000)), std::string(100'000, 'x'));
  EXPECT_EQ(run(transfer.fetch_bytes(blob, 99'999)).error().code, Code::kResourceExhausted);
  EXPECT_EQ(run(transfer.fetch_bytes(blob_of("absent"), 100)).error().code, Code::kNotFound);
  EXPECT_EQ(run(transfer.fetch_bytes(v1::Blob(), 100)).error().code, Code::kInvalidArgument);
  EXPECT_EQ(run(transfer.fetch_bytes(stored(""), 0)), "");
}

TEST_F(TransferTest, TakesNoOtherBytes) {
  auto store = open_store();
  for (const char* other : {"HELLO", "hell", "hello, world", ""}) {
    const v1::Blob blob = stored("hello");
    blobs[blob.sha256()] = other;
    EXPECT_EQ(run(transfer.fetch_bytes(blob, 100)).error().code, Code::kDataLoss) << other;
    EXPECT_EQ(run(transfer.fetch_into(*store, {blob}, {})).error().code, Code::kDataLoss) << other;
    EXPECT_FALSE(store->has(blob.sha256()));
    const fs::path destination = temporary.path() / "result";
    EXPECT_EQ(run(transfer.fetch_file(blob, destination, false, {})).error().code, Code::kDataLoss) << other;
    EXPECT_FALSE(fs::exists(destination));
  }
  EXPECT_EQ(std::distance(fs::directory_iterator(temporary.path()), {}), 1);  // the store alone
  EXPECT_TRUE(fs::is_empty(temporary.path() / "store" / "incoming"));
}

TEST_F(TransferTest, TakesNoTreeThatTheRulesForbid) {
  v1::Tree tree;
  tree.add_files()->set_path("../../etc/passwd");
  *tree.mutable_files(0)->mutable_blob() = blob_of("x");
  const auto fetched = run(transfer.fetch_tree(stored(tree.SerializeAsString())));
  EXPECT_EQ(fetched.error().code, Code::kDataLoss);
  EXPECT_EQ(run(transfer.fetch_tree(stored("\xff\xff"))).error().code, Code::kDataLoss);
}

TEST_F(TransferTest, FetchesIntoAStoreWhatItLacks) {
  auto store = open_store();
  ASSERT_TRUE(store->put("there"));
  const std::string large(3 * kMiB, 'L');
  Progress last;
  const std::vector<v1::Blob> wanted = {stored("there"), stored("a"), stored("a"), stored(""), stored(large)};
  const auto fetched = run(transfer.fetch_into(*store, wanted, [&](const Progress& now) { last = now; }));
  ASSERT_TRUE(fetched.has_value()) << fetched.error().message;
  EXPECT_EQ(last.files_done, 3U);
  EXPECT_EQ(last.files_total, 3U);
  EXPECT_EQ(last.bytes_done, large.size() + 1);
  EXPECT_EQ(store->load(net::sha256(large), large.size()), large);
  EXPECT_EQ(run(transfer.fetch_into(*store, {blob_of("absent")}, {})).error().code, Code::kNotFound);
}

TEST_F(TransferTest, FetchesAFile) {
  const fs::path destination = temporary.path() / "result";
  write("result", "old");
  std::uint64_t received = 0;
  const auto fetched = run(
      transfer.fetch_file(stored("new content"), destination, true, [&](std::uint64_t count) { received += count; }));
  ASSERT_TRUE(fetched.has_value()) << fetched.error().message;
  EXPECT_EQ(read(destination), "new content");
  EXPECT_EQ(received, 11U);
  EXPECT_EQ(::access(destination.c_str(), X_OK), 0);
  EXPECT_EQ(std::distance(fs::directory_iterator(temporary.path()), {}), 1);
  const auto nowhere = run(transfer.fetch_file(stored("x"), temporary.path() / "none" / "f", false, {}));
  EXPECT_EQ(nowhere.error().code, Code::kNotFound);
}

TEST_F(TransferTest, SaysThatNothingGetsThrough) {
  client.connection = fail(Code::kUnavailable, "no route");
  auto store = open_store();
  EXPECT_EQ(run(transfer.send_bytes("x")).error().code, Code::kUnavailable);
  EXPECT_EQ(run(transfer.fetch_bytes(blob_of("x"), 9)).error().code, Code::kUnavailable);
  EXPECT_EQ(run(transfer.fetch_into(*store, {blob_of("x")}, {})).error().code, Code::kUnavailable);
  EXPECT_EQ(run(transfer.send_tree({{"a", write("a", "x")}}, {})).error().code, Code::kUnavailable);
}

TEST_F(TransferTest, RefusesAFileThatChanged) {
  for (const std::size_t size : {10U, 500'000U}) {
    const fs::path file = write("f", std::string(size, 'a'));
    const auto hashed = hash_file(file);
    ASSERT_TRUE(hashed.has_value());
    EXPECT_TRUE(open_unchanged(file, *hashed).has_value());
    EXPECT_TRUE(read_unchanged(file, *hashed).has_value());
    fs::last_write_time(file, fs::last_write_time(file) + std::chrono::seconds(1));
    EXPECT_EQ(open_unchanged(file, *hashed).error().code, Code::kAborted);
    EXPECT_EQ(read_unchanged(file, *hashed).error().code, Code::kAborted);
  }
}

TEST_F(TransferTest, RunsTheRestNoMoreAfterAnError) {
  std::size_t started = 0;
  const auto task = [&](std::size_t i) -> net::Async<Result<void>> {
    ++started;
    co_await net::sleep_for(Duration{});
    if (i == 1) co_return fail(Code::kAborted, "one");
    co_return Result<void>();
  };
  EXPECT_EQ(run(run_all(100, task)).error().message, "one");
  EXPECT_LE(started, 8U);
  EXPECT_TRUE(run(run_all(0, task)));
  EXPECT_TRUE(run(run_all(1, task)));
}

}  // namespace
}  // namespace hearth::blob
