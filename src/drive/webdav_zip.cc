// A folder as one download: GET /dav/FOLDER?zip, or POST with a form that names some of what it holds.
#include <algorithm>

#include <fmt/format.h>

#include "base/log.h"
#include "drive/multistatus.h"
#include "drive/replies.h"
#include "drive/webdav.h"
#include "drive/zip_stream.h"
#include "net/percent.h"

namespace hearth::drive {
namespace {

constexpr std::size_t kMaxFormBytes = 256 << 10;
constexpr std::size_t kMaxNames = 1'000;

// The fields `name` of an application/x-www-form-urlencoded body. Errors: kInvalidArgument.
Result<std::vector<std::string>> names_of_form(std::string_view form) {
  std::vector<std::string> names;
  while (!form.empty()) {
    const std::size_t end = std::min(form.find('&'), form.size());
    std::string field(form.substr(0, end));
    form.remove_prefix(std::min(end + 1, form.size()));
    if (!field.starts_with("name=")) return fail(Code::kInvalidArgument, "a form with other fields than \"name\"");
    std::ranges::replace(field, '+', ' ');
    std::optional<std::string> name = net::percent_decoded(std::string_view(field).substr(5));
    if (!name) return fail(Code::kInvalidArgument, "a form that is not well encoded");
    names.push_back(*std::move(name));
    if (names.size() > kMaxNames) {
      return fail(Code::kInvalidArgument, fmt::format("more than {} names; without any, all is sent", kMaxNames));
    }
  }
  return names;
}

class Turn {
 public:
  Turn(ZipTurns& turns, DeviceId who) : turns_(turns), who_(who) {}
  Turn(const Turn&) = delete;
  Turn& operator=(const Turn&) = delete;
  ~Turn() { turns_.give_back(who_); }

 private:
  ZipTurns& turns_;
  DeviceId who_;
};

net::Async<void> refuse_turn(net::Exchange& exchange, const Error& error) {
  constexpr const char* kRetryAfterSeconds = "30";
  net::Response response = net::text_response(error.code == Code::kUnavailable ? 503 : 429, error.message);
  response.headers.add("Retry-After", kRetryAfterSeconds);
  co_await exchange.reply(std::move(response));
}

}  // namespace

bool WebDav::asks_for_zip(const net::RequestHead& head) {
  return (head.method == "GET" || head.method == "POST") && net::query_value(head.query, "zip").has_value();
}

net::Async<void> WebDav::send_zip(Request& request) {
  net::Exchange& exchange = request.exchange;
  const Result<std::string> form = co_await exchange.read_whole_body(kMaxFormBytes);
  if (!form) co_return co_await refuse_body(exchange, form.error());
  const Result<std::vector<std::string>> names = names_of_form(*form);
  if (!names) co_return co_await tell(request, names.error());
  const Result<Folder*> folder = co_await drive_.open();
  if (!folder) co_return co_await tell(request, folder.error());
  const DeviceId who = request.holder.device;
  if (Result<void> taken = zip_turns_.take(who); !taken) co_return co_await refuse_turn(exchange, taken.error());
  const Turn turn(zip_turns_, who);
  Result<std::unique_ptr<ZipStream>> zip = co_await drive_.workers().run(
      [&] { return ZipStream::begin(**folder, request.path, *names, request.scope.closed); });
  if (!zip) co_return co_await tell(request, zip.error());
  net::Headers headers;
  headers.add("Content-Type", "application/zip");
  headers.add("X-Content-Type-Options", "nosniff");
  headers.add("Cache-Control", "private, no-store");
  const std::string name = request.path.is_root() ? "drive" : request.path.name();
  headers.add("Content-Disposition", fmt::format("attachment; filename*=UTF-8''{}.zip", net::percent_encoded(name)));
  Result<void> sent = co_await exchange.start(200, std::move(headers), std::nullopt);
  while (sent) {
    const Result<std::string> piece = co_await drive_.workers().run([&] { return (*zip)->next(); });
    if (!piece) {
      // Whoever receives it must not take what there is for all of it.
      log_warning(fmt::format("a download of {} is cut: {}", request.path.text(), piece.error().message));
      co_return exchange.connection().cut();
    }
    if (piece->empty()) co_return (void) co_await exchange.finish();
    sent = co_await exchange.write(*piece);
  }
}

}  // namespace hearth::drive
