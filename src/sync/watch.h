// Tells when something changes below a folder of this PC, by inotify; not in the folder's own .hearth-sync.
//
//   Watch watch("/home/mia/Family");
//   while (...) { watch.renew(); run(); watch.wait(seconds(15)); }
#pragma once

#include <filesystem>
#include <map>

#include "base/time.h"

namespace hearth::sync {

class Watch {
 public:
  explicit Watch(std::filesystem::path directory);
  ~Watch();
  Watch(const Watch&) = delete;
  Watch& operator=(const Watch&) = delete;

  // Looks at folders that are new, too. Of those that the kernel does not let it look at (fs.inotify.max_user_watches)
  // nothing is told: wait() ends by its limit.
  void renew();

  // Until something has changed and then nothing for a moment, at most `limit`. What changed since renew() counts.
  void wait(Duration limit);

 private:
  bool something_within(Duration limit) const;

  std::filesystem::path directory_;
  int notices_;
};

}  // namespace hearth::sync
