#include "hub/accounts.h"

#include <algorithm>

#include <fmt/format.h>

namespace hearth::hub {
namespace {

constexpr std::uint64_t kBelowAccounts = std::uint64_t{1} << 62U;

}  // namespace

Accounts::Accounts(const std::vector<store::AccountRow>& rows) : last_id_(kBelowAccounts) {
  for (const store::AccountRow& row : rows) put(row);
}

const store::AccountRow* Accounts::find(const std::string& name) const {
  const auto found = rows_.find(name);
  return found == rows_.end() ? nullptr : &found->second;
}

const store::AccountRow* Accounts::find(AccountId id) const {
  const auto found = std::ranges::find_if(rows_, [&](const auto& entry) { return entry.second.id == id; });
  return found == rows_.end() ? nullptr : &found->second;
}

std::string Accounts::name(AccountId id) const {
  const store::AccountRow* row = find(id);
  return row == nullptr ? std::string() : row->name;
}

store::AccountRow Accounts::make(const std::string& name) { return {.id = {++last_id_}, .name = name}; }

void Accounts::put(const store::AccountRow& row) {
  last_id_ = std::max(last_id_, row.id.value);
  if (row.removed) {
    rows_.erase(row.name);
  } else {
    rows_[row.name] = row;
  }
}

std::unexpected<Error> no_account(const Accounts& accounts, const std::string& name) {
  std::string names;
  for (const auto& [known, row] : accounts.all()) {
    if (row.is_firm) continue;
    names += (names.empty() ? "" : ", ") + known;
    if (names.size() > 500) break;
  }
  return fail(Code::kNotFound,
              fmt::format("there is no account '{}'; {}", name.substr(0, 64),
                          names.empty() ? "there is none yet: hearth account set NAME" : "there are: " + names));
}

}  // namespace hearth::hub
