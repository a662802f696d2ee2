// The rules of hearth.v1.Tree. Trees come from other machines and become paths on this one.
#include <algorithm>
#include <string_view>

#include "base/bytes.h"
#include "base/sizes.h"
#include "blob/transfer.h"

namespace hearth::blob {
namespace {

constexpr int kMaxFiles = 100'000;
constexpr std::size_t kMaxPathBytes = 4096;
constexpr std::size_t kMaxPartBytes = 255;

// For messages: a path from outside is cut, and shown only if it can be shown.
std::string quoted(std::string_view path) {
  constexpr std::size_t kShown = 100;
  if (!is_plain_utf8(path)) return "(a name that is no text)";
  const std::string_view shown = utf8_prefix(path, kShown);
  return "\"" + std::string(shown) + (shown.size() < path.size() ? "...\"" : "\"");
}

std::unexpected<Error> refuse(std::string_view path, std::string_view why) {
  return fail(Code::kInvalidArgument, "the file " + quoted(path) + " of a tree " + std::string(why));
}

Result<void> check_path(std::string_view path) {
  if (path.empty()) return refuse(path, "has no name");
  if (path.size() > kMaxPathBytes) return refuse(path, "has a path of more than 4096 bytes");
  if (!is_plain_utf8(path)) return refuse(path, "must be UTF-8 without control characters");
  for (std::string_view rest = path;;) {
    const std::size_t slash = rest.find('/');
    const std::string_view part = rest.substr(0, slash);
    if (part.empty()) return refuse(path, "has an empty part; paths are relative, with single slashes");
    if (part == "." || part == "..") return refuse(path, "has a part \".\" or \"..\"");
    if (part.size() > kMaxPartBytes) return refuse(path, "has a part of more than 255 bytes");
    if (slash == std::string_view::npos) return {};
    rest.remove_prefix(slash + 1);
  }
}

// Whether a file of the tree lies where `path` needs a folder. Sorted by bytes, "a" and "a/b" need not be neighbours
// ("a-" lies between them), so every folder of the path is looked up.
bool has_file_as_parent(const v1::Tree& tree, int index) {
  const std::string& path = tree.files(index).path();
  const auto begin = tree.files().begin();
  for (std::size_t slash = path.find('/'); slash != std::string::npos; slash = path.find('/', slash + 1)) {
    const std::string_view parent = std::string_view(path).substr(0, slash);
    const auto found =
        std::lower_bound(begin, begin + index, parent,
                         [](const v1::TreeFile& file, std::string_view name) { return file.path() < name; });
    if (found != begin + index && found->path() == parent) return true;
  }
  return false;
}

}  // namespace

Result<void> check_tree(const v1::Tree& tree) {
  if (tree.files_size() > kMaxFiles) {
    return fail(Code::kInvalidArgument, "a tree has more than 100,000 files; pack them into an archive");
  }
  if (tree.ByteSizeLong() > kMaxTreeBytes) {
    return fail(Code::kInvalidArgument, "a tree's list of files is larger than 32 MiB; pack them into an archive");
  }
  for (int i = 0; i < tree.files_size(); ++i) {
    const v1::TreeFile& file = tree.files(i);
    if (Result<void> safe = check_path(file.path()); !safe) return safe;
    if (file.blob().sha256().size() != 32) return refuse(file.path(), "has no SHA-256 of 32 bytes");
    if (i > 0 && file.path() <= tree.files(i - 1).path()) {
      return refuse(file.path(), file.path() == tree.files(i - 1).path() ? "is there twice" : "is out of order");
    }
    if (has_file_as_parent(tree, i)) return refuse(file.path(), "lies in a folder that is also a file");
  }
  return {};
}

}  // namespace hearth::blob
