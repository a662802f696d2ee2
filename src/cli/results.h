// Brings the outputs of tasks into a directory, whatever names they have: never outside it, never through a symbolic
// link; a file that was there is replaced whole or not at all, and by fetch_results() kept beside it if it differs.
//
// Where two tasks give a file of one path but of different content, the first keeps the path and the later one becomes
// PATH.task-N.
#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "base/result.h"
#include "hearth/v1/types.pb.h"

namespace hearth::cli {

// A file to be fetched.
struct PlannedFile {
  std::string path;  // relative to the destination
  v1::Blob blob;
  bool executable = false;
};

class ResultsPlan {
 public:
  // Trees must have passed blob::check_tree(); the plan refuses unsafe paths nevertheless. Errors: kDataLoss.
  Result<void> add(std::uint32_t task, const v1::Tree& tree);

  const std::vector<PlannedFile>& files() const { return files_; }
  const std::vector<std::string>& warnings() const { return warnings_; }  // sentences
  std::uint64_t bytes() const;

 private:
  bool taken(const std::string& path) const;
  std::string free_name(const std::string& path, std::uint32_t task) const;

  std::vector<PlannedFile> files_;
  std::map<std::string, std::size_t> by_path_;
  std::set<std::string> directories_;  // of the files
  std::vector<std::string> warnings_;
};

// The directory that results go to.
class Destination {
 public:
  // Makes the directory if need be; symbolic links on the way to it are its owner's and are followed.
  static Result<Destination> open(const std::filesystem::path& directory);
  Destination(Destination&& other) noexcept;
  Destination& operator=(Destination&&) = delete;
  ~Destination();

  // The directory of a file, made and held open while this lives. `file()` names the file by way of the open
  // directory, so that nobody can put a link in between.
  class Place {
   public:
    Place(int directory, std::string name) : directory_(directory), name_(std::move(name)) {}
    Place(Place&& other) noexcept;
    Place& operator=(Place&&) = delete;
    ~Place();
    std::filesystem::path file() const;

    // Gives what is there a second name, NAME.before or NAME.before.2 and so on, so that what takes its place loses
    // nothing. The new name; "": nothing is there. Blocks.
    Result<std::string> keep() const;

   private:
    int directory_;
    std::string name_;
  };

  // Errors: kInvalidArgument (an unsafe path), kFailedPrecondition (a link or a file where a directory must be, a
  // directory where the file must be), those of the disk.
  Result<Place> place(const std::string& path) const;

 private:
  explicit Destination(int directory) : directory_(directory) {}
  int directory_;
};

}  // namespace hearth::cli
