#include "blob/transfer.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <map>
#include <optional>
#include <set>

#include "base/bytes.h"
#include "base/sizes.h"
#include "blob/local_file.h"
#include "blob/parallel.h"
#include "hearth/v1/blobs.pb.h"
#include "net/connect.h"
#include "net/crypto.h"
#include "swarm/frames.h"

namespace hearth::blob {
namespace {

namespace fs = std::filesystem;

constexpr std::size_t kMaxAskedAtOnce = 100'000;      // BlobService.Missing's limit
constexpr std::uint64_t kInMemoryBytes = 256 * kKiB;  // smaller files are read whole and sent in one piece
constexpr std::size_t kBlockBytes = kMiB;             // written to the disk at once
constexpr std::size_t kHashedOnLoopBytes = 16 * kKiB;

std::string target(const std::string& sha256) { return "/blob/" + to_hex(sha256); }

net::Headers headers(const std::string& bearer) {
  net::Headers fields;
  if (!bearer.empty()) fields.add("authorization", "Bearer " + bearer);
  return fields;
}

Code code_of_blob_status(unsigned status) {
  switch (status) {
    case 400:
      return Code::kDataLoss;
    case 401:
      return Code::kUnauthenticated;
    case 403:
      return Code::kPermissionDenied;
    case 404:
      return Code::kNotFound;
    case 413:
    case 507:
    case 429:
      return Code::kResourceExhausted;
    case 502:
    case 503:
    case 504:
      return Code::kUnavailable;
    default:
      return Code::kUnknown;
  }
}

// An HTTP answer that is no success, for a person.
std::unexpected<Error> fail_status(const net::Response& response, std::string_view what) {
  constexpr std::size_t kShown = 300;
  std::string text = response.body.substr(0, kShown);
  while (text.ends_with('\n')) text.pop_back();
  if (text.empty() || !is_plain_utf8(text)) text = "HTTP status " + std::to_string(response.status);
  return fail(code_of_blob_status(response.status), std::string(what) + ": the hub answered " + text);
}

Result<void> check_blob(const v1::Blob& blob) {
  if (blob.sha256().size() == 32) return {};
  return fail(Code::kInvalidArgument, "a blob is named by a SHA-256 of 32 bytes");
}

v1::Blob make_blob(const std::string& sha256, std::uint64_t size) {
  v1::Blob blob;
  blob.set_sha256(sha256);
  blob.set_size(size);
  return blob;
}

std::unexpected<Error> fail_damaged(const v1::Blob& blob) {
  return fail(Code::kDataLoss, "the hub's blob " + to_hex(blob.sha256()) + " is damaged");
}

Result<void> check_sent(const Result<net::Response>& response) {
  if (!response) return fail(response, "sending a blob");
  if (response->status == 200 || response->status == 201) return {};
  return fail_status(*response, "sending a blob");
}

using BytesSink = std::function<Result<void>(std::string_view)>;

// A body on its way to the disk: gathered into large blocks, each written on a worker.
class Download {
 public:
  Download(net::Workers& workers, const v1::Blob& blob, BytesSink write, std::function<void(std::uint64_t)> on_bytes)
      : workers_(workers), blob_(blob), write_(std::move(write)), on_bytes_(std::move(on_bytes)) {}

  net::Async<Result<void>> take(std::string_view piece) {
    if (piece.size() > blob_.size() - received_) co_return fail_damaged(blob_);
    received_ += piece.size();
    buffer_.append(piece);
    if (on_bytes_) on_bytes_(piece.size());
    if (buffer_.size() < kBlockBytes) co_return Result<void>();
    co_return co_await flush();
  }

  // After the body's end.
  net::Async<Result<void>> finish() {
    if (received_ != blob_.size()) co_return fail_damaged(blob_);
    co_return co_await flush();
  }

 private:
  net::Async<Result<void>> flush() {
    Result<void> written = co_await workers_.run([this] { return write_(buffer_); });
    buffer_.clear();
    co_return written;
  }

