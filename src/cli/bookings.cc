// `hearth book`: nodes that are kept for an account for a while.
#include <fmt/format.h>

#include "cli/client.h"
#include "cli/commands.h"
#include "cli/documents.h"
#include "cli/output.h"
#include "cli/values.h"
#include "hearth/v1/bookings.pb.h"

namespace hearth::cli {
namespace {

constexpr Range kNodes = {1, 1'000};
constexpr Range kNumber = {1, UINT64_MAX};
constexpr std::int64_t kMostNotice = 7 * 24 * 60 * 60;

Result<std::int64_t> parse_notice(const std::string& text) {
  if (text == "0") return 0;
  const Result<std::int64_t> notice = parse_time_limit("--notice", text);
  if (notice && *notice > kMostNotice) {
    return fail(Code::kInvalidArgument, fmt::format("--notice {}: at most 7d", plain(text)));
  }
  return notice;
}

Result<v1::BookRequest> request_of(const BookingOptions& options) {
  v1::BookRequest request;
  request.set_account(options.account);
  request.set_where(options.where);
  const Result<std::uint64_t> nodes = parse_count("--nodes", options.nodes, kNodes);
  if (!nodes) return std::unexpected(nodes.error());
  request.set_nodes(static_cast<std::uint32_t>(*nodes));
  if (!options.from.empty()) {
    const Result<WallTime> from = parse_moment("--from", options.from, wall_now());
    if (!from) return std::unexpected(from.error());
    request.mutable_from()->set_unix_millis(from->unix_millis);
  }
  if (options.until.empty()) {
    return fail(Code::kInvalidArgument, "--until is needed: when others may have the nodes again, for example 2h");
  }
  const Result<WallTime> until = parse_moment("--until", options.until, wall_now());
  if (!until) return std::unexpected(until.error());
  request.mutable_until()->set_unix_millis(until->unix_millis);
  if (*until <= WallTime{request.from().unix_millis()}) {
    return fail(Code::kInvalidArgument,
                fmt::format("--until {}: that is before --from {}", plain(options.until), plain(options.from)));
  }
  const Result<std::int64_t> notice = parse_notice(options.notice);
  if (!notice) return std::unexpected(notice.error());
  request.set_notice_seconds(*notice);
  return request;
}

std::string local(const v1::Moment& moment) { return format_local({moment.unix_millis()}); }

std::string names_of(const v1::Booking& booking) {
  std::string names;
  for (const std::string& name : booking.node_names()) names += (names.empty() ? "" : ", ") + plain(name);
  return names;
}

// What the nodes are, or when that is decided.
std::string nodes_of(const v1::Booking& booking) {
  const std::int64_t now = wall_now().unix_millis;
  const std::int64_t decided = booking.from().unix_millis() - booking.notice_seconds() * 1000;
  if (now < decided) return "decided at " + format_local({decided});
  if (booking.node_names().empty()) return "none is there";
  const int missing = static_cast<int>(booking.nodes()) - booking.node_names_size();
  return names_of(booking) + (missing > 0 ? fmt::format(" ({} missing)", missing) : "");
}

}  // namespace

Result<int> book(const Context& context, const BookingOptions& options) {
  const Result<v1::BookRequest> request = request_of(options);
  if (!request) return std::unexpected(request.error());
  const Result<std::unique_ptr<Client>> client = Client::open(context.home, context.home.cli());
  if (!client) return std::unexpected(client.error());
  const Result<v1::BookReply> reply = (*client)->call<v1::BookReply>("hearth.v1.BookingService/Book", *request);
  if (!reply) return std::unexpected(reply.error());
  if (context.json) {
    print(message_json(reply->booking()));
    return 0;
  }
  const v1::Booking& booking = reply->booking();
  say(fmt::format("Booking {}: {} {} for {} from {} until {}; take it back with: hearth unbook {}", booking.id(),
                  booking.nodes(), booking.nodes() == 1 ? "node" : "nodes", plain(booking.account()),
                  local(booking.from()), local(booking.until()), booking.id()));
  return 0;
}

Result<int> list_bookings(const Context& context) {
  const Result<std::unique_ptr<Client>> client = Client::open(context.home, context.home.cli());
  if (!client) return std::unexpected(client.error());
  const Result<v1::ListBookingsReply> reply =
      (*client)->call<v1::ListBookingsReply>("hearth.v1.BookingService/List", v1::ListBookingsRequest());
  if (!reply) return std::unexpected(reply.error());
  if (context.json) {
    print(message_json(*reply));
    return 0;
  }
  Table table({{"NUMBER", true}, {"FOR"}, {"NODES", true}, {"FROM"}, {"UNTIL"}, {"WHICH"}, {"WHERE"}});
  for (const v1::Booking& one : reply->bookings()) {
    table.add({fmt::format("{}", one.id()), one.account(), fmt::format("{}", one.nodes()), local(one.from()),
               local(one.until()), nodes_of(one), one.where().empty() ? "-" : one.where()});
  }
  if (table.empty()) {
    say("no nodes are booked; keep some with: hearth book ACCOUNT --nodes N --from WHEN --until WHEN");
  } else {
    print(table.text());
  }
  return 0;
}

Result<int> unbook(const Context& context, const BookingOptions& options) {
  const Result<std::uint64_t> number = parse_count("NUMBER", options.number, kNumber);
  if (!number) return std::unexpected(number.error());
  const Result<std::unique_ptr<Client>> client = Client::open(context.home, context.home.cli());
  if (!client) return std::unexpected(client.error());
  v1::UnbookRequest request;
  request.set_id(*number);
  const Result<v1::UnbookReply> reply = (*client)->call<v1::UnbookReply>("hearth.v1.BookingService/Unbook", request);
  if (!reply) return std::unexpected(reply.error());
  if (context.json) {
    print(message_json(*reply));
  } else {
    say(fmt::format("Booking {} is taken back: its nodes are everybody's.", *number));
  }
  return 0;
}

}  // namespace hearth::cli
