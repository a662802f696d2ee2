// Blobs over plain HTTPS, and BlobService: which of them are missing.
#include <algorithm>
#include <array>

#include <fmt/format.h>

#include "base/bytes.h"
#include "hearth/v1/blobs.pb.h"
#include "hub/blob_receive.h"
#include "hub/parts.h"
#include "hub/replicas.h"

namespace hearth::hub {
namespace {

constexpr int kMaxAsked = 100'000;
constexpr std::size_t kAskedAtOnce = 500;
// Up to this size a blob is read whole and verified before it is sent.
constexpr std::uint64_t kVerifiedBytes = 256 << 10;

// What a page may show in place. Anything that a browser would run is not among them: it is offered as a download.
constexpr std::array<std::string_view, 14> kPassiveTypes = {
    "image/png",  "image/jpeg", "image/gif", "image/webp", "image/avif", "image/bmp",  "video/mp4",
    "video/webm", "audio/mpeg", "audio/ogg", "audio/wav",  "audio/mp4",  "text/plain", "audio/flac"};

}  // namespace

unsigned blob_status(Code code) {
  switch (code) {
    case Code::kInvalidArgument:
      return 400;
    case Code::kNotFound:
      return 404;
    case Code::kDataLoss:
      return 404;
    case Code::kResourceExhausted:
      return 507;
    case Code::kDeadlineExceeded:
      return 408;
    default:
      return 500;
  }
}

namespace {

net::Async<void> refuse(net::Exchange& exchange, const Error& error) {
  co_await exchange.reply(net::text_response(blob_status(error.code), error.message));
}

std::string quoted_name(std::string name) {
  std::erase_if(name,
                [](char c) { return static_cast<unsigned char>(c) < 0x20 || c == '"' || c == '\\' || c == 0x7F; });
  return name.substr(0, 200);
}

net::Headers content_headers(const net::RequestHead& head, const std::string& digest) {
  net::Headers headers;
  const std::string as = net::query_value(head.query, "as").value_or("");
  const bool passive = std::ranges::find(kPassiveTypes, as) != kPassiveTypes.end();
  headers.add("Content-Type", !passive             ? "application/octet-stream"
                              : as == "text/plain" ? "text/plain; charset=utf-8"
                                                   : as);
  const std::optional<std::string> name = net::query_value(head.query, "name");
  if (name || !passive) {
    headers.add("Content-Disposition",
                fmt::format("attachment; filename=\"{}\"", quoted_name(name.value_or(to_hex(digest)))));
  }
  headers.add("X-Content-Type-Options", "nosniff");
  headers.add("Content-Security-Policy", "sandbox; default-src 'none'");
  headers.add("Cache-Control", "private, max-age=31536000, immutable");
  headers.add("Accept-Ranges", "bytes");
  headers.add("ETag", fmt::format("\"{}\"", to_hex(digest)));
  return headers;
}

// Up to this size that is done on the loop if no disk is needed: a worker's help would cost more than the work.
constexpr std::uint64_t kLoopBytes = 64 << 10;

// A blob as it was found: a small one's whole content, verified, or an open file.
struct Found {
  std::string content;
  std::optional<blob::Reader> file;
  std::uint64_t size() const { return file ? file->size() : content.size(); }
};

// Blocks. `doubted`: a client received other bytes than the digest says and asks for the blob to be examined.
Result<Found> find(blob::BlobStore& blobs, const std::string& digest, bool doubted) {
  Result<blob::Reader> reader = blobs.read(digest);
  if (!reader) return std::unexpected(reader.error());
  if (reader->size() <= kVerifiedBytes) {
    Result<std::string> content = blobs.load(digest, *reader);
    if (!content) return std::unexpected(content.error());
    return Found{std::move(*content), std::nullopt};
  }
  if (doubted) {
    if (Result<void> verified = blobs.verify(digest); !verified) return std::unexpected(verified.error());
  }
  return Found{{}, std::move(*reader)};
}

net::Async<Result<Found>> find_soon(Parts& parts, const std::string& digest, bool doubted) {
  std::optional<std::string> cached = parts.blobs.load_cached(digest, kLoopBytes);
  if (cached) co_return Found{std::move(*cached), std::nullopt};
  co_return co_await parts.workers.run([&] { return find(parts.blobs, digest, doubted); });
}

net::Async<void> send(net::Exchange& exchange, Parts& parts, Found found, net::ByteRange part, unsigned status,
                      net::Headers headers) {
  if (!found.file && exchange.head().method != "HEAD") {
    parts.metrics->blob_sent(part.count);
    if (part.count != found.content.size()) found.content = found.content.substr(part.first, part.count);
    co_await exchange.reply({status, std::move(headers), std::move(found.content)});
    co_return;
  }
  if (!co_await exchange.start(status, std::move(headers), part.count)) co_return;
  if (exchange.head().method != "HEAD") {
    if (!co_await exchange.write_file(found.file->file(), part.first, part.count, parts.workers)) co_return;
    parts.metrics->blob_sent(part.count);
  }
  co_await exchange.finish();
}

// Whether the device may know that the blob is here.
net::Async<Result<bool>> may_find(Parts& parts, DeviceId device, const std::string& digest) {
  Result<bool> may = co_await parts.access.may_fetch(device, digest);
  if (!may) co_return may;
  if (!*may || !parts.blobs.has(digest)) co_return false;
  parts.access.keep(device, digest);
  co_return true;
}

net::Async<void> reply_layout(net::Exchange& exchange, Parts& parts, const std::string& digest) {
  Result<v1::SwarmLayout> layout = co_await parts.swarms->layout(digest);
  if (!layout) co_return co_await refuse(exchange, layout.error());
  net::Response response;
  response.body = layout->SerializeAsString();
  response.headers.add("Content-Type", "application/octet-stream");
  response.headers.add("Cache-Control", "no-store");
  co_await exchange.reply(std::move(response));
}

net::Async<void> get(net::Exchange& exchange, Parts& parts, DeviceId device, const std::string& digest) {
  Result<bool> may = co_await parts.access.may_fetch(device, digest);
  if (may && !*may) may = fail(Code::kNotFound, "no blob " + to_hex(digest) + " is stored here");
  if (!may) co_return co_await refuse(exchange, may.error());
  const net::RequestHead& head = exchange.head();
  if (net::query_value(head.query, "swarm")) co_return co_await reply_layout(exchange, parts, digest);
  Result<Found> found = co_await find_soon(parts, digest, head.headers.has("hearth-verify"));
  if (!found) co_return co_await refuse(exchange, found.error());
  net::Headers headers = content_headers(head, digest);
  bool unsatisfiable = false;
  const auto range = net::parse_range(head.headers.get("range"), found->size(), unsatisfiable);
  if (unsatisfiable) {
    net::Response response = net::text_response(416, fmt::format("the blob has {} bytes", found->size()));
    response.headers.add("Content-Range", fmt::format("bytes */{}", found->size()));
    co_await exchange.reply(std::move(response));
    co_return;
  }
  const net::ByteRange part = range.value_or(net::ByteRange{0, found->size()});
  if (range) {
    headers.add("Content-Range", fmt::format("bytes {}-{}/{}", part.first, part.first + part.count - 1, found->size()));
  }
  co_await send(exchange, parts, std::move(*found), part, range ? 206 : 200, std::move(headers));
}

net::Async<void> put(net::Exchange& exchange, Parts& parts, DeviceId device, const std::string& digest) {
  Result<bool> here = co_await may_find(parts, device, digest);
  if (!here) co_return co_await refuse(exchange, here.error());
  if (*here) co_return (void) co_await exchange.reply(net::text_response(200, "was there"));
  Result<void> stored = co_await receive_blob(exchange, parts.blobs, parts.workers, digest);
  if (!stored) co_return co_await refuse(exchange, stored.error());
  parts.access.sent(device, digest);
  // Not told before the hubs that stand by have it too.
  if (parts.replicas != nullptr) co_await parts.replicas->hand_over(digest);
  co_await exchange.reply(net::text_response(201, "stored"));
}

}  // namespace

net::Async<void> serve_blob(net::Exchange& exchange, Parts& parts, const net::Caller& caller) {
  const net::RequestHead& head = exchange.head();
  const std::optional<std::string> digest =
      from_hex(std::string_view(head.path).substr(std::string_view("/blob/").size()));
  if (!digest || digest->size() != 32) {
    co_await exchange.reply(net::text_response(400, "a blob is named by the 64 hexadecimal digits of its SHA-256"));
    co_return;
  }
  const Entered entered(parts.sessions, caller.device, exchange.connection());
  if (head.method == "GET" || head.method == "HEAD") {
    co_await get(exchange, parts, caller.device, *digest);
  } else if (head.method == "PUT") {
    co_await put(exchange, parts, caller.device, *digest);
  } else {
    co_await exchange.reply(net::text_response(405, "a blob can be put and got"));
  }
}

void add_blob_methods(net::Dispatcher& dispatcher, Parts& parts) {
  dispatcher.unary<v1::MissingRequest, v1::MissingReply>(
      "hearth.v1.BlobService.Missing",
      [&parts](const v1::MissingRequest& request, net::Caller& caller) -> net::Async<Result<v1::MissingReply>> {
        if (request.sha256_size() > kMaxAsked)
          co_return fail(Code::kInvalidArgument, "sha256: at most 100,000 at once");
        v1::MissingReply reply;
        // Each takes a look at what the device has: not so many that others wait for it.
        const bool is_narrowed = !parts.devices.visible_to(caller.device).is_whole();
        std::size_t asked = 0;
        for (const std::string& digest : request.sha256()) {
          if (digest.size() != 32) co_return fail(Code::kInvalidArgument, "sha256: 32 bytes each");
          Result<bool> here = co_await may_find(parts, caller.device, digest);
          if (!here) co_return std::unexpected(here.error());
          if (!*here) reply.add_sha256(digest);
          if (is_narrowed && ++asked % kAskedAtOnce == 0) co_await net::sleep_for(milliseconds(1));
        }
        co_return reply;
      });
}

}  // namespace hearth::hub
