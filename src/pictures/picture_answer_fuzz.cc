// What hearth-pictures answers: whatever comes, what is let through is within its limits and means the same when it is
// said again.
#include "base/check.h"
#include "pictures/answer.h"

extern "C" int LLVMFuzzerTestOneInput(const unsigned char* data, std::size_t size) {
  using namespace hearth::pictures;
  const auto read = parse_answer({reinterpret_cast<const char*>(data), size});
  if (!read) {
    CHECK(read.error().message.size() <= kMaxWords);
    return 0;
  }
  CHECK((read->width > 0) == (read->height > 0));
  const auto again = parse_answer(answer_of(*read));
  CHECK(again && again->width == read->width && again->height == read->height && again->taken == read->taken &&
        again->small == read->small);
  return 0;
}
