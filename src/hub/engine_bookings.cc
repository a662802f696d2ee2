// Bookings: what the pool decides of them reaches the store together. And when a time of the calendar is by the pool's
// clock.
#include <algorithm>

#include <fmt/format.h>

#include "base/log.h"
#include "hub/engine.h"

namespace hearth::hub {
namespace {

// What stays of the newest booking once that is none any more, so that its number is not given again by a hub that
// starts: one that ended when no booking could. A newer one takes it away.
store::BookingRow spent(BookingId id) { return {.id = id, .nodes = 1}; }
bool is_spent(const store::BookingRow& row) { return row.until == WallTime{}; }

}  // namespace

// The pool's clock begins anew with each process, and stands still while the PC sleeps.
Time Engine::pool_time(WallTime at) const { return now() + milliseconds(at.unix_millis - wall_now().unix_millis); }

pool::BookingTerms Engine::terms_of(const store::BookingRow& row) const {
  return {.id = row.id,
          .account = row.account,
          .nodes = row.nodes,
          .where = row.where,
          .from = pool_time(row.from),
          .until = pool_time(row.until),
          .notice = milliseconds(row.notice_millis)};
}

Result<void> Engine::restore_bookings() {
  Result<std::vector<store::BookingRow>> rows = store_.load_bookings();
  if (!rows) return std::unexpected(rows.error());
  for (const store::BookingRow& row : *rows) {
    last_booking_id_ = std::max(last_booking_id_, row.id.value);
    if (is_spent(row)) continue;
    pool_.restore_booking(terms_of(row), now());
    bookings_[row.id] = row;
  }
  return {};
}

net::Async<Result<BookingId>> Engine::book(store::BookingRow row, std::function<void(BookingId)> taken) {
  row.id = {last_booking_id_ + 1};
  if (Result<void> booked = pool_.on_book(terms_of(row), now()); !booked) co_return std::unexpected(booked.error());
  if (const BookingId before{last_booking_id_}; before != BookingId{} && !bookings_.contains(before)) {
    pending_.batch.bookings.push_back({.id = before});
  }
  last_booking_id_ = row.id.value;
  bookings_[row.id] = row;
  pending_.batch.bookings.push_back(row);
  taken(row.id);
  drain();
  if (Result<void> kept = co_await committed(); !kept) co_return std::unexpected(kept.error());
  co_return row.id;
}

net::Async<Result<void>> Engine::unbook(BookingId id) {
  pool_.on_unbook(id, now());
  apply(pool::BookingRecord{id});
  drain();
  co_return co_await committed();
}

void Engine::apply(const pool::BookingRecord& record) {
  bookings_.erase(record.id);
  const bool is_newest = record.id.value == last_booking_id_;
  pending_.batch.bookings.push_back(is_newest ? spent(record.id) : store::BookingRow{.id = record.id});
}

// The PC slept, or its calendar was set: what is to come by the calendar comes at other times by the pool's clock.
void Engine::follow_calendar() {
  constexpr Duration kTolerated = seconds(2);
  const Duration now_between = milliseconds(wall_now().unix_millis) - (now() - Time{});
  const Duration moved = now_between - between_clocks_.value_or(now_between);
  if (between_clocks_ && moved <= kTolerated && moved >= Duration{} - kTolerated) return;
  const bool is_first = !between_clocks_;
  between_clocks_ = now_between;
  if (is_first) return;
  log_info(fmt::format("the calendar has moved against this process's clock seconds={:.0f}", moved.seconds()));
  for (const auto& [id, row] : bookings_) pool_.restore_booking(terms_of(row), now());
  for (const auto& [node, row] : duties_) pool_.on_duty(node, row.duty, pool_time(row.grace_ends), now());
}

}  // namespace hearth::hub
