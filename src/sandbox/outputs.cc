#include "sandbox/outputs.h"

#include <algorithm>
#include <cerrno>
#include <memory>
#include <set>

#include <dirent.h>
#include <fcntl.h>

#include "base/bytes.h"
#include "sandbox/fd.h"

namespace hearth::sandbox {
namespace {

// Of a walk; a tmpfs of ours holds fewer.
constexpr std::uint64_t kMaxEntries = 1'000'000;
constexpr std::size_t kMaxPathBytes = 4096;

bool has_wildcard(std::string_view pattern) { return pattern.find_first_of("*?[\\") != std::string_view::npos; }

// A stranger's file name as part of a sentence.
std::string shown(std::string_view path) {
  std::string text;
  for (char c : path.substr(0, 200)) text += static_cast<unsigned char>(c) < 0x20 || c == 0x7f ? '?' : c;
  if (!is_plain_utf8(text)) std::ranges::replace_if(text, [](char c) { return static_cast<signed char>(c) < 0; }, '?');
  return "'" + text + "'";
}

std::string_view kind(mode_t mode) {
  if (S_ISLNK(mode)) return "a symbolic link";
  if (S_ISFIFO(mode)) return "a FIFO";
  if (S_ISSOCK(mode)) return "a socket";
  return "a device";
}

// What a link leads to, if that is a regular file beneath the directory; else what the link itself is. The kernel
// follows it, and whatever it leads over, within the directory alone.
struct stat behind_link(int directory, const std::string& path, const struct stat& link) {
  const Fd file(open_beneath_by_links(directory, path, O_PATH));
  struct stat info{};
  return file && ::fstat(file.get(), &info) == 0 && S_ISREG(info.st_mode) ? info : link;
}

class Collection {
 public:
  Collection(int directory, const std::vector<std::string>& patterns, const CollectLimits& limits, const Inputs& inputs)
      : directory_(directory), limits_(limits), inputs_(inputs) {
    for (const std::string& pattern : patterns) (has_wildcard(pattern) ? wild_ : literal_).push_back({pattern, false});
  }

  Result<std::vector<Output>> run();

 private:
  struct Pattern {
    std::string text;
    bool matched = false;
    bool met_directory = false;
  };
  using Listing = std::unique_ptr<DIR, int (*)(DIR*)>;

  Result<void> take_literal(Pattern& pattern);
  Result<void> walk();
  Result<void> visit_directory(const std::string& path);
  Result<void> visit(const std::string& path, const struct stat& info);
  Result<void> take(const std::string& path, const struct stat& found);
  // What is refused ends the collection, or is passed over.
  Result<void> passed(Result<void> taken) const { return limits_.takes_what_fits ? Result<void>() : std::move(taken); }
  bool may_lack() const { return limits_.may_lack || limits_.takes_what_fits; }
  bool is_unchanged_input(const std::string& path, const struct stat& info) const;
  Result<Listing> list(const std::string& path) const;
  static std::unexpected<Error> not_matched(const Pattern& pattern);

