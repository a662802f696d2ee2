// A time as anybody may write it: it is refused, or it is due some day, later than asked.
#include <cstdint>
#include <string_view>

#include "base/check.h"
#include "core/schedule/cron.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const auto cron = hearth::schedule::Cron::parse({reinterpret_cast<const char*>(data), size});
  if (!cron) {
    CHECK(cron.error().code == hearth::Code::kInvalidArgument);
    return 0;
  }
  constexpr std::int64_t kChange = 1'774'746'000;  // a clock that is put forward
  const auto zone = [](std::int64_t moment) { return moment < kChange ? std::int64_t{3600} : std::int64_t{7200}; };
  for (const std::int64_t from : {kChange - 86'400, kChange, std::int64_t{0}}) {
    const std::optional<std::int64_t> next = cron->next_after(from, zone);
    CHECK(next.has_value() && *next > from);
  }
  return 0;
}
