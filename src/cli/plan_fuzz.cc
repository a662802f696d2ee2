// A plan as anybody may write it: it is refused with a line, or every job of it comes after what it needs and has
// options that `hearth run` takes.
#include <cstdint>
#include <string_view>

#include "base/check.h"
#include "cli/plan.h"
#include "cli/run_spec.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const auto plan = hearth::cli::parse_plan({reinterpret_cast<const char*>(data), size}, "plan");
  if (!plan) {
    CHECK(plan.error().code == hearth::Code::kInvalidArgument);
    CHECK(plan.error().message.starts_with("plan:"));
    return 0;
  }
  CHECK(!plan->jobs.empty() && plan->jobs.size() <= 1'000);
  for (std::size_t i = 0; i < plan->jobs.size(); ++i) {
    for (const std::size_t need : plan->jobs[i].needs) CHECK(need < i);
    CHECK(!plan->jobs[i].options.program.empty());
  }
  return 0;
}