  net::Workers& workers_;
  const v1::Blob& blob_;
  BytesSink write_;
  std::function<void(std::uint64_t)> on_bytes_;
  std::string buffer_;
  std::uint64_t received_ = 0;
};

// What the private steps of a Transfer share: its members by another name.
struct Link {
  net::Client& client;
  net::Workers& workers;
  const std::function<std::string()>& bearer;
};

// The bytes were not what the blob's name says: the hub is asked to examine it. It sets a damaged one aside, so that it
// is missing and the next upload mends it.
net::Async<Error> doubt(Link link, const v1::Blob& blob) {
  constexpr std::size_t kAnswerBytes = 4096;
  net::Headers doubting = headers(link.bearer());
  doubting.add("Hearth-Verify", "1");
  doubting.add("Range", "bytes=0-0");
  static_cast<void>(co_await link.client.request("GET", target(blob.sha256()), std::move(doubting), "", kAnswerBytes));
  co_return fail_damaged(blob).error();
}

net::Async<Result<void>> download(Link link, const v1::Blob& blob, BytesSink write,
                                  std::function<void(std::uint64_t)> on_bytes) {
  Download body(link.workers, blob, std::move(write), std::move(on_bytes));
  const Result<net::Response> response = co_await link.client.fetch(
      target(blob.sha256()), headers(link.bearer()), [&body](std::string_view piece) { return body.take(piece); });
  if (!response && response.error().code == Code::kDataLoss) co_return std::unexpected(co_await doubt(link, blob));
  if (!response) co_return fail(response, "fetching a blob");
  if (response->status != 200) co_return fail_status(*response, "fetching a blob");
  Result<void> finished = co_await body.finish();
  if (!finished && finished.error().code == Code::kDataLoss) co_return std::unexpected(co_await doubt(link, blob));
  co_return finished;
}

net::Async<Result<void>> fetch_one(Link link, BlobStore& store, const v1::Blob& blob,
                                   std::function<void(std::uint64_t)> on_bytes) {
  Result<Writer> writer = co_await link.workers.run([&] { return store.create(blob.size()); });
  if (!writer) co_return std::unexpected(writer.error());
  Result<void> received = co_await download(
      link, blob, [&writer](std::string_view bytes) { return writer->write(bytes); }, std::move(on_bytes));
  if (!received) co_return received;
  const Result<Digest> stored = co_await link.workers.run([&] { return writer->commit(&blob.sha256()); });
  if (!stored && stored.error().code == Code::kInvalidArgument) co_return std::unexpected(co_await doubt(link, blob));
  if (!stored) co_return std::unexpected(stored.error());
  co_return Result<void>();
}

net::Async<Result<std::set<std::string>>> ask_missing(Link link, const std::vector<std::string>& digests) {
  std::set<std::string> missing;
  for (std::size_t begin = 0; begin < digests.size(); begin += kMaxAskedAtOnce) {
    v1::MissingRequest request;
    const std::size_t end = std::min(begin + kMaxAskedAtOnce, digests.size());
    for (std::size_t i = begin; i < end; ++i) request.add_sha256(digests[i]);
    Result<v1::MissingReply> reply =
        co_await net::call<v1::MissingReply>(link.client, "hearth.v1.BlobService/Missing", link.bearer(), request);
    if (!reply) co_return fail(reply, "asking the hub what it lacks");
    missing.insert(reply->sha256().begin(), reply->sha256().end());
  }
  co_return missing;
}

net::Async<Result<void>> put_bytes(Link link, const std::string& sha256, std::string bytes) {
  co_return check_sent(co_await link.client.request("PUT", target(sha256), headers(link.bearer()), std::move(bytes)));
}

// Sends a file as it was hashed. One that has changed since is refused by us, or else by the hub.
net::Async<Result<void>> put_local_file(Link link, const fs::path& source, const HashedFile& hashed) {
  Result<void> sent;
  if (hashed.size <= kInMemoryBytes) {
    Result<std::string> bytes = co_await link.workers.run([&] { return read_unchanged(source, hashed); });
    if (!bytes) co_return std::unexpected(bytes.error());
    sent = co_await put_bytes(link, hashed.sha256, *std::move(bytes));
  } else {
    const Result<Fd> file = co_await link.workers.run([&] { return open_unchanged(source, hashed); });
    if (!file) co_return std::unexpected(file.error());
    sent = check_sent(
        co_await link.client.send_file(target(hashed.sha256), headers(link.bearer()), file->get(), hashed.size));
  }
  if (!sent && sent.error().code == Code::kDataLoss) co_return fail_changed(source);
  co_return sent;
}

// The state of one send_tree().
struct Sending {
  std::vector<LocalFile> files;
  std::vector<HashedFile> hashed;  // of the same index
  std::function<void(const Progress&)> on_progress;
  Progress progress;

