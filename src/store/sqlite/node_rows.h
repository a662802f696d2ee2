// What is said of nodes, in the SQLite file: duties, and bookings of them.
#pragma once

#include <vector>

#include "store/sqlite/queries.h"
#include "store/store.h"

namespace hearth::store {

// Of a node that serves, the row is removed; so is a booking without nodes.
Result<void> put_duty(Queries& queries, const DutyRow& duty);
Result<void> put_booking(Queries& queries, const BookingRow& booking);

Result<std::vector<DutyRow>> load_duties(Queries& queries);
Result<std::vector<BookingRow>> load_bookings(Queries& queries);

}  // namespace hearth::store
