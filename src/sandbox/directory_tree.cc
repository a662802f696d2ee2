#include "sandbox/directory_tree.h"

#include <cerrno>
#include <memory>
#include <string>

#include <dirent.h>
#include <fcntl.h>
#include <unistd.h>

#include "sandbox/fd.h"

namespace hearth::sandbox {
namespace {

namespace fs = std::filesystem;

constexpr int kOpenFlags = O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC;

struct CloseDirectory {
  void operator()(DIR* stream) const { ::closedir(stream); }
};
using DirectoryStream = std::unique_ptr<DIR, CloseDirectory>;

// Calls take(name, status) for what lies in the directory itself.
template <class Take>
Result<void> each_entry(Fd directory, const Take& take) {
  const int fd = directory.get();
  const DirectoryStream stream(::fdopendir(fd));
  if (!stream) return fail_errno(errno, "reading a directory");
  directory.release();
  errno = 0;
  for (const dirent* entry = ::readdir(stream.get()); entry != nullptr; entry = ::readdir(stream.get())) {
    const std::string_view name = entry->d_name;
    struct stat status{};
    if (name != "." && name != "..") {
      if (::fstatat(fd, entry->d_name, &status, AT_SYMLINK_NOFOLLOW) == 0) {
        if (Result<void> taken = take(fd, entry->d_name, status); !taken) return taken;
      } else if (errno != ENOENT) {
        return fail_errno(errno, "looking at " + std::string(name));
      }
    }
    errno = 0;
  }
  return errno == 0 ? Result<void>() : fail_errno(errno, "reading a directory");
}

bool is_gone(int error) { return error == ENOENT || error == ENOTDIR || error == ELOOP; }

Result<void> walk_below(Fd directory, unsigned depth, const Visit& visit) {
  return each_entry(std::move(directory), [&](int parent, const char* name, const struct stat& status) -> Result<void> {
    if (Result<void> done = visit(parent, name, status); !done || !S_ISDIR(status.st_mode)) return done;
    if (depth == kMaxTreeDepth) {
      return fail(Code::kResourceExhausted,
                  "directories lie in each other more than " + std::to_string(kMaxTreeDepth) + " deep");
    }
    Fd child(::openat(parent, name, kOpenFlags));
    if (!child && is_gone(errno)) return {};
    if (!child) return fail_errno(errno, "opening " + std::string(name));
    return walk_below(std::move(child), depth + 1, visit);
  });
}

// Removes what is below a directory. What lies too deep is moved to the top, to be removed with the next round.
class Clearing {
 public:
  explicit Clearing(int top) : top_(top) {}

  Result<void> run() {
    do {
      has_moved_ = false;
      Fd top(::openat(top_, ".", kOpenFlags));
      if (!top) return fail_errno(errno, "opening it");
      if (Result<void> done = clear(std::move(top), 1); !done) return done;
    } while (has_moved_);
    return {};
  }

 private:
  Result<void> clear(Fd directory, unsigned depth) {
    return each_entry(std::move(directory), [&](int parent, const char* name, const struct stat& status) {
      return S_ISDIR(status.st_mode) ? clear_directory(parent, name, depth) : unlink(parent, name, 0);
    });
  }

  // Of our own, and nobody is at it: what was seen as a directory is one.
  Result<void> clear_directory(int parent, const char* name, unsigned depth) {
    if (::fchmodat(parent, name, S_IRWXU, 0) != 0) return fail_errno(errno, "opening " + std::string(name));
    if (depth == kMaxTreeDepth) return move_to_top(parent, name);
    Fd child(::openat(parent, name, kOpenFlags));
    if (!child) return fail_errno(errno, "opening " + std::string(name));
    if (Result<void> done = clear(std::move(child), depth + 1); !done) return done;
    return unlink(parent, name, AT_REMOVEDIR);
  }

  Result<void> move_to_top(int parent, const char* name) {
    has_moved_ = true;
    while (::renameat(parent, name, top_, ("moved-" + std::to_string(++moved_)).c_str()) != 0) {
      if (errno != EEXIST && errno != ENOTEMPTY && errno != ENOTDIR) {
        return fail_errno(errno, "moving " + std::string(name));
      }
    }
    return {};
  }

  static Result<void> unlink(int parent, const char* name, int flags) {
    if (::unlinkat(parent, name, flags) == 0) return {};
    return fail_errno(errno, "removing " + std::string(name));
  }

  int top_;
  std::uint64_t moved_ = 0;
  bool has_moved_ = false;
};

}  // namespace

Result<void> walk_tree(const fs::path& directory, const Visit& visit) {
  Fd top(::open(directory.c_str(), kOpenFlags));
  if (!top) return fail_errno(errno, "opening " + directory.string());
  Result<void> walked = walk_below(std::move(top), 1, visit);
  return walked ? walked : fail(walked, "reading " + directory.string());
}

Result<TreeSize> measure_tree(const fs::path& directory) {
  TreeSize size;
  const Result<void> walked = walk_tree(directory, [&](int, const char*, const struct stat& status) -> Result<void> {
    size.add(status);
    return {};
  });
  if (!walked) return std::unexpected(walked.error());
  return size;
}

Result<void> remove_tree(const fs::path& directory) {
  struct stat status{};
  if (::lstat(directory.c_str(), &status) != 0) {
    return errno == ENOENT ? Result<void>() : fail_errno(errno, "removing " + directory.string());
  }
  Result<void> done;
  if (S_ISDIR(status.st_mode)) {
    if (::chmod(directory.c_str(), S_IRWXU) != 0) return fail_errno(errno, "opening " + directory.string());
    const Fd top(::open(directory.c_str(), kOpenFlags));
    if (!top) return fail_errno(errno, "opening " + directory.string());
    done = Clearing(top.get()).run();
    if (done && ::rmdir(directory.c_str()) != 0) done = fail_errno(errno, "removing it");
  } else if (::unlink(directory.c_str()) != 0) {
    done = fail_errno(errno, "removing it");
  }
  return done ? done : fail(done, "removing " + directory.string());
}

}  // namespace hearth::sandbox