  void done(std::uint64_t bytes, std::uint64_t count) {
    progress.bytes_done += bytes;
    progress.files_done += count;
    if (on_progress) on_progress(progress);
  }
};

net::Async<Result<void>> hash_all(Link link, Sending& sending) {
  sending.hashed.resize(sending.files.size());
  co_return co_await run_all(sending.files.size(), [&sending, link](std::size_t i) -> net::Async<Result<void>> {
    Result<HashedFile> hashed = co_await link.workers.run([&] { return hash_file(sending.files[i].source); });
    if (!hashed) co_return std::unexpected(hashed.error());
    sending.hashed[i] = *std::move(hashed);
    co_return Result<void>();
  });
}

v1::Tree make_tree(const Sending& sending) {
  v1::Tree tree;
  for (std::size_t i = 0; i < sending.files.size(); ++i) {
    v1::TreeFile& file = *tree.add_files();
    file.set_path(sending.files[i].tree_path);
    *file.mutable_blob() = make_blob(sending.hashed[i].sha256, sending.hashed[i].size);
    file.set_executable(sending.hashed[i].executable);
  }
  return tree;
}

// Sends those of the files that the hub lacks, each content once.
net::Async<Result<void>> send_missing(Link link, Sending& sending, const std::set<std::string>& missing) {
  std::map<std::string, std::size_t> wanted;  // content to one of its files
  for (std::size_t i = 0; i < sending.files.size(); ++i) {
    const HashedFile& hashed = sending.hashed[i];
    const bool skip = !missing.contains(hashed.sha256) || !wanted.try_emplace(hashed.sha256, i).second;
    if (skip) sending.done(hashed.size, 1);
  }
  std::vector<std::size_t> order;
  for (const auto& [digest, index] : wanted) order.push_back(index);
  std::ranges::sort(order);
  co_return co_await run_all(order.size(), [&](std::size_t i) -> net::Async<Result<void>> {
    const std::size_t index = order[i];
    Result<void> sent = co_await put_local_file(link, sending.files[index].source, sending.hashed[index]);
    if (sent) sending.done(sending.hashed[index].size, 1);
    co_return sent;
  });
}

}  // namespace

Transfer::Transfer(net::Client& client, net::Workers& workers, std::function<std::string()> bearer)
    : client_(client), workers_(workers), bearer_(std::move(bearer)) {}

net::Async<Result<v1::Blob>> Transfer::send_tree(std::vector<LocalFile> files,
                                                 std::function<void(const Progress&)> on_progress) {
  const Link link{client_, workers_, bearer_};
  Sending sending{.files = std::move(files), .hashed = {}, .on_progress = std::move(on_progress), .progress = {}};
  std::ranges::sort(sending.files, {}, &LocalFile::tree_path);
  if (Result<void> hashed = co_await hash_all(link, sending); !hashed) co_return std::unexpected(hashed.error());
  const v1::Tree tree = make_tree(sending);
  if (Result<void> checked = check_tree(tree); !checked) co_return std::unexpected(checked.error());
  std::string list = tree.SerializeAsString();
  const v1::Blob blob = make_blob(net::sha256(list), list.size());

  std::set<std::string> unique = {blob.sha256()};
  for (const HashedFile& file : sending.hashed) {
    unique.insert(file.sha256);
    sending.progress.bytes_total += file.size;
  }
  sending.progress.files_total = sending.files.size();
  const Result<std::set<std::string>> missing =
      co_await ask_missing(link, std::vector<std::string>(unique.begin(), unique.end()));
  if (!missing) co_return std::unexpected(missing.error());
  if (Result<void> sent = co_await send_missing(link, sending, *missing); !sent)
    co_return std::unexpected(sent.error());
  // Last, so that a tree on the hub has its files there.
  if (missing->contains(blob.sha256())) {
    Result<void> sent = co_await put_bytes(link, blob.sha256(), std::move(list));
    if (!sent) co_return std::unexpected(sent.error());
  }
  co_return blob;
}

net::Async<Result<v1::Blob>> Transfer::send_bytes(std::string bytes) {
  const v1::Blob blob = make_blob(net::sha256(bytes), bytes.size());
  Result<void> sent = co_await put_bytes({client_, workers_, bearer_}, blob.sha256(), std::move(bytes));
  if (!sent) co_return std::unexpected(sent.error());
  co_return blob;
}

net::Async<Result<v1::Blob>> Transfer::send_file(int file, std::uint64_t size, std::string sha256) {
  const v1::Blob blob = make_blob(sha256, size);
  if (Result<void> named = check_blob(blob); !named) co_return std::unexpected(named.error());
  const Result<std::set<std::string>> missing =
      co_await ask_missing({client_, workers_, bearer_}, std::vector<std::string>{sha256});
  if (!missing) co_return std::unexpected(missing.error());
  if (!missing->contains(sha256)) co_return blob;
  Result<void> sent = check_sent(co_await client_.send_file(target(sha256), headers(bearer_()), file, size));
  if (!sent) co_return std::unexpected(sent.error());
  co_return blob;
}

net::Async<Result<std::string>> Transfer::fetch_bytes(v1::Blob blob, std::uint64_t limit) {
  if (Result<void> named = check_blob(blob); !named) co_return std::unexpected(named.error());
  if (blob.size() > limit) {
    co_return fail(Code::kResourceExhausted, "the blob " + to_hex(blob.sha256()) + " has " + format_bytes(blob.size()) +
                                                 ", more than the " + format_bytes(limit) + " that are taken here");
  }
  const Link link{client_, workers_, bearer_};
  // An error's text may be longer than a small blob.
  constexpr std::uint64_t kErrorBytes = 4096;
  Result<net::Response> response =
      co_await client_.request("GET", target(blob.sha256()), headers(bearer_()), "",
                               static_cast<std::size_t>(std::max(blob.size(), kErrorBytes)));
  if (!response) {
    // Longer than it may be.
    if (response.error().code == Code::kResourceExhausted) co_return std::unexpected(co_await doubt(link, blob));
    co_return fail(response, "fetching a blob");
  }
  if (response->status != 200) co_return fail_status(*response, "fetching a blob");
  const std::string& bytes = response->body;
  if (bytes.size() != blob.size()) co_return std::unexpected(co_await doubt(link, blob));
  std::string digest;
  if (bytes.size() <= kHashedOnLoopBytes) {
    digest = net::sha256(bytes);
  } else {
    digest = co_await workers_.run([&bytes] { return net::sha256(bytes); });
  }
  if (digest != blob.sha256()) co_return std::unexpected(co_await doubt(link, blob));
  co_return std::move(response->body);
}

net::Async<Result<v1::Tree>> Transfer::fetch_tree(v1::Blob blob) {
  Result<std::string> bytes = co_await fetch_bytes(blob, kMaxTreeBytes);
  if (!bytes) co_return std::unexpected(bytes.error());
  v1::Tree tree;
  if (!tree.ParseFromString(*bytes)) {
    co_return fail(Code::kDataLoss, "the blob " + to_hex(blob.sha256()) + " is no tree of files");
  }
  if (Result<void> checked = check_tree(tree); !checked) co_return fail(Code::kDataLoss, checked.error().message);
  co_return tree;
}

net::Async<Result<void>> Transfer::fetch_into(BlobStore& store, std::vector<v1::Blob> blobs,
                                              std::function<void(const Progress&)> on_progress) {
  Progress progress;
  std::vector<v1::Blob> lacking;
  std::set<std::string> seen;
  for (const v1::Blob& blob : blobs) {
    if (Result<void> named = check_blob(blob); !named) co_return named;
    if (!seen.insert(blob.sha256()).second || store.has(blob.sha256())) continue;
    progress.bytes_total += blob.size();
    lacking.push_back(blob);
  }
  progress.files_total = lacking.size();
  const Link link{client_, workers_, bearer_};
  co_return co_await run_all(lacking.size(), [&](std::size_t i) -> net::Async<Result<void>> {
    Result<void> fetched = co_await fetch_one(link, store, lacking[i], [&](std::uint64_t count) {
      progress.bytes_done += count;
      if (on_progress) on_progress(progress);
    });
    if (!fetched) co_return fetched;
    ++progress.files_done;
    if (on_progress) on_progress(progress);
    co_return Result<void>();
  });
}

net::Async<Result<v1::SwarmLayout>> Transfer::fetch_swarm_layout(v1::Blob blob) {
  constexpr std::size_t kMaxLayoutBytes = 1 << 20;
  const std::string from = target(blob.sha256()) + "?swarm=1";
  const Result<net::Response> response = co_await client_.request("GET", from, headers(bearer_()), "", kMaxLayoutBytes);
  if (!response) co_return fail(response, "fetching a swarm's pieces");
  if (response->status != 200) co_return fail_status(*response, "fetching a swarm's pieces");
  v1::SwarmLayout layout;
  if (!layout.ParseFromString(response->body)) co_return fail(Code::kDataLoss, "the hub's answer is no SwarmLayout");
  if (Result<void> checked = swarm::check_layout(layout); !checked) co_return std::unexpected(checked.error());
  co_return layout;
}

net::Async<Result<std::string>> Transfer::fetch_part(v1::Blob blob, std::uint64_t offset, std::uint64_t count) {
  net::Headers fields = headers(bearer_());
  fields.add("Range", "bytes=" + std::to_string(offset) + "-" + std::to_string(offset + count - 1));
  constexpr std::uint64_t kErrorBytes = 4096;
  Result<net::Response> response = co_await client_.request("GET", target(blob.sha256()), std::move(fields), "",
                                                            static_cast<std::size_t>(std::max(count, kErrorBytes)));
  if (!response) co_return fail(response, "fetching a part of a blob");
  if (response->status != 206) co_return fail_status(*response, "fetching a part of a blob");
  if (response->body.size() != count) co_return fail_damaged(blob);
  co_return std::move(response->body);
}

net::Async<Result<void>> Transfer::fetch_file(v1::Blob blob, fs::path destination, bool executable,
                                              std::function<void(std::uint64_t)> on_bytes) {
  if (Result<void> named = check_blob(blob); !named) co_return named;
  Result<NewFile> file = co_await workers_.run([&] { return NewFile::create(destination, executable); });
  if (!file) co_return std::unexpected(file.error());
  net::Sha256 hash;
  const BytesSink write = [&](std::string_view bytes) {
    hash.update(bytes);
    return file->write(bytes);
  };
  Result<void> received = co_await download({client_, workers_, bearer_}, blob, write, std::move(on_bytes));
  if (!received) co_return received;
  if (hash.finish() != blob.sha256()) {
    co_return std::unexpected(co_await doubt({client_, workers_, bearer_}, blob));
  }
  co_return co_await workers_.run([&] { return file->commit(); });
}

}  // namespace hearth::blob
