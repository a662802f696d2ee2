// BookingService.
#include <algorithm>

#include <fmt/format.h>

#include "base/bytes.h"
#include "hearth/v1/bookings.pb.h"
#include "hub/parts.h"

namespace hearth::hub {
namespace {

constexpr std::uint32_t kMostNodes = 1'000;
constexpr std::size_t kMostWhere = 4'096;
constexpr std::int64_t kDay = 24 * 60 * 60;
constexpr std::int64_t kMostNotice = 7 * kDay;
constexpr std::int64_t kMostAhead = 366 * kDay;

v1::Booking to_proto(const Parts& parts, const store::BookingRow& row) {
  v1::Booking booking;
  booking.set_id(row.id.value);
  booking.set_account(parts.accounts.name(row.account));
  booking.set_nodes(row.nodes);
  booking.set_where(row.where);
  *booking.mutable_from() = moment(row.from);
  *booking.mutable_until() = moment(row.until);
  booking.set_notice_seconds(row.notice_millis / 1000);
  if (const auto view = parts.engine.pool().booking(row.id)) {
    for (const NodeId node : view->nodes) booking.add_node_names(parts.devices.name(node));
  }
  booking.set_made_by(parts.devices.name(row.made_by));
  return booking;
}

// To a device that is not of ring home, others' bookings are none of its business.
v1::ListBookingsReply list(const Parts& parts, const net::Caller& caller) {
  const bool sees_all = parts.devices.visible_to(caller.device).is_whole();
  const store::DeviceRow* asking = parts.devices.find_active(caller.device);
  const store::AccountRow* own = asking == nullptr ? nullptr : parts.accounts.find(asking->account);
  std::vector<const store::BookingRow*> rows;
  for (const auto& [id, row] : parts.engine.bookings()) {
    const bool is_own = own != nullptr && (row.account == own->id || row.account == own->firm);
    if (sees_all || is_own) rows.push_back(&row);
  }
  std::ranges::sort(rows, {}, [](const store::BookingRow* row) { return std::pair(row->from.unix_millis, row->id); });
  v1::ListBookingsReply reply;
  for (const store::BookingRow* row : rows) *reply.add_bookings() = to_proto(parts, *row);
  return reply;
}

Result<void> check(const v1::BookRequest& request, WallTime now) {
  const std::int64_t from = std::max(request.from().unix_millis(), now.unix_millis);
  const std::int64_t until = request.until().unix_millis();
  if (request.nodes() == 0 || request.nodes() > kMostNodes) {
    return fail(Code::kInvalidArgument, fmt::format("nodes: {}: 1 to {}", request.nodes(), kMostNodes));
  }
  if (request.where().size() > kMostWhere) {
    return fail(Code::kInvalidArgument,
                fmt::format("where: it has {} bytes, at most {}", request.where().size(), kMostWhere));
  }
  if (until <= from) return fail(Code::kInvalidArgument, "until: it is to lie after its beginning, and after now");
  if (until > now.unix_millis + kMostAhead * 1000) {
    return fail(Code::kInvalidArgument, "until: at most 366 days from now");
  }
  if (request.notice_seconds() < 0 || request.notice_seconds() > kMostNotice) {
    return fail(Code::kInvalidArgument, "notice: 0 to 7 days");
  }
  return {};
}

net::Async<Result<v1::BookReply>> book(Parts& parts, const v1::BookRequest& request, const net::Caller& caller) {
  const WallTime now = wall_now();
  if (Result<void> checked = check(request, now); !checked) co_return std::unexpected(checked.error());
  const store::AccountRow* account = parts.accounts.find(request.account());
  if (account == nullptr) co_return no_account(parts.accounts, request.account());
  const store::BookingRow row{.id = {},
                              .account = account->id,
                              .nodes = request.nodes(),
                              .where = request.where(),
                              .from = {std::max(request.from().unix_millis(), now.unix_millis)},
                              .until = {request.until().unix_millis()},
                              .notice_millis = request.notice_seconds() * 1000,
                              .made_by = caller.device};
  const std::string what = fmt::format("for={} nodes={} from={} until={}", account->name, row.nodes,
                                       row.from.unix_millis / 1000, row.until.unix_millis / 1000);
  const auto taken = [&](BookingId id) { parts.audit.note(caller, "booking.make", fmt::format("{}", id.value), what); };
  const Result<BookingId> id = co_await parts.engine.book(row, taken);
  if (!id) co_return std::unexpected(id.error());
  v1::BookReply reply;
  const auto made = parts.engine.bookings().find(*id);
  if (made != parts.engine.bookings().end()) *reply.mutable_booking() = to_proto(parts, made->second);
  co_return reply;
}

net::Async<Result<v1::UnbookReply>> unbook(Parts& parts, const v1::UnbookRequest& request, const net::Caller& caller) {
  const BookingId id{request.id()};
  if (!parts.engine.bookings().contains(id)) {
    co_return fail(Code::kNotFound,
                   fmt::format("there is no booking {}; those that there are: hearth bookings", request.id()));
  }
  parts.audit.note(caller, "booking.remove", fmt::format("{}", request.id()));
  if (Result<void> done = co_await parts.engine.unbook(id); !done) co_return std::unexpected(done.error());
  co_return v1::UnbookReply();
}

}  // namespace

void add_booking_methods(net::Dispatcher& dispatcher, Parts& parts) {
  dispatcher.unary<v1::ListBookingsRequest, v1::ListBookingsReply>(
      "hearth.v1.BookingService.List",
      [&parts](const v1::ListBookingsRequest&, net::Caller& caller) -> net::Async<Result<v1::ListBookingsReply>> {
        co_return list(parts, caller);
      });
  dispatcher.unary<v1::BookRequest, v1::BookReply>(
      "hearth.v1.BookingService.Book",
      [&parts](const v1::BookRequest& request, net::Caller& caller) { return book(parts, request, caller); });
  dispatcher.unary<v1::UnbookRequest, v1::UnbookReply>(
      "hearth.v1.BookingService.Unbook",
      [&parts](const v1::UnbookRequest& request, net::Caller& caller) { return unbook(parts, request, caller); });
}

}  // namespace hearth::hub
