// Copies a pool from one store into another, through the interface that all stores have.
#pragma once

#include <cstdint>

#include "base/result.h"
#include "store/store.h"

namespace hearth::store {

struct Copied {
  std::uint64_t devices = 0;
  std::uint64_t jobs = 0;
  std::uint64_t tasks = 0;  // those with rows
};

// Everything but the remains of removed jobs, whose numbers stay taken. `to` must hold nothing. Many commits: whoever
// calls sees to it that nobody takes a half copy for a whole one.
Result<Copied> copy_pool(Store& from, Store& to);

}  // namespace hearth::store
