#include "drive/thumbnails.h"

#include <charconv>
#include <utility>

#include <fmt/format.h>

#include "drive/replies.h"

namespace hearth::drive {
namespace {

constexpr Duration kGoneLook = milliseconds(500);
constexpr Duration kRestAfter = minutes(1);

std::optional<std::uint32_t> size_of(const net::RequestHead& head) {
  const std::string size = net::query_value(head.query, "size").value_or(std::to_string(Thumbnails::kSmall));
  if (size == std::to_string(Thumbnails::kSmall)) return Thumbnails::kSmall;
  if (size == std::to_string(Thumbnails::kLarge)) return Thumbnails::kLarge;
  return std::nullopt;
}

net::Headers headers_of(const net::RequestHead& head, const Entry& entry, std::uint32_t size) {
  net::Headers headers;
  const bool is_named = net::query_value(head.query, "v") == entry.etag;
  headers.add("Cache-Control", is_named ? "private, max-age=31536000, immutable" : "private, no-cache");
  headers.add("ETag", fmt::format("\"{}\"", ThumbnailStore::name_of(entry.etag, size)));
  headers.add("X-Content-Type-Options", "nosniff");
  headers.add("Content-Security-Policy", "sandbox; default-src 'none'");
  return headers;
}

pictures::Order order_for(MediaKind kind, std::uint32_t size) {
  return {.size = size, .is_film = kind == MediaKind::kVideo ? 1U : 0U};
}

// Out of what was answered, or kept.
Result<std::string> small_of(std::string_view answer) {
  Result<pictures::Picture> seen = pictures::parse_answer(answer);
  if (!seen) return std::unexpected(seen.error());
  if (seen->small.empty()) return fail(Code::kDataLoss, "no small picture came");
  return std::move(seen->small);
}

}  // namespace

Thumbnails::Thumbnails(net::Loop& loop, Drive& drive, PictureHelpers helpers)
    : loop_(loop), drive_(drive), reader_(std::move(helpers)) {}

net::Async<void> Thumbnails::serve(net::Exchange& exchange, Scope scope) {
  const net::RequestHead& head = exchange.head();
  if (head.method != "GET" && head.method != "HEAD") co_return co_await refuse(exchange, 405, "GET, or HEAD");
  if (Result<void> allowed = scope.allow({.see = true, .download = true}); !allowed) {
    co_return co_await refuse(exchange, allowed.error());
  }
  const Result<Path> path = scope.inside(std::string_view(head.path).substr(scope.thumbs.size()));
  if (!path) co_return co_await refuse(exchange, scope.told(path.error()));
  const std::optional<std::uint32_t> size = size_of(head);
  if (!size) co_return co_await refuse(exchange, 400, fmt::format("size: {} or {}", kSmall, kLarge));
  const Result<Folder*> folder = co_await drive_.open();
  if (!folder) co_return co_await refuse(exchange, folder.error());
  Result<std::pair<Fd, Entry>> file = co_await drive_.workers().run([&] { return (*folder)->read(*path); });
  if (!file && file.error().code == Code::kFailedPrecondition) {
    co_return co_await refuse(exchange, 404, "a folder has no small picture");
  }
  if (!file) co_return co_await refuse(exchange, scope.told(file.error()));
  const Entry& entry = file->second;
  net::Headers headers = headers_of(head, entry, *size);
  if (const std::string_view known = head.headers.get("if-none-match");
      !known.empty() && names_etag(known, headers.get("etag"))) {
    co_return (void) co_await exchange.reply({.status = 304, .headers = std::move(headers), .body = {}});
  }
  Result<std::string> small = co_await get(entry, std::move(file->first), *size, exchange);
  if (small) {
    headers.add("Content-Type", "image/jpeg");
    co_return (void) co_await exchange.reply({.status = 200, .headers = std::move(headers), .body = *std::move(small)});
  }
  if (small.error().code == Code::kUnavailable || small.error().code == Code::kResourceExhausted) {
    co_return co_await refuse(exchange, 503, small.error().message);
  }
  co_await refuse(exchange, 404, "no small picture: " + small.error().message);
}

net::Async<Result<std::string>> Thumbnails::get(const Entry& entry, Fd file, std::uint32_t size,
                                                net::Exchange& exchange) {
  const MediaKind kind = media_kind(entry.name);
  if (kind == MediaKind::kNone) {
    co_return fail(Code::kNotFound, "it is not called like a picture or film that can be read here");
  }
  if (kind == MediaKind::kPicture && entry.bytes > kMaxPictureBytes) {
    co_return fail(Code::kNotFound, "the file is larger than 512 MiB");
  }
  const std::string name = ThumbnailStore::name_of(entry.etag, size);
  const Result<Folder*> folder = co_await drive_.open();
  if (!folder) co_return std::unexpected(folder.error());
  if (!is_open_) {
    const Result<void> opened = co_await worker_.run([&] { return store_.open(**folder); });
    if (!opened) co_return std::unexpected(opened.error());
    is_open_ = true;
  }
  const auto kept = co_await drive_.workers().run([&] { return store_.find(name); });
  if (kept) {
    Result<std::string> small = small_of(*kept);
    if (small || small.error().code == Code::kFailedPrecondition) co_return small;
  }
  if (const auto found = jobs_.find(name); found != jobs_.end()) co_return co_await wait_for(found->second, exchange);
  if (jobs_.size() >= kMaxWaiting) {
    co_return fail(Code::kResourceExhausted, fmt::format("{} small pictures are waited for: try again", kMaxWaiting));
  }
  const Shared job = std::make_shared<Job>();
  job->name = name;
  job->file = std::move(file);
  job->order = order_for(kind, size);
  jobs_.emplace(name, job);
  queue_.push_front(job);
  if (!std::exchange(is_working_, true)) loop_.spawn(work());
  co_return co_await wait_for(job, exchange);
}

// Whoever goes away is not waited for: what nobody waits for is not made.
net::Async<Result<std::string>> Thumbnails::wait_for(Shared job, net::Exchange& exchange) {
  ++job->waiting;
  while (!job->made && !exchange.gone()) (void)co_await job->ended.wait(kGoneLook);
  --job->waiting;
  if (job->made) co_return *job->made;
  co_return fail(Code::kCanceled, "nobody waits for it");
}

net::Async<void> Thumbnails::work() {
  while (!queue_.empty()) {
    const Shared job = queue_.front();
    queue_.pop_front();
    if (job->waiting > 0) {
      job->made = co_await worker_.run([&] { return make(*job); });
    } else {
      job->made = fail(Code::kCanceled, "nobody waits for it");
    }
    jobs_.erase(job->name);
    job->ended.notify();
  }
  is_working_ = false;
  last_used_ = loop_.now();
  if (!std::exchange(is_resting_later_, true)) loop_.spawn(rest_later());
}

// The helper's memory is given back when nobody looks at pictures.
net::Async<void> Thumbnails::rest_later() {
  do {
    co_await net::sleep_for(kRestAfter);
  } while (is_working_ || loop_.now() - last_used_ < kRestAfter);
  co_await worker_.run([this] { reader_.rest(); });
  is_resting_later_ = false;
}

// On the worker.
Result<std::string> Thumbnails::make(const Job& job) {
  const Result<pictures::Picture> seen = reader_.look(job.file.get(), job.order);
  if (!seen && seen.error().code != Code::kFailedPrecondition) return std::unexpected(seen.error());
  const std::string answer = seen ? pictures::answer_of(*seen) : pictures::answer_without(seen.error().message);
  store_.set_limit(limit_);
  (void)store_.keep(job.name, answer);  // else it is made again
  return small_of(answer);
}

net::Async<Result<pictures::Picture>> Thumbnails::look(const Fd& file, MediaKind kind) {
  while (is_working_) co_await net::sleep_for(milliseconds(50));
  last_used_ = loop_.now();
  if (!std::exchange(is_resting_later_, true)) loop_.spawn(rest_later());
  co_return co_await worker_.run([&] { return reader_.look(file.get(), order_for(kind, 0)); });
}

}  // namespace hearth::drive
