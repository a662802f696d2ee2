// The folder of the drive's copy, on the PC whose hub stands by: the holder's files come into it whole or not at all,
// each with a mark of whose content it has (core/drive/copy.h). Whatever moment this ends in, what is there then says
// what there is still to do.
//
// What is here and is nobody's copy is never written over: it is set aside, in .hearth/aside.
//
// All functions block, and are called by one thread at a time.
#pragma once

#include <atomic>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "drive/copy_tree.h"
#include "drive/disk_wait.h"

namespace hearth::drive {

class CopyFolder {
 public:
  struct Names {
    std::string drive;   // which one it is a copy of
    std::string source;  // of the holder, in marks
    std::string self;    // and of this hub
  };
  // Makes the folder if it is not there. Errors: kFailedPrecondition (it holds other files), kUnimplemented (its file
  // system keeps no extended attributes), of the disk.
  static Result<std::unique_ptr<CopyFolder>> open(const std::filesystem::path& root, Names names);

  const CopyTree& tree() const { return tree_; }

  Result<void> make_folder(const std::string& path, const CopyEntry& entry);
  Result<void> write_attributes(const std::string& path, const CopyEntry& entry);
  // What is there has the entry's content.
  Result<void> adopt(const std::string& path, const CopyEntry& entry);
  // kCanceled once end() was called, which any thread may.
  Result<std::string> hash(const std::string& path) const;
  void end() { ended_ = true; }

  // The entry's content is that of the file `from` here, which keeps its name. kAborted: it is not any more.
  Result<void> link(const std::string& from, const std::string& to, const CopyEntry& entry);

  // Whether the disk takes so many bytes more, besides kKeptFree. Errors: kResourceExhausted.
  Result<void> check_room(std::uint64_t bytes) const;
  // Whether a folder may become a copy: nothing is in it, or it is one. Errors: kFailedPrecondition.
  static Result<void> check_folder(const std::filesystem::path& root);

  struct Arrived {
    std::string path;
    CopyEntry entry;
    std::string content;
  };
  // All of them wait for the disk together. The first error; the others are placed.
  Result<void> place(const std::vector<Arrived>& files);

  // A long file comes piece by piece, and is gone on with if it was interrupted.
  struct Coming {
    Fd file;
    std::filesystem::path path;
    std::uint64_t bytes = 0;  // it has
  };
  Result<Coming> begin(const CopyEntry& entry);
  Result<std::string> hash_of(const Coming& coming) const;
  Result<void> append(Coming& coming, std::string_view bytes);  // kResourceExhausted: no room
  Result<void> finish(Coming& coming, const std::string& path, const CopyEntry& entry);
  Result<void> drop(const Coming& coming);
  void forget_coming();  // all that is left of files that came half

  // Where it is now, from the root on.
  Result<std::string> set_aside(const std::string& path);
  // Whose copies the holder has no more: a file, or a folder with all in it. What is no copy in it is set aside.
  Result<void> remove(const std::string& path);

  // How many files are set aside; those of which the holder turned out to have the content are not any more.
  std::uint64_t count_aside();
  std::filesystem::path aside() const { return root_ / Path::kOwnFolder / "aside"; }

 private:
  CopyFolder(std::filesystem::path root, CopyTree tree, Names names);
  Result<void> dress(int file, const CopyEntry& entry) const;
  Result<void> mark(int file, const CopyEntry& entry) const;
  bool is_copy(const CopyEntry& entry) const { return entry.is_as_placed() && entry.mark->source == names_.source; }
  Result<Fd> parent_of(const std::string& path) const;
  Result<void> give_name(const std::filesystem::path& from, const std::string& path) const;
  Result<void> sync_all(const std::vector<int>& files);
  std::filesystem::path fresh() const { return root_ / Path::kOwnFolder / "new"; }

  const std::filesystem::path root_;
  CopyTree tree_;
  const Names names_;
  const std::string stay_;  // names what is set aside while this hub stands by
  DiskWait disk_;
  std::atomic<bool> ended_ = false;
};

}  // namespace hearth::drive
