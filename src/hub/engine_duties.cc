// Duties: what is said of nodes reaches the pool and the store together.
#include "hub/engine.h"

namespace hearth::hub {

// The pool's clock begins anew with each process: what is kept is when the grace ends by the calendar.
void Engine::take_duty(const store::DutyRow& row) {
  if (row.duty == pool::Duty::kServing) {
    duties_.erase(row.node);
  } else {
    duties_[row.node] = row;
  }
  pool_.on_duty(row.node, row.duty, pool_time(row.grace_ends), now());
}

Result<void> Engine::restore_duties() {
  Result<std::vector<store::DutyRow>> rows = store_.load_duties();
  if (!rows) return std::unexpected(rows.error());
  for (const store::DutyRow& row : *rows) take_duty(row);
  return {};
}

net::Async<Result<void>> Engine::set_duty(const store::DutyRow& row) {
  take_duty(row);
  pending_.batch.duties.push_back(row);
  pending_.changed_nodes.push_back(row.node);
  drain();
  co_return co_await committed();
}

const store::DutyRow* Engine::duty(NodeId node) const {
  const auto found = duties_.find(node);
  return found == duties_.end() ? nullptr : &found->second;
}

}  // namespace hearth::hub
