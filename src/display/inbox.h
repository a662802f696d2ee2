// The files that one viewer gives to an app, on their way into its folder. What is not whole has a hidden name and is
// removed with this; what is whole never takes another file's place: "name (2).txt".
#pragma once

#include <cstdint>
#include <string>

#include "base/result.h"
#include "hearth/v1/screen.pb.h"

namespace hearth::display {

class Inbox {
 public:
  // `folder`: with nothing to follow at its end; `most`: bytes of one file. Of what is free it takes half for one file.
  Inbox(std::string folder, std::uint64_t most);
  ~Inbox();
  Inbox(const Inbox&) = delete;
  Inbox& operator=(const Inbox&) = delete;

  // How far the piece's file is then: `received`, and `saved_as` or `problem` at its end. What follows a problem of the
  // same file is passed over.
  v1::FileProgress take(const v1::FilePiece& piece);

  // What an earlier process left half there.
  static void remove_leftovers(const std::string& folder);

 private:
  Result<void> begin(const v1::FilePiece& piece);
  Result<void> add(const v1::FilePiece& piece);
  Result<std::string> finish();
  void drop();

  std::string folder_;
  std::uint64_t most_;
  int file_ = -1;
  std::uint32_t number_ = 0;
  std::string name_;
  std::string partial_;  // its path
  std::uint64_t size_ = 0;
  std::uint64_t received_ = 0;
};

}  // namespace hearth::display
