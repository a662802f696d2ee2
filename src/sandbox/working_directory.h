// A sandbox's working directory: a tmpfs that this process alone sees, or a directory in the vault, with the inputs in
// it before the program runs and its outputs afterwards. The mount vanishes with the object.
#pragma once

#include <filesystem>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "sandbox/fd.h"
#include "sandbox/mounts.h"
#include "sandbox/outputs.h"
#include "sandbox/sandbox.h"

namespace hearth::sandbox {

class WorkingDirectory {
 public:
  // Mounts it on `path`, which must not exist yet; its files belong to `user`. Errors: of mkdir and mount.
  static Result<std::unique_ptr<WorkingDirectory>> make(const std::filesystem::path& path, std::uint64_t bytes,
                                                        const GuestUser& user);
  // The same, showing the directory `source` there.
  static Result<std::unique_ptr<WorkingDirectory>> show(const std::filesystem::path& path,
                                                        const std::filesystem::path& source, const GuestUser& user);
  WorkingDirectory(std::unique_ptr<Mount> mount, Fd fd, const GuestUser& user);

  const std::filesystem::path& path() const { return mount_->where(); }

  // See Sandbox::create_file().
  Result<int> create_file(std::string_view path, bool executable);

  // Shows a file of the host as an input, in place and read-only.
  Result<void> show_file(const BoundFile& bound);

  // Remembers what the inputs look like: the program starts now.
  Result<void> note_inputs();
  const Inputs& inputs() const { return inputs_; }

  // For a level whose program does not run in this directory itself: a regular file that it made, for a safe path; what
  // was there before is gone. Errors: kInvalidArgument, kResourceExhausted. The descriptor is the caller's.
  Result<int> replace_file(std::string_view path, bool executable);
  void remove_file(std::string_view path);

  // See Sandbox::collect() and open_output().
  Result<std::vector<Output>> collect(const std::vector<std::string>& patterns, const CollectLimits& limits) const;
  Result<int> open_file(std::string_view path) const { return open_output_beneath(fd_.get(), path); }

  // Gives a file to the guests' user.
  Result<void> own(int file, unsigned mode) const;

 private:
  static Result<std::unique_ptr<WorkingDirectory>> at(std::unique_ptr<Mount> mount, const GuestUser& user);
  Result<Fd> make_parents(const std::string& path);
  Result<Fd> make_file(const std::string& path, bool executable);

  std::unique_ptr<Mount> mount_;
  Fd fd_;
  GuestUser user_;
  Inputs inputs_;
};

}  // namespace hearth::sandbox
