#include "store/sqlite/node_rows.h"

namespace hearth::store {

Result<void> put_duty(Queries& queries, const DutyRow& duty) {
  if (duty.duty == pool::Duty::kServing) return queries[Query::kRemoveDuty].run(duty.node.value);
  return queries[Query::kPutDuty].run(duty.node.value, static_cast<int>(duty.duty), duty.grace_ends.unix_millis);
}

Result<std::vector<DutyRow>> load_duties(Queries& queries) {
  std::vector<DutyRow> duties;
  Rows rows = queries[Query::kDuties].rows();
  const Result<void> done = each(rows, [&](const Rows& row) {
    duties.push_back({{row.integer<std::uint64_t>(0)}, row.integer<pool::Duty>(1), {row.integer(2)}});
  });
  if (!done) return std::unexpected(done.error());
  return duties;
}

Result<void> put_booking(Queries& queries, const BookingRow& booking) {
  if (booking.nodes == 0) return queries[Query::kRemoveBooking].run(booking.id.value);
  return queries[Query::kPutBooking].run(booking.id.value, booking.account.value, booking.nodes, Text{booking.where},
                                         booking.from.unix_millis, booking.until.unix_millis, booking.notice_millis,
                                         booking.made_by.value);
}

Result<std::vector<BookingRow>> load_bookings(Queries& queries) {
  std::vector<BookingRow> bookings;
  Rows rows = queries[Query::kBookings].rows();
  const Result<void> done = each(rows, [&](const Rows& row) {
    bookings.push_back({.id = {row.integer<std::uint64_t>(0)},
                        .account = {row.integer<std::uint64_t>(1)},
                        .nodes = row.integer<std::uint32_t>(2),
                        .where = row.bytes(3),
                        .from = {row.integer(4)},
                        .until = {row.integer(5)},
                        .notice_millis = row.integer(6),
                        .made_by = {row.integer<std::uint64_t>(7)}});
  });
  if (!done) return std::unexpected(done.error());
  return bookings;
}

}  // namespace hearth::store
