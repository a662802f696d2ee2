#include "hub/copy_caller.h"

#include <algorithm>
#include <utility>

#include <fmt/format.h>

#include "base/bytes.h"
#include "hub/addresses.h"
#include "net/percent.h"

namespace hearth::hub {
namespace {

// A holder that died without a word is noticed by its silence (PairStore), and closed.
constexpr net::ClientOptions kClient{.max_connections = 2, .connect_limit = seconds(3), .stall_limit = minutes(5)};
constexpr std::size_t kMaxLooked = 4'000'000;  // folders
constexpr std::size_t kMaxGiven = 64 << 10;
constexpr Duration kLongestPause = seconds(1);

Error refusal(const net::Response& response) {
  const std::string said = response.body.substr(0, 300);
  const Code code = response.status == 412 || response.status == 404 ? Code::kAborted : Code::kUnavailable;
  return {code, fmt::format("the hub that holds the pool answers {}: {}", response.status,
                            is_plain_utf8(said) ? said : std::string("?"))};
}

}  // namespace

void CopyCaller::ask(const store::HubRow& holder) {
  const bool is_same =
      holder.identity == holder_.identity && holder.endpoints == holder_.endpoints && holder.secret == holder_.secret;
  if (is_same) return;
  close();
  holder_ = holder;
}

void CopyCaller::close() {
  if (client_) client_->close();
  client_.reset();
}

void CopyCaller::end() {
  is_over_ = true;
  close();
}

net::Headers CopyCaller::headers() const {
  net::Headers headers;
  headers.add("Authorization", "Bearer " + to_hex(drive::copy_password(holder_.secret, self_.secret)));
  return headers;
}

Result<net::Client*> CopyCaller::connect() {
  if (is_over_) return fail(Code::kCanceled, "this hub stands by no more");
  if (client_) return client_.get();
  const std::vector<net::Endpoint> endpoints = endpoints_in(holder_.endpoints);
  if (endpoints.empty()) return fail(Code::kUnavailable, "the hub that holds the pool does not say where it listens");
  client_ = net::Client::make(loop_, endpoints[turn_++ % endpoints.size()],
                              {.identity_key = holder_.identity, .identity_fingerprint = ""}, workers_, kClient);
  return client_.get();
}

net::Async<void> CopyCaller::pace(std::size_t bytes) {
  if (rate_ == 0) co_return;
  const Time now = loop_.now();
  due_ = std::max(due_, now - kLongestPause) +
         Duration{static_cast<std::int64_t>(static_cast<double>(bytes) * 1e6 / static_cast<double>(rate_))};
  if (due_ > now) co_await net::sleep_for(due_ - now);
}

net::Async<Result<void>> CopyCaller::post(std::string what, std::string body, TakeFrame take) {
  const Result<net::Client*> client = connect();
  if (!client) co_return std::unexpected(client.error());
  const std::shared_ptr<net::Client> kept = client_;
  sync::Frames frames;
  const Result<net::Response> reply =
      co_await kept->stream("POST", std::string(drive::kCopyPrefix) + what, headers(), std::move(body),
                            [&](std::string_view bytes) -> net::Async<Result<void>> {
                              co_await pace(bytes.size());
                              frames.add(bytes);
                              for (;;) {
                                const Result<std::optional<std::string>> frame = frames.next();
                                if (!frame) co_return std::unexpected(frame.error());
                                if (!*frame) co_return Result<void>();
                                if (Result<void> taken = take(**frame); !taken) co_return taken;
                              }
                            });
  if (!reply && client_ == kept) close();
  if (!reply) co_return std::unexpected(reply.error());
  if (reply->status / 100 != 2) co_return std::unexpected(refusal(*reply));
  co_return frames.is_empty() ? Result<void>() : fail(Code::kUnavailable, "the answer ends within a word");
}

net::Async<Result<CopyCaller::Look>> CopyCaller::look(v1::DriveCopyState state, std::uint64_t changes) {
  v1::DriveLook asked;
  *asked.mutable_state() = std::move(state);
  asked.set_changes(changes);
  Look look;
  bool has_head = false;
  bool has_end = false;
  const Result<void> done =
      co_await post("look", asked.SerializeAsString(), [&](const std::string& frame) -> Result<void> {
        v1::DriveLooked looked;
        if (!looked.ParseFromString(frame) || has_end) return fail(Code::kInvalidArgument, "no DriveLooked");
        if (!std::exchange(has_head, true)) {
          look.head = std::move(looked);
          look.begun = loop_.now();
          return {};
        }
        has_end = looked.end();
        if (has_end) look.trouble = looked.trouble();
        if (has_end) return {};
        if (Result<void> path = drive::check_copy_path(looked.folder()); !path) return path;
        if (look.folders.size() >= kMaxLooked) return fail(Code::kResourceExhausted, "a drive of too many folders");
        look.folders.push_back({.folder = looked.folder(), .digest = looked.digest()});
        return {};
      });
  if (!done) co_return std::unexpected(done.error());
  if (!has_head || !(has_end || look.head.same()))
    co_return fail(Code::kUnavailable, "the look at the drive has no end");
  co_return look;
}

net::Async<void> CopyCaller::tell(v1::DriveCopyState state) {
  (void)co_await post("state", state.SerializeAsString(), [](const std::string&) { return Result<void>(); });
}

net::Async<Result<std::vector<CopyCaller::List>>> CopyCaller::lists(const std::vector<std::string>& folders) {
  v1::DriveWantedLists wanted;
  for (const std::string& folder : folders) wanted.add_folders(folder);
  std::vector<List> lists;
  bool goes_on = false;
  const Result<void> done =
      co_await post("lists", wanted.SerializeAsString(), [&](const std::string& frame) -> Result<void> {
        v1::DriveList list;
        if (!list.ParseFromString(frame)) return fail(Code::kInvalidArgument, "no DriveList");
        if (!goes_on) lists.push_back({.folder = list.folder(), .entries = {}, .is_absent = list.absent()});
        goes_on = list.more();
        for (const v1::DriveCopyEntry& message : list.entries()) {
          Result<drive::CopyEntry> entry = drive::entry_of(message);
          if (!entry) return std::unexpected(entry.error());
          if (lists.back().entries.size() >= drive::kMaxEntriesOfFolder ||
              !drive::is_copied(list.folder(), entry->name)) {
            return fail(Code::kInvalidArgument, "a list that is none of a drive's");
          }
          lists.back().entries.push_back(*std::move(entry));
        }
        return {};
      });
  if (!done) co_return std::unexpected(done.error());
  const bool fits =
      lists.size() == folders.size() && !goes_on && std::ranges::equal(lists, folders, {}, &List::folder) &&
      std::ranges::all_of(
          lists, [](const List& list) { return std::ranges::is_sorted(list.entries, {}, &drive::CopyEntry::name); });
  if (!fits) co_return fail(Code::kInvalidArgument, "other lists than were asked for");
  co_return lists;
}

net::Async<Result<std::vector<sync::Given>>> CopyCaller::read(const std::vector<sync::Wanted>& wanted) {
  std::string body;
  for (const sync::Wanted& one : wanted) sync::append_frame(body, sync::encode(one));
  std::vector<sync::Given> all;
  const Result<void> done = co_await post("read", std::move(body), [&](const std::string& frame) -> Result<void> {
    Result<sync::Given> given = sync::decode_given(frame);
    if (!given) return std::unexpected(given.error());
    all.push_back(*std::move(given));
    return {};
  });
  if (!done) co_return std::unexpected(done.error());
  if (all.size() != wanted.size()) co_return fail(Code::kUnavailable, "fewer files than were asked for");
  co_return all;
}

net::Async<Result<std::string>> CopyCaller::hash(const sync::Wanted& wanted) {
  const Result<net::Client*> client = connect();
  if (!client) co_return std::unexpected(client.error());
  const std::shared_ptr<net::Client> kept = client_;
  std::string body;
  const Result<net::Response> reply = co_await kept->stream(
      "POST", std::string(drive::kCopyPrefix) + "hash", headers(), sync::encode(wanted),
      [&](std::string_view bytes) -> net::Async<Result<void>> {
        body += bytes;
        co_return body.size() <= kMaxGiven ? Result<void>() : fail(Code::kInvalidArgument, "no hash");
      });
  if (!reply && client_ == kept) close();
  if (!reply) co_return std::unexpected(reply.error());
  if (reply->status != 200) co_return std::unexpected(refusal(*reply));
  const Result<sync::Given> given = sync::decode_given(body);
  if (!given) co_return std::unexpected(given.error());
  if (!given->message.empty()) co_return fail(Code::kAborted, given->message);
  co_return given->content;
}

net::Async<Result<void>> CopyCaller::fetch(const sync::Wanted& wanted, std::uint64_t offset,
                                           std::function<net::Async<Result<void>>(std::string_view)> sink) {
  const Result<net::Client*> client = connect();
  if (!client) co_return std::unexpected(client.error());
  const std::shared_ptr<net::Client> kept = client_;
  net::Headers asked = headers();
  asked.add("If-Match", wanted.etag);
  const Result<net::Response> reply = co_await kept->fetch(
      fmt::format("{}file?path={}&offset={}", drive::kCopyPrefix, net::percent_encoded(wanted.path), offset),
      std::move(asked), [&](std::string_view bytes) -> net::Async<Result<void>> {
        co_await pace(bytes.size());
        co_return co_await sink(bytes);
      });
  if (!reply && client_ == kept) close();
  if (!reply) co_return std::unexpected(reply.error());
  if (reply->status != 200) co_return std::unexpected(refusal(*reply));
  co_return Result<void>();
}

}  // namespace hearth::hub
