// Tells when something changes below a folder of this PC (base/folder_watch.h); not in the folder's own .hearth-sync.
//
//   Watch watch("/home/mia/Family");
//   while (...) { watch.renew(); run(); watch.wait(seconds(15)); }
#pragma once

#include <filesystem>

#include "base/folder_watch.h"
#include "base/time.h"

namespace hearth::sync {

class Watch {
 public:
  explicit Watch(std::filesystem::path directory) : directory_(std::move(directory)) {}

  // Looks at folders that are new, too. Of those that the kernel does not let it look at nothing is told: wait() ends
  // by its limit.
  void renew();

  // Until something has changed and then nothing for a moment, at most `limit`. What changed since renew() counts.
  void wait(Duration limit);

 private:
  std::filesystem::path directory_;
  FolderWatch watch_;
};

}  // namespace hearth::sync
