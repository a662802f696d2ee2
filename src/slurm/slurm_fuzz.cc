// What Slurm prints, and what a machine of its cluster leaves in files.
#include <cstdint>
#include <string_view>

#include "slurm/attempt_files.h"
#include "slurm/text.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace hearth;
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  static_cast<void>(slurm::parse_machines(text));
  static_cast<void>(slurm::parse_partitions(text));
  static_cast<void>(slurm::parse_jobs(text));
  static_cast<void>(slurm::parse_job_id(text));
  static_cast<void>(slurm::parse_end(text));
  static_cast<void>(slurm::parse_order(text));
  slurm::LogReader reader;
  static_cast<void>(reader.feed(text, [](sandbox::Stream, std::string_view) {}));
  return 0;
}
