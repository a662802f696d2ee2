// What a process of the node's own user says: it names a job, or nothing.
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "base/check.h"
#include "node/owners_screen.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace hearth;  // NOLINT(google-build-using-namespace): a program of its own
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  for (const std::string& word : {std::string(text), "job " + std::string(text)}) {
    if (const auto job = node::parse_owners_word(word)) CHECK(job->value > 0 && word.starts_with("job "));
  }
  return 0;
}
