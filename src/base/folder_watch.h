// Tells that something has changed in folders of this PC, whoever did it (inotify(7)): names that came, went or were
// moved, files that were written and then closed, what is said of files. What is written and not closed, or by another
// PC into a network folder, is not told; whoever must know looks for himself now and then.
//
// add() and changed() may be called by two threads.
#pragma once

#include <cstddef>
#include <filesystem>

#include "base/time.h"

namespace hearth {

class FolderWatch {
 public:
  FolderWatch();
  ~FolderWatch();
  FolderWatch(const FolderWatch&) = delete;
  FolderWatch& operator=(const FolderWatch&) = delete;

  // So many folders leave as many to the user's other programs.
  static std::size_t fair_share();

  // This folder, not those in it; again costs nothing. False: the kernel watches no more for this user
  // (fs.inotify.max_user_watches), or it is no folder.
  bool add(const std::filesystem::path& folder);

  // Whether something has since the last call, or does within the limit.
  bool changed(Duration limit = {});

 private:
  int notices_;
};

}  // namespace hearth
