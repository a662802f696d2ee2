// Which files people mean by the paths they name.
#include <fnmatch.h>
#include <sys/stat.h>

#include <algorithm>
#include <map>
#include <set>

#include "base/bytes.h"
#include "base/entries.h"
#include "blob/transfer.h"

namespace hearth::blob {
namespace {

namespace fs = std::filesystem;

constexpr std::size_t kMaxFiles = 100'000;

bool is_inside(const fs::path& path, const fs::path& folder) {
  const auto [rest, unused] = std::mismatch(folder.begin(), folder.end(), path.begin(), path.end());
  return rest == folder.end();
}

// How people go on without an entry of a folder. '?' stands for a byte that cannot be typed.
std::string way_on(std::string tree_path) {
  if (!is_plain_utf8(tree_path)) std::ranges::replace_if(tree_path, [](char c) { return c < 0x20 || c == 0x7f; }, '?');
  return "; leave it out with: --exclude '" + tree_path + "'";
}

class Scanner {
 public:
  Scanner(fs::path current, const std::vector<std::string>& excluded)
      : current_(std::move(current)), excluded_(excluded) {}

  Result<void> add(const std::string& name);
  std::vector<LocalFile> take();

 private:
  Result<void> add_entry(const fs::path& source, const std::string& tree_path);
  Result<void> add_folder(const fs::path& folder, const std::string& tree_path);
  Result<void> add_file(const fs::path& source, const std::string& tree_path);
  Result<std::string> tree_path_of(const std::string& name) const;
  bool is_excluded(const std::string& name, const std::string& tree_path) const;

  fs::path current_;
  const std::vector<std::string>& excluded_;
  fs::path root_;               // of the name that is being added, links resolved
  std::set<fs::path> entered_;  // the folders above the one being read, links resolved
  std::map<std::string, fs::path> files_;
};

// Where a name lies in the tree: as it was named if that is below the current directory, else its last part. "": the
// current directory itself.
Result<std::string> Scanner::tree_path_of(const std::string& name) const {
  fs::path path = fs::path(name).lexically_normal();
  if (path.is_absolute()) {
    const fs::path relative = path.lexically_relative(current_);
    if (!relative.empty() && *relative.begin() != "..") path = relative;
  }
  if (!path.has_filename()) path = path.parent_path();
  const bool outside = path.is_absolute() || (!path.empty() && *path.begin() == "..");
  if (path == ".") return std::string();
  if (!outside) return path.string();
  // "..", "../..", "/": the folder's own name says more than dots.
  std::error_code error;
  const fs::path real = fs::canonical(name, error);
  const fs::path last = path.filename() == ".." || path.filename().empty() ? real.filename() : path.filename();
  if (error || last.empty()) return fail(Code::kInvalidArgument, "cannot send all of " + name);
  return last.string();
}

Result<void> Scanner::add(const std::string& name) {
  if (name.empty()) return fail(Code::kInvalidArgument, "an input has no name");
  std::error_code error;
  const fs::path real = fs::canonical(name, error);
  if (error) return fail_errno(error.value(), "input " + name);
  Result<std::string> tree_path = tree_path_of(name);
  if (!tree_path) return std::unexpected(tree_path.error());
  root_ = real;
  return add_entry(real, *tree_path);
}

Result<void> Scanner::add_entry(const fs::path& source, const std::string& tree_path) {
  struct stat status{};
  if (::stat(source.c_str(), &status) != 0) return fail_errno(errno, "input " + source.string());
  if (S_ISDIR(status.st_mode)) return add_folder(source, tree_path);
  if (S_ISREG(status.st_mode)) return add_file(source, tree_path);
  return fail(Code::kInvalidArgument, "input " + source.string() +
                                          " is neither a file nor a folder; devices, sockets and pipes are not sent" +
                                          (source == root_ ? "" : way_on(tree_path)));
}

bool Scanner::is_excluded(const std::string& name, const std::string& tree_path) const {
  return std::ranges::any_of(excluded_, [&](const std::string& pattern) {
    const bool is_path = pattern.contains('/');
    return ::fnmatch(pattern.c_str(), (is_path ? tree_path : name).c_str(), is_path ? FNM_PATHNAME : 0) == 0;
  });
}

Result<void> Scanner::add_folder(const fs::path& folder, const std::string& tree_path) {
  if (!entered_.insert(folder).second) {
    return fail(Code::kInvalidArgument,
                "input " + folder.string() + " is inside itself through a symbolic link" + way_on(tree_path));
  }
  std::error_code error;
  for (const auto& entry : Entries(folder, error)) {
    const std::string name = entry.path().filename();
    const std::string path = tree_path.empty() ? name : tree_path + "/" + name;
    if (is_excluded(name, path)) continue;
    const fs::path real = fs::canonical(entry.path(), error);
    if (error) {
      Error failed = fail_errno(error.value(), "input " + entry.path().string()).error();
      failed.message += way_on(path);
      return std::unexpected(std::move(failed));
    }
    if (!is_inside(real, root_)) {
      return fail(Code::kInvalidArgument, "input " + entry.path().string() + " is a symbolic link to " + real.string() +
                                              ", outside " + root_.string() + way_on(path));
    }
    if (Result<void> added = add_entry(real, path); !added) return added;
  }
  entered_.erase(folder);
  if (error) return fail_errno(error.value(), "input " + folder.string());
  return {};
}

Result<void> Scanner::add_file(const fs::path& source, const std::string& tree_path) {
  if (!is_plain_utf8(tree_path)) {
    return fail(Code::kInvalidArgument, "an input in " + source.parent_path().string() +
                                            " has a name that is no UTF-8 or has control characters; rename it" +
                                            (source == root_ ? "" : way_on(tree_path)));
  }
  const auto [found, added] = files_.try_emplace(tree_path, source);
  if (!added && found->second != source) {
    return fail(Code::kInvalidArgument,
                "two inputs would both be " + tree_path + ": " + found->second.string() + " and " + source.string());
  }
  if (files_.size() > kMaxFiles) {
    return fail(Code::kResourceExhausted, "there are more than 100,000 input files; pack them into an archive");
  }
  return {};
}

std::vector<LocalFile> Scanner::take() {
  std::vector<LocalFile> files;
  files.reserve(files_.size());
  for (auto& [tree_path, source] : files_) files.push_back({tree_path, std::move(source)});
  return files;
}

}  // namespace

Result<std::vector<LocalFile>> scan_inputs(const std::vector<std::string>& paths,
                                           const std::vector<std::string>& excluded) {
  std::error_code error;
  Scanner scanner(fs::current_path(error), excluded);
  if (error) return fail_errno(error.value(), "cannot tell the current directory");
  for (const std::string& path : paths) {
    if (Result<void> added = scanner.add(path); !added) return std::unexpected(added.error());
  }
  return scanner.take();
}

}  // namespace hearth::blob
