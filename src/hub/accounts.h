// The accounts of the pool by name, held in memory as the store has them. Changes: account_api.cc.
#pragma once

#include <expected>
#include <map>
#include <string>
#include <vector>

#include "store/store.h"

namespace hearth::hub {

class Accounts {
 public:
  static constexpr std::size_t kMost = 1'000;

  explicit Accounts(const std::vector<store::AccountRow>& rows);

  const store::AccountRow* find(const std::string& name) const;
  const store::AccountRow* find(AccountId id) const;
  const std::map<std::string, store::AccountRow>& all() const { return rows_; }
  std::string name(AccountId id) const;  // empty: there is none

  // With a number of its own; not in the table until put(). Devices' numbers lie far below, since one that is in no
  // account is an account with its own number.
  store::AccountRow make(const std::string& name);

  // What the store has committed.
  void put(const store::AccountRow& row);

 private:
  std::map<std::string, store::AccountRow> rows_;
  std::uint64_t last_id_;
};

// There is none of that name: kNotFound, and which there are.
std::unexpected<Error> no_account(const Accounts& accounts, const std::string& name);

}  // namespace hearth::hub