  int directory_;
  const CollectLimits& limits_;
  const Inputs& inputs_;
  std::vector<Pattern> literal_;
  std::vector<Pattern> wild_;
  std::map<std::string, Output> found_;
  std::uint64_t bytes_ = 0;
  std::uint64_t entries_ = 0;
  std::vector<std::string> to_visit_;
};

Result<void> Collection::take(const std::string& path, const struct stat& found) {
  if (!is_safe_relative_path(path)) {
    return fail(Code::kInvalidArgument, "the output " + shown(path) + " has a name that is not allowed");
  }
  const struct stat info = S_ISLNK(found.st_mode) ? behind_link(directory_, path, found) : found;
  if (!S_ISREG(info.st_mode)) {
    return fail(Code::kInvalidArgument,
                "the output " + shown(path) + " is " + std::string(kind(info.st_mode)) +
                    (S_ISLNK(info.st_mode) ? " that leads to no file of the task's directory (by a relative path)"
                                           : "; only regular files are taken"));
  }
  if (found_.contains(path)) return {};
  auto size = static_cast<std::uint64_t>(info.st_size);
  if (found_.size() >= limits_.max_files) {
    return fail(Code::kResourceExhausted, "more than " + std::to_string(limits_.max_files) + " output files");
  }
  if (size > limits_.max_bytes - bytes_) {
    return fail(Code::kResourceExhausted, "the output files have more than " + format_bytes(limits_.max_bytes));
  }
  bytes_ += size;
  found_.emplace(path, Output{.path = path, .size = size, .executable = (info.st_mode & S_IXUSR) != 0});
  return {};
}

Result<void> Collection::take_literal(Pattern& pattern) {
  if (!is_safe_relative_path(pattern.text)) {
    return passed(fail(Code::kInvalidArgument,
                       "the output pattern " + shown(pattern.text) + " is no path in the working directory"));
  }
  Fd file(open_beneath(directory_, pattern.text, O_PATH | O_NOFOLLOW));
  struct stat info{};
  if (!file || ::fstat(file.get(), &info) != 0) {
    if (errno == ELOOP) {
      return passed(
          fail(Code::kInvalidArgument, "the output " + shown(pattern.text) + " is reached through a symbolic link"));
    }
    return {};
  }
  if (S_ISDIR(info.st_mode)) {
    pattern.met_directory = true;
    return {};
  }
  pattern.matched = true;
  return passed(take(pattern.text, info));
}

bool Collection::is_unchanged_input(const std::string& path, const struct stat& info) const {
  auto input = inputs_.find(path);
  if (input == inputs_.end()) return false;
  const InputState& then = input->second;
  return then.device == info.st_dev && then.inode == info.st_ino && then.size == info.st_size &&
         then.changed.tv_sec == info.st_mtim.tv_sec && then.changed.tv_nsec == info.st_mtim.tv_nsec;
}

Result<void> Collection::visit(const std::string& path, const struct stat& info) {
  if (S_ISDIR(info.st_mode)) {
    // A longer path has no safe name, and whatever opens it must be short enough for the kernel.
    if (path.size() + 2 <= kMaxPathBytes) to_visit_.push_back(path);
    return {};
  }
  bool wanted = false;
  for (Pattern& pattern : wild_) {
    if ((pattern.matched && wanted) || !matches_pattern(pattern.text, path)) continue;
    if (is_unchanged_input(path, info)) return {};
    pattern.matched = true;
    wanted = true;
  }
  return wanted ? passed(take(path, info)) : Result<void>();
}

Result<Collection::Listing> Collection::list(const std::string& path) const {
  Fd directory(open_beneath(directory_, path.empty() ? "." : path, O_RDONLY | O_DIRECTORY));
  if (!directory) return fail_errno(errno, "reading the folder " + shown(path));
  DIR* stream = ::fdopendir(directory.get());
  if (stream == nullptr) return fail_errno(errno, "reading the folder " + shown(path));
  directory.release();
  return Listing(stream, &::closedir);
}

Result<void> Collection::visit_directory(const std::string& path) {
  Result<Listing> listing = list(path);
  if (!listing) return passed(std::unexpected(listing.error()));
  while (const dirent* entry = ::readdir(listing->get())) {
    std::string_view name = entry->d_name;
    if (name == "." || name == "..") continue;
    if (++entries_ > kMaxEntries) return fail(Code::kResourceExhausted, "the working directory holds too many files");
    struct stat info{};
    if (::fstatat(::dirfd(listing->get()), entry->d_name, &info, AT_SYMLINK_NOFOLLOW) != 0) continue;
    Result<void> visited = visit(path.empty() ? std::string(name) : path + "/" + std::string(name), info);
    if (!visited) return visited;
  }
  return {};
}

Result<void> Collection::walk() {
  to_visit_.emplace_back();
  while (!to_visit_.empty()) {
    std::string path = std::move(to_visit_.back());
    to_visit_.pop_back();
    Result<void> visited = visit_directory(path);
    if (!visited) return visited;
  }
  return {};
}

// "*", "**", "**/*": whatever there is, be it nothing.
bool asks_for_anything(std::string_view pattern) { return pattern.find_first_not_of("*/") == std::string_view::npos; }

std::unexpected<Error> Collection::not_matched(const Pattern& pattern) {
  std::string sentence = "output pattern " + shown(pattern.text) + " matches no file";
  if (pattern.met_directory) sentence += "; it is a folder, whose files are " + shown(pattern.text + "/**");
  return fail(Code::kNotFound, sentence);
}

Result<std::vector<Output>> Collection::run() {
  for (Pattern& pattern : literal_) {
    Result<void> taken = take_literal(pattern);
    if (!taken) return std::unexpected(taken.error());
    if (!pattern.matched && !may_lack()) return not_matched(pattern);
  }
  if (!wild_.empty()) {
    Result<void> walked = walk();
    if (!walked) return std::unexpected(walked.error());
  }
  for (const Pattern& pattern : wild_) {
    if (!pattern.matched && !may_lack() && !asks_for_anything(pattern.text)) return not_matched(pattern);
  }
  std::vector<Output> outputs;
  outputs.reserve(found_.size());
  for (auto& [path, output] : found_) outputs.push_back(std::move(output));
  return outputs;
}

}  // namespace

InputState state_of(const struct stat& info) {
  return {.device = info.st_dev, .inode = info.st_ino, .size = info.st_size, .changed = info.st_mtim};
}

Result<std::vector<Output>> collect_outputs(int directory, const std::vector<std::string>& patterns,
                                            const CollectLimits& limits, const Inputs& inputs) {
  return Collection(directory, patterns, limits, inputs).run();
}

Result<int> open_output_beneath(int directory, std::string_view path) {
  if (!is_safe_relative_path(path)) {
    return fail(Code::kInvalidArgument, shown(path) + " is no path in the working directory");
  }
  constexpr int kFlags = O_RDONLY | O_NONBLOCK | O_NOCTTY;
  Fd file(open_beneath(directory, std::string(path), kFlags | O_NOFOLLOW));
  // Its last part alone may be a link: see collect().
  if (!file && errno == ELOOP && Fd(open_beneath(directory, std::string(path), O_PATH | O_NOFOLLOW))) {
    file = Fd(open_beneath_by_links(directory, std::string(path), kFlags));
  }
  if (!file && (errno == ELOOP || errno == EXDEV)) {
    return fail(Code::kInvalidArgument, "the output " + shown(path) + " is reached through a symbolic link");
  }
  if (!file) return fail_errno(errno, "opening the output " + shown(path));
  struct stat info{};
  if (::fstat(file.get(), &info) != 0) return fail_errno(errno, "reading the output " + shown(path));
  if (!S_ISREG(info.st_mode)) {
    return fail(Code::kInvalidArgument, "the output " + shown(path) + " is no regular file");
  }
  return file.release();
}

}  // namespace hearth::sandbox
