#include "node/excess.h"

#include "base/bytes.h"
#include "sandbox/directory_tree.h"

namespace hearth::node {

Excess excess_on_disk(const std::filesystem::path& disk, std::uint64_t bytes) {
  if (disk.empty()) return {};
  Excess excess{.reason = v1::FAILURE_REASON_DISK, .sentence = ""};
  const Result<sandbox::TreeSize> size = sandbox::measure_tree(disk);
  if (!size) {
    excess.sentence = "its files cannot be measured: " + size.error().message;
  } else if (size->with_names() > bytes) {
    excess.sentence = "its files take " + format_bytes(size->with_names()) + " of the disk, more than the " +
                      format_bytes(bytes) + " that it asked for; ask for more: hearth run --disk SIZE";
  }
  return excess;
}

}  // namespace hearth::node
