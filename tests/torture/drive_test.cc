// Nothing that the drive has acknowledged is lost, whoever is killed at what moment, and on a full disk. Lives of a
// process that works on a drive's folder are ended by kill -9; after each, what lies on the disk is held against a
// model of what was acknowledged. What each life does is made up by rapidcheck, which looks for a short way to a
// failure; the moment of death is left to chance.
#include <fcntl.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/wait.h>
#include <sys/xattr.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstdlib>
#include <fstream>
#include <limits>
#include <map>
#include <set>
#include <sstream>

#include <fmt/format.h>
#include <gtest/gtest.h>
#include <rapidcheck.h>

#include "blob/temporary_directory.h"
#include "drive/folder.h"
#include "drive/uploads.h"

namespace hearth::drive {
namespace {

namespace fs = std::filesystem;

constexpr int kLives = 10;  // of each case
constexpr int kNoNamespaces = 10;
constexpr std::size_t kMostBytes = 200'000;

// rapidcheck tells of a failure what it saw when it tried again, which need not be the same.
#define REQUIRE(expression)                                                 \
  do {                                                                      \
    const bool is_so = (expression);                                        \
    if (!is_so) {                                                           \
      std::fprintf(stderr, "line %d: not so: %s\n", __LINE__, #expression); \
      RC_FAIL(#expression);                                                 \
    }                                                                       \
  } while (false)

// The bytes of the content with this number: they can be told from those of any other, and a part from the whole.
std::string content(int number) {
  const std::size_t size = 20 + static_cast<std::size_t>(number) * 7'919 % kMostBytes;
  std::string text = fmt::format("{} of {} bytes\n", number, size);
  while (text.size() < size) text += std::to_string(number) + " ";
  text.resize(size);
  return text;
}

// Nothing: a part, or a mixture.
std::optional<int> number_of(const fs::path& file) {
  std::ifstream stream(file);
  const std::string text{std::istreambuf_iterator<char>(stream), {}};
  const int number = std::atoi(text.c_str());
  return text == content(number) ? std::optional(number) : std::nullopt;
}

enum class Deed : std::uint8_t { kPut, kUpload, kMove, kCopy, kRemove, kMakeFolder };
std::string_view name_of(Deed deed) {
  constexpr std::array<std::string_view, 6> kNames{"a put",  "an upload", "a move",
                                                   "a copy", "a removal", "making a folder"};
  return kNames[static_cast<std::size_t>(deed)];
}

constexpr std::array<std::string_view, 8> kPaths{"/a", "/b", "/d", "/d/a", "/d/b", "/d/e", "/d/e/a", "/c/a"};

struct Step {
  Deed deed = Deed::kPut;
  std::string from;
  std::string to;
  bool replace = false;
  int number = 0;  // of the content, nobody else's
};

void showValue(const Step& step, std::ostream& out) {
  out << fmt::format("{} {} {} {} {}", static_cast<int>(step.deed), step.from, step.to, step.replace, step.number);
}

rc::Gen<Step> any_step() {
  return rc::gen::build<Step>(
      rc::gen::set(&Step::deed, rc::gen::element(Deed::kPut, Deed::kPut, Deed::kUpload, Deed::kMove, Deed::kCopy,
                                                 Deed::kRemove, Deed::kMakeFolder)),
      rc::gen::set(&Step::from,
                   rc::gen::map(rc::gen::elementOf(kPaths), [](std::string_view v) { return std::string(v); })),
      rc::gen::set(&Step::to,
                   rc::gen::map(rc::gen::elementOf(kPaths), [](std::string_view v) { return std::string(v); })),
      rc::gen::set(&Step::replace, rc::gen::arbitrary<bool>()));
}

// What lies in the drive: of files the number of their content; of folders none.
using Tree = std::map<std::string, std::optional<int>>;

bool is_at_or_below(const std::string& path, const std::string& root) {
  return path == root || path.starts_with(root + "/");
}

void take_out(Tree& tree, const std::string& path) {
  std::erase_if(tree, [&](const auto& one) { return is_at_or_below(one.first, path); });
}

void add_parents(Tree& tree, const std::string& path) {
  for (std::size_t slash = path.find('/', 1); slash != std::string::npos; slash = path.find('/', slash + 1)) {
    tree.try_emplace(path.substr(0, slash), std::nullopt);
  }
}

// What is so once the step has been made.
Tree after(Tree tree, const Step& step) {
  if (step.deed == Deed::kPut) tree[step.to] = step.number;
  if (step.deed == Deed::kUpload) {
    add_parents(tree, step.to);
    tree[step.to] = step.number;
  }
  if (step.deed == Deed::kMakeFolder) tree[step.to] = std::nullopt;
  if (step.deed == Deed::kRemove) take_out(tree, step.from);
  if (step.deed == Deed::kMove || step.deed == Deed::kCopy) {
    Tree moved;
    for (const auto& [path, number] : tree) {
      if (is_at_or_below(path, step.from)) moved[step.to + path.substr(step.from.size())] = number;
    }
    take_out(tree, step.to);
    if (step.deed == Deed::kMove) take_out(tree, step.from);
    tree.merge(moved);
  }
  return tree;
}

// What may be found of a step that was cut short, besides what was so before and what is so after it.
Tree halfway(Tree tree, const Step& step) {
  if (step.deed == Deed::kMove || step.deed == Deed::kCopy) take_out(tree, step.to);  // it is in the trash
  return tree;
}

// --- in the child

Result<void> put(Folder& folder, const Step& step) {
  const std::string bytes = content(step.number);
  Result<Incoming> file = folder.receive(bytes.size());
  if (!file) return std::unexpected(file.error());
  if (Result<void> written = file->write(bytes); !written) return written;
  if (Result<void> finished = file->finish(); !finished) return finished;
  const Result<Placed> placed = folder.place(*std::move(file), *Path::parse(step.to), {});
  return placed ? Result<void>() : std::unexpected(placed.error());
}

// The same, of two files that come at the same time, of which the other is given up.
Result<void> put_in_a_round(Folder& folder, const Step& step) {
  Result<Incoming> file = folder.receive_whole(content(step.number), {});
  if (!file) return std::unexpected(file.error());
  Result<Incoming> other = folder.receive_whole("given up", {});
  if (!other) return std::unexpected(other.error());
  const std::array round{&*file, &*other};
  for (const Result<void>& synced : folder.sync(round)) {
    if (!synced) return synced;
  }
  Folder::NamedFolders named;
  const Result<Placed> placed = folder.place(*std::move(file), *Path::parse(step.to), {}, named);
  if (!placed) return std::unexpected(placed.error());
  const std::map<Path, Error> failed = folder.sync_names(named);
  return failed.empty() ? Result<void>() : std::unexpected(failed.begin()->second);
}

Result<void> finish_upload(Folder& folder, const std::string& id, UploadAbout about, int number,
                           const std::function<void(const std::string&)>& say) {
  constexpr std::size_t kPiece = 30'000;
  const std::string bytes = content(number);
  const Result<Fd> file = open_upload(folder, id);
  const Result<std::uint64_t> there = upload_bytes(folder, id);
  if (!file || !there) return std::unexpected(file ? there.error() : file.error());
  for (std::size_t at = *there; at < bytes.size(); at += kPiece) {
    const std::string_view piece = std::string_view(bytes).substr(at, kPiece);
    if (Result<void> appended = append(*file, at, piece); !appended) return appended;
    say(fmt::format("b {} {}", id, at + piece.size()));
  }
  const Result<Placed> placed = place_upload(folder, id, about);
  return placed ? Result<void>() : std::unexpected(placed.error());
}

Result<void> upload(Folder& folder, const Step& step, const std::function<void(const std::string&)>& say) {
  const UploadAbout about{.owner = DeviceId{1},
                          .bytes = content(step.number).size(),
                          .path = step.to,
                          .if_exists = UploadAbout::IfExists::kReplace,
                          .modified = {},
                          .metadata = std::to_string(step.number),
                          .placed = {},
                          .judged_bytes = {}};
  const Result<std::string> id = create_upload(folder, about);
  if (!id) return std::unexpected(id.error());
  say(fmt::format("b {} 0", *id));
  return finish_upload(folder, *id, about, step.number, say);
}

Result<void> make(Folder& folder, const Step& step, const std::function<void(const std::string&)>& say) {
  const Path from = *Path::parse(step.from);
  const Path to = *Path::parse(step.to);
  switch (step.deed) {
    case Deed::kPut:
      return step.number % 2 == 0 ? put_in_a_round(folder, step) : put(folder, step);
    case Deed::kUpload:
      return upload(folder, step, say);
    case Deed::kMakeFolder: {
      const Result<Entry> made = folder.make_folder(to);
      return made ? Result<void>() : std::unexpected(made.error());
    }
    case Deed::kRemove:
      return folder.remove(from);
    case Deed::kMove: {
      const Result<bool> moved = folder.move(from, to, step.replace);
      return moved ? Result<void>() : std::unexpected(moved.error());
    }
    case Deed::kCopy: {
      Result<Copied> copied = folder.copy_aside(from, to, step.replace, true);
      if (!copied) return std::unexpected(copied.error());
      const Result<bool> placed = folder.place_copy(*copied, from, to, step.replace);
      return placed ? Result<void>() : std::unexpected(placed.error());
    }
  }
  return {};
}

// Those that an upload has, though it could not be placed.
void tell_parents(const Folder& folder, const std::string& path, const std::function<void(const std::string&)>& say) {
  Tree parents;
  add_parents(parents, path);
  for (const auto& [parent, none] : parents) {
    const Result<Entry> there = folder.look(*Path::parse(parent));
    if (there && there->kind == Kind::kFolder) say("p " + parent);
  }
}

// One life: each step is announced and then acknowledged or refused, a line each.
[[noreturn]] void live(const fs::path& root, const std::vector<Step>& steps, int to) {
  const auto say = [to](const std::string& line) {
    const std::string text = line + "\n";
    if (::write(to, text.data(), text.size()) != static_cast<ssize_t>(text.size())) ::_exit(3);
  };
  const Result<std::unique_ptr<Folder>> folder = Folder::open(root);
  if (!folder) ::_exit(2);
  for (std::size_t i = 0; i < steps.size(); ++i) {
    say(fmt::format("s {}", i));
    const Result<void> made = make(**folder, steps[i], say);
    if (!made && steps[i].deed == Deed::kUpload) tell_parents(**folder, steps[i].to, say);
    say(made ? fmt::format("y {}", i) : fmt::format("n {} {}", i, code_name(made.error().code)));
  }
  ::_exit(0);
}

// --- in the parent

// A step, or a folder that is there since.
struct Made {
  std::size_t step = 0;
  std::string folder;
};

struct Life {
  std::vector<Made> made;
  bool lacked_room = false;
  std::optional<std::size_t> cut_short;
  std::map<std::string, std::uint64_t> uploaded;  // acknowledged bytes of uploads that were not placed
  int exit_code = 0;                              // -1: it was killed
};

// What a child has said, up to its end or so many lines.
void hear(int from, std::string& said, std::ptrdiff_t lines) {
  std::array<char, 4096> buffer{};
  while (std::ranges::count(said, '\n') < lines) {
    const ssize_t count = ::read(from, buffer.data(), buffer.size());
    if (count <= 0) return;
    said.append(buffer.data(), static_cast<std::size_t>(count));
  }
}

// Kills it a moment after it has said so many lines.
Life live_and_die(const fs::path& root, const std::vector<Step>& steps, int lines, unsigned micros) {
  std::array<int, 2> ends{};
  REQUIRE(::pipe2(ends.data(), O_CLOEXEC) == 0);
  const pid_t child = ::fork();
  if (child == 0) live(root, steps, ends[1]);
  REQUIRE(child > 0);  // or everybody would be killed
  ::close(ends[1]);
  std::string said;
  hear(ends[0], said, lines);
  ::usleep(micros);
  ::kill(child, SIGKILL);
  int status = 0;
  REQUIRE(::waitpid(child, &status, 0) == child);
  hear(ends[0], said, std::numeric_limits<std::ptrdiff_t>::max());
  ::close(ends[0]);
  Life life;
  life.exit_code = WIFEXITED(status) ? WEXITSTATUS(status) : -1;
  std::istringstream text(said);
  for (std::string line; std::getline(text, line);) {
    std::istringstream words(line.substr(2));
    std::string id;
    std::size_t number = 0;
    if (line.starts_with("b ") && words >> id >> number) life.uploaded[id] = number;
    if (line.starts_with("p ")) life.made.push_back({.step = 0, .folder = line.substr(2)});
    if (line.starts_with("b ") || !(words >> number)) continue;
    life.cut_short = line.starts_with("s ") ? std::optional(number) : std::nullopt;
    if (line.starts_with("y ")) life.made.push_back({.step = number, .folder = {}});
    if (line.ends_with(code_name(Code::kResourceExhausted))) life.lacked_room = true;
    if (!line.starts_with("s ")) life.uploaded.clear();
  }
  return life;
}

// What a test has seen, lest it has seen nothing.
struct Totals {
  std::size_t made = 0;
  int lacked_room = 0;
  std::map<Deed, int> cut_short;

  std::string text() const {
    std::string text = fmt::format("{} steps acknowledged, {} lives without room; died within", made, lacked_room);
    for (const auto& [deed, count] : cut_short) text += fmt::format(" {} {},", name_of(deed), count);
    text.back() = '\n';
    return text;
  }
};

class World {
 public:
  World(fs::path root, Totals& totals) : root_(std::move(root)), totals_(totals) {
    REQUIRE(Folder::open(root_).has_value());
    keeps_versions_ = ::setxattr(root_.c_str(), "user.hearth.probe", "1", 1, 0) == 0;
  }

  void live_once(std::vector<Step> steps, int lines, unsigned micros) {
    for (Step& step : steps) step.number = ++last_number_;
    const Life life = live_and_die(root_, steps, lines, micros);
    REQUIRE(life.exit_code <= 0);
    if (life.cut_short) ++totals_.cut_short[steps[*life.cut_short].deed];
    if (life.lacked_room) ++totals_.lacked_room;
    totals_.made += life.made.size();
    for (const Made& made : life.made) {
      if (!made.folder.empty()) {
        tree_.try_emplace(made.folder, std::nullopt);
        continue;
      }
      const Step& step = steps[made.step];
      tree_ = after(tree_, step);
      if (step.deed == Deed::kPut || step.deed == Deed::kUpload) acknowledged_.insert(step.number);
    }
    look(life.cut_short ? std::optional(steps[*life.cut_short]) : std::nullopt);
    if (life.cut_short && steps[*life.cut_short].deed == Deed::kUpload) go_on(steps[*life.cut_short], life.uploaded);
    nothing_is_lost();
  }

 private:
  // What is there is what was acknowledged, with the last step or without it.
  void look(const std::optional<Step>& last) {
    Tree now;
    for (fs::recursive_directory_iterator below(root_), end; below != end; ++below) {
      if (below->path().filename() == Path::kOwnFolder && below.depth() == 0) {
        below.disable_recursion_pending();
        continue;
      }
      const std::optional<int> number = below->is_directory() ? std::nullopt : number_of(below->path());
      REQUIRE(below->is_directory() || number.has_value());
      now["/" + below->path().lexically_relative(root_).string()] = number;
    }
    if (now != tree_) {
      REQUIRE(last.has_value());
      Tree with_parents = tree_;
      if (last->deed == Deed::kUpload) add_parents(with_parents, last->to);
      const bool some_parents =
          last->deed == Deed::kUpload && std::ranges::includes(now, tree_) && std::ranges::includes(with_parents, now);
      REQUIRE(now == after(tree_, *last) || now == halfway(tree_, *last) || some_parents);
    }
    tree_ = std::move(now);
  }

  // An upload that was cut short goes on where the disk says.
  void go_on(const Step& step, const std::map<std::string, std::uint64_t>& uploaded) {
    const Result<std::unique_ptr<Folder>> folder = Folder::open(root_);
    REQUIRE(folder.has_value());
    const Result<std::vector<KeptUpload>> kept = load_uploads(**folder);
    REQUIRE(kept.has_value());
    for (const auto& [id, bytes] : uploaded) {
      const auto found = std::ranges::find(*kept, id, &KeptUpload::id);
      REQUIRE(found != kept->end());
      const Result<std::uint64_t> there = upload_bytes(**folder, id);
      if (!there) {
        REQUIRE(tree_.contains(found->about.placed));
        REQUIRE(tree_[found->about.placed] == step.number);
        continue;
      }
      REQUIRE(*there >= bytes);
      const Result<void> finished = finish_upload(**folder, id, found->about, step.number, [](const std::string&) {});
      if (!finished) {  // a folder has the name, or the disk is full
        tell_parents(**folder, step.to,
                     [&](const std::string& line) { tree_.try_emplace(line.substr(2), std::nullopt); });
        continue;
      }
      tree_ = after(tree_, step);
      acknowledged_.insert(step.number);
      look(std::nullopt);
    }
  }

  // Every content that was ever acknowledged is in the drive, in the trash or a version, and whole.
  void nothing_is_lost() {
    std::set<int> found;
    for (const fs::directory_entry& one : fs::recursive_directory_iterator(root_)) {
      if (!one.is_regular_file()) continue;
      const std::string place = one.path().lexically_relative(root_);
      const bool is_on_its_way = place.starts_with(".hearth/new/") || place.starts_with(".hearth/uploads/");
      const std::optional<int> number = number_of(one.path());
      if (number && !is_on_its_way) found.insert(*number);
      if (place.starts_with(".hearth/versions/")) REQUIRE(number.has_value());
    }
    if (keeps_versions_) REQUIRE(std::ranges::includes(found, acknowledged_));
  }

  fs::path root_;
  Totals& totals_;
  Tree tree_;
  std::set<int> acknowledged_;
  int last_number_ = 0;
  bool keeps_versions_ = false;
};

// The first cases are not to be smaller ones, as rapidcheck has it.
template <class T>
rc::Gen<T> full_sized(rc::Gen<T> gen) {
  return rc::gen::resize(rc::kNominalSize, std::move(gen));
}

bool nothing_acknowledged_is_lost(const fs::path& where, int cases) {
  const std::string parameters = fmt::format("seed=20261127 max_success={}", cases);
  ::setenv("RC_PARAMS", parameters.c_str(), 0);
  int number = 0;
  Totals totals;
  const bool is_so = rc::check("kill -9 loses nothing", [&] {
    const fs::path root = where / std::to_string(++number);
    World world(root, totals);
    for (int i = 0; i < kLives; ++i) {
      const auto steps = *rc::gen::container<std::vector<Step>>(12, any_step());
      world.live_once(steps, *full_sized(rc::gen::inRange(0, 30)), *full_sized(rc::gen::inRange(0U, 600U)));
    }
    fs::remove_all(root);
  });
  std::fputs(totals.text().c_str(), stderr);
  return is_so && totals.made > static_cast<std::size_t>(cases) && totals.cut_short.size() > 3;
}

TEST(DriveTorture, KillingItLosesNothingAcknowledged) {
  const blob::TemporaryDirectory scratch;
  EXPECT_TRUE(nothing_acknowledged_is_lost(scratch.path(), 100));
}

// In the child: a disk of its own that has room for little more than what stays free.
int torture_on_a_full_disk(const fs::path& place) {
  const auto write_file = [](const char* path, const std::string& text) {
    std::ofstream file(path);
    return static_cast<bool>(file << text << std::flush);
  };
  const std::string user = fmt::format("0 {} 1", ::getuid());
  const std::string group = fmt::format("0 {} 1", ::getgid());
  if (::unshare(CLONE_NEWNS) != 0 &&
      !(::unshare(CLONE_NEWUSER | CLONE_NEWNS) == 0 && write_file("/proc/self/uid_map", user) &&
        write_file("/proc/self/setgroups", "deny") && write_file("/proc/self/gid_map", group))) {
    return kNoNamespaces;
  }
  const std::string size = fmt::format("size={}", kKeptFree + 500'000);
  if (::mount("none", "/", nullptr, MS_REC | MS_PRIVATE, nullptr) != 0 ||
      ::mount("tmpfs", place.c_str(), "tmpfs", 0, size.c_str()) != 0) {
    return kNoNamespaces;
  }
  return nothing_acknowledged_is_lost(place, 30) ? 0 : 1;
}

TEST(DriveTorture, AFullDiskLosesNothingAcknowledged) {
  const blob::TemporaryDirectory scratch;
  const pid_t child = ::fork();
  if (child == 0) ::_exit(torture_on_a_full_disk(scratch.path()));
  int status = 0;
  ASSERT_EQ(::waitpid(child, &status, 0), child);
  ASSERT_TRUE(WIFEXITED(status));
  ASSERT_NE(WEXITSTATUS(status), kNoNamespaces)
      << "this machine allows no user and mount namespaces: the test cannot mount its small disk";
  EXPECT_EQ(WEXITSTATUS(status), 0);
}

}  // namespace
}  // namespace hearth::drive
