// Process 1 of a microVM: unpacks what it was given, runs the program, sends back what that left, and ends the machine.
// As any other process it does nothing and succeeds (see build_root()).
#include <algorithm>
#include <array>
#include <cerrno>
#include <filesystem>
#include <map>

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "sandbox/fd.h"
#include "sandbox/microvm/init/machine.h"
#include "sandbox/microvm/init/program.h"
#include "sandbox/microvm/wire.h"

namespace hearth::sandbox::init {
namespace {

struct Seen {
  ino_t inode = 0;
  off_t size = 0;
  timespec changed{};
};

Seen seen(const struct stat& info) { return {.inode = info.st_ino, .size = info.st_size, .changed = info.st_mtim}; }

// Reads the parcel: first for the program alone, when there is no root yet, then for the files.
class Parcel final : public wire::Reader::Sink {
 public:
  enum class Take : std::uint8_t { kProgram, kFiles };

  Result<void> read(const std::string& disk, Take what) {
    what_ = what;
    Fd file(::open(disk.c_str(), O_RDONLY | O_CLOEXEC));
    if (!file) return fail_errno(errno, "opening the parcel");
    wire::Reader reader(*this);
    std::array<char, 64 << 10> piece;
    while (!reader.ended()) {
      ssize_t count = ::read(file.get(), piece.data(), piece.size());
      if (count <= 0) return fail(Code::kDataLoss, "the parcel is cut short");
      Result<void> done = reader.feed({piece.data(), static_cast<std::size_t>(count)});
      if (!done) return done;
    }
    return {};
  }

  const Program& program() const { return program_; }
  const std::map<std::string, Seen>& files() const { return files_; }

 private:
  Result<void> on_record(const wire::Header& header, std::string_view name) override {
    kind_ = header.kind;
    name_ = name;
    text_.clear();
    if (kind_ != wire::Kind::kFile || what_ != Take::kFiles) return {};
    std::string path = std::string(kJob) + "/" + name_;
    for (std::size_t slash = path.find('/', std::string(kJob).size() + 1); slash != std::string::npos;
         slash = path.find('/', slash + 1)) {
      std::string folder = path.substr(0, slash);
      if (::mkdir(folder.c_str(), 0755) == 0) static_cast<void>(::chown(folder.c_str(), kGuest, kGuest));
    }
    bool executable = (header.flags & wire::kExecutable) != 0;
    sealed_ = (header.flags & wire::kReadOnly) != 0;
    file_.reset(::open(path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600));
    const unsigned owner = sealed_ ? 0 : kGuest;
    if (!file_ || ::fchown(file_.get(), owner, owner) != 0 || ::fchmod(file_.get(), executable ? 0755 : 0644) != 0) {
      return fail_errno(errno, "laying out " + name_);
    }
    return {};
  }

  Result<void> on_content(std::string_view piece) override {
    if (kind_ != wire::Kind::kFile) text_ += piece;
    while (file_ && !piece.empty()) {
      ssize_t count = ::write(file_.get(), piece.data(), piece.size());
      if (count < 0) return fail_errno(errno, "laying out " + name_);
      piece.remove_prefix(static_cast<std::size_t>(count));
    }
    return {};
  }

  Result<void> on_record_end() override {
    struct stat info{};
    if (file_ && ::fstat(file_.get(), &info) == 0) files_[name_] = seen(info);
    if (file_ && sealed_) {
      file_.reset();
      return seal(std::string(kJob) + "/" + name_);
    }
    file_.reset();
    if (what_ != Take::kProgram) return {};
    if (kind_ == wire::Kind::kArgument) program_.argv.push_back(std::move(text_));
    if (kind_ == wire::Kind::kVariable) program_.variables.emplace_back(name_, std::move(text_));
    if (kind_ == wire::Kind::kFilter) program_.filter = std::move(text_);
    if (kind_ == wire::Kind::kLimit) take_limit(std::strtoull(text_.c_str(), nullptr, 10));
    return {};
  }

  void take_limit(std::uint64_t number) {
    if (name_ == wire::kLimitProcesses) program_.processes = number;
    if (name_ == wire::kLimitOpenFiles) program_.open_files = number;
    if (name_ == wire::kLimitMemoryBytes) program_.memory_bytes = number;
    if (name_ == wire::kLimitCpuSeconds) program_.cpu_seconds = number;
    if (name_ == wire::kLimitScratchBytes) program_.scratch_bytes = number;
  }

  Take what_ = Take::kProgram;
  Program program_;
  std::map<std::string, Seen> files_;
  wire::Kind kind_ = wire::Kind::kEnd;
  std::string name_;
  std::string text_;
  Fd file_;
  bool sealed_ = false;
};

class Port {
 public:
  explicit Port(int file) : file_(file) {}

