// From this PC into the pool: inputs, and the job that they are for. Rides out a hub that starts again.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

#include "blob/transfer.h"
#include "cli/client.h"
#include "cli/output.h"
#include "hearth/v1/jobs.pb.h"

namespace hearth::cli {

// A file of this process's memory that can be sent like any other.
class MemoryFile {
 public:
  explicit MemoryFile(const std::string& name);
  MemoryFile(const MemoryFile&) = delete;
  MemoryFile& operator=(const MemoryFile&) = delete;
  ~MemoryFile();

  Result<void> write(std::string_view text) const;
  std::filesystem::path path() const;

 private:
  int file_;
};

// The blob of the files' Tree.
net::Async<Result<v1::Blob>> send_inputs(Client& client, std::vector<blob::LocalFile> files, ProgressLine& progress);

// Its number. Errors: those of JobService.Submit.
net::Async<Result<std::uint64_t>> submit_job(Client& client, v1::SubmitRequest request);

// The job as it is now. Errors: those of JobService.Get.
net::Async<Result<v1::Job>> fetch_job(Client& client, std::uint64_t job);

bool has_ended(const v1::Job& job);

}  // namespace hearth::cli