  void send(wire::Header header, std::string_view name, std::string_view content) const {
    header.size = content.size();
    begin(header, name);
    write(content);
  }

  // Exactly `size` bytes: nobody else is left who could change the file.
  void send_file(const std::string& name, const std::filesystem::path& path, const struct stat& info) const {
    Fd file(::open(path.c_str(), O_RDONLY | O_NOFOLLOW | O_CLOEXEC));
    if (!file) return;
    std::uint8_t flags = (info.st_mode & S_IXUSR) != 0 ? wire::kExecutable : 0;
    begin({.kind = wire::Kind::kFile, .flags = flags, .size = static_cast<std::uint64_t>(info.st_size)}, name);
    std::array<char, 64 << 10> piece;
    for (auto left = static_cast<std::uint64_t>(info.st_size); left > 0;) {
      ssize_t count = ::read(file.get(), piece.data(), std::min<std::uint64_t>(piece.size(), left));
      if (count <= 0) power_off();
      write({piece.data(), static_cast<std::size_t>(count)});
      left -= static_cast<std::uint64_t>(count);
    }
  }

 private:
  void begin(wire::Header header, std::string_view name) const {
    header.name_bytes = static_cast<std::uint16_t>(name.size());
    std::array<char, wire::kHeaderBytes> bytes = wire::encode(header);
    write({bytes.data(), bytes.size()});
    write(name);
  }

  void write(std::string_view bytes) const {
    while (!bytes.empty()) {
      ssize_t count = ::write(file_, bytes.data(), bytes.size());
      if (count <= 0) power_off();
      bytes.remove_prefix(static_cast<std::size_t>(count));
    }
  }

  int file_;
};

// Regular files that are new or changed, and the names of inputs that are gone.
void send_results(const Port& port, const std::map<std::string, Seen>& inputs) {
  std::map<std::string, Seen> left = inputs;
  std::error_code error;
  using Walk = std::filesystem::recursive_directory_iterator;
  for (Walk at(kJob, std::filesystem::directory_options::skip_permission_denied, error), end; !error && at != end;
       at.increment(error)) {
    struct stat info{};
    if (::lstat(at->path().c_str(), &info) != 0 || !S_ISREG(info.st_mode)) continue;
    std::string name = at->path().string().substr(std::string(kJob).size() + 1);
    if (name.size() > wire::kMaxNameBytes) continue;
    auto input = left.find(name);
    bool same = input != left.end() && input->second.inode == info.st_ino && input->second.size == info.st_size &&
                input->second.changed.tv_sec == info.st_mtim.tv_sec &&
                input->second.changed.tv_nsec == info.st_mtim.tv_nsec;
    if (input != left.end()) left.erase(input);
    if (!same) port.send_file(name, at->path(), info);
  }
  for (const auto& [name, state] : left) port.send({.kind = wire::Kind::kRemoved}, name, "");
}

// Returns only if something failed.
Error run() {
  Result<void> done = start_devices();
  if (!done) return done.error();
  std::map<std::string, std::string> disks;
  for (const char* name : {wire::kImageDisk, wire::kParcelDisk, wire::kScratchDisk}) {
    Result<std::string> disk = find_disk(name);
    if (!disk) return disk.error();
    disks[name] = *disk;
  }
  Result<std::string> port_node = find_port(wire::kPort);
  if (!port_node) return port_node.error();
  Fd port_file(::open(port_node->c_str(), O_RDWR | O_CLOEXEC));
  if (!port_file) return fail_errno(errno, "opening the port").error();
  Port port(port_file.get());

  Parcel parcel;
  done = parcel.read(disks[wire::kParcelDisk], Parcel::Take::kProgram);
  if (done) done = encrypt_as_swap(disks[wire::kScratchDisk]);
  if (done) done = build_root(disks[wire::kImageDisk], parcel.program().scratch_bytes);
  if (done) done = parcel.read(disks[wire::kParcelDisk], Parcel::Take::kFiles);
  if (!done) return done.error();
  auto send = [&port](const wire::Header& header, std::string_view name, std::string_view content) {
    port.send(header, name, content);
  };
  if (run_program(parcel.program(), send)) send_results(port, parcel.files());
  port.send({.kind = wire::Kind::kEnd}, "", "");
  // What the port was given may wait for the monitor still, and would go with the machine: it is ended by whoever hears
  // that this was all.
  for (;;) ::pause();
}

}  // namespace
}  // namespace hearth::sandbox::init

int main() {
  if (::getpid() != 1) return 0;
  const hearth::Error error = hearth::sandbox::init::run();
  ::dprintf(2, "hearth: %s\n", error.message.c_str());
  hearth::sandbox::init::power_off();
}
