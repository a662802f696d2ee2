#include "sandbox/microvm/parcel.h"

#include <cerrno>
#include <set>

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/bytes.h"
#include "sandbox/microvm/wire.h"

namespace hearth::sandbox {
namespace {

constexpr std::uint64_t kMaxInputBytes = 4ULL << 30;
constexpr std::uint64_t kBlockBytes = 4096;
constexpr std::size_t kMaxFilterBytes = 1 << 20;

class Packer {
 public:
  explicit Packer(int file) : file_(file) {}

  Result<void> put(const wire::Header& header, std::string_view name, std::string_view content) {
    wire::Header full = header;
    full.name_bytes = static_cast<std::uint16_t>(name.size());
    full.size = content.size();
    Result<void> done = begin(full, name);
    return done ? write(content) : done;
  }

  Result<void> put_file(std::string_view path, int source, std::uint8_t flags) {
    struct stat info{};
    if (::fstat(source, &info) != 0) return fail_errno(errno, "reading an input");
    if ((info.st_mode & S_IXUSR) != 0) flags |= wire::kExecutable;
    auto size = static_cast<std::uint64_t>(info.st_size);
    Result<void> done = begin({.kind = wire::Kind::kFile,
                               .flags = flags,
                               .name_bytes = static_cast<std::uint16_t>(path.size()),
                               .size = size},
                              path);
    char piece[64 << 10];
    for (std::uint64_t left = size; done && left > 0;) {
      ssize_t count = ::read(source, piece, std::min<std::uint64_t>(sizeof piece, left));
      if (count <= 0) return fail(Code::kDataLoss, "an input became shorter while it was read");
      done = write({piece, static_cast<std::size_t>(count)});
      left -= static_cast<std::uint64_t>(count);
    }
    return done;
  }

  // A disk has whole blocks.
  Result<void> finish() {
    Result<void> done = put({.kind = wire::Kind::kEnd}, "", "");
    std::string padding(kBlockBytes - written_ % kBlockBytes, '\0');
    return done ? write(padding) : done;
  }

 private:
  Result<void> begin(const wire::Header& header, std::string_view name) {
    std::array<char, wire::kHeaderBytes> bytes = wire::encode(header);
    Result<void> done = write({bytes.data(), bytes.size()});
    return done ? write(name) : done;
  }

  Result<void> write(std::string_view bytes) {
    written_ += bytes.size();
    while (!bytes.empty()) {
      ssize_t count = ::write(file_, bytes.data(), bytes.size());
      if (count < 0) return fail_errno(errno, "packing inputs");
      bytes.remove_prefix(static_cast<std::size_t>(count));
    }
    return {};
  }

  int file_;
  std::uint64_t written_ = 0;
};

Result<void> put_limits(Packer& packer, const LaunchOrder& order) {
  auto put = [&packer](std::string_view name, std::uint64_t number) {
    return packer.put({.kind = wire::Kind::kLimit}, name, std::to_string(number));
  };
  Result<void> done = put(wire::kLimitProcesses, order.limits.max_processes);
  if (done) done = put(wire::kLimitOpenFiles, order.limits.max_open_files);
  if (done) done = put(wire::kLimitMemoryBytes, order.limits.memory_bytes);
  if (done) done = put(wire::kLimitCpuSeconds, order.limits.cpu_seconds);
  std::uint64_t scratch =
      order.limits.scratch_bytes + order.limits.disk_bytes + size_of_inputs(order.directory.inputs());
  if (done) done = put(wire::kLimitScratchBytes, scratch);
  return done;
}

Result<void> put_all(Packer& packer, const LaunchOrder& order, const std::string& filter) {
  Result<void> done = put_limits(packer, order);
  for (const std::string& argument : order.command.argv) {
    if (done) done = packer.put({.kind = wire::Kind::kArgument}, "", argument);
  }
  for (const auto& [name, value] : order.command.variables) {
    if (name.size() > wire::kMaxNameBytes) return fail(Code::kResourceExhausted, "a variable's name is too long");
    if (done) done = packer.put({.kind = wire::Kind::kVariable}, name, value);
  }
  if (done) done = packer.put({.kind = wire::Kind::kFilter}, "", read_text(filter, kMaxFilterBytes));
  std::set<std::string_view> bound;
  for (const BoundFile& file : order.command.bound_files) bound.insert(file.path);
  for (const auto& [path, state] : order.directory.inputs()) {
    if (!done) break;
    Result<int> opened = order.directory.open_file(path);
    if (!opened) return std::unexpected(opened.error());
    Fd file(*opened);
    done = packer.put_file(path, file.get(), bound.contains(path) ? wire::kReadOnly : std::uint8_t{0});
  }
  return done ? packer.finish() : done;
}

}  // namespace

std::uint64_t size_of_inputs(const Inputs& inputs) {
  std::uint64_t size = 0;
  for (const auto& [path, state] : inputs) {
    size += (static_cast<std::uint64_t>(state.size) + kBlockBytes - 1) / kBlockBytes * kBlockBytes;
  }
  return size;
}

Result<Fd> pack_parcel(const LaunchOrder& order, const std::string& filter) {
  if (size_of_inputs(order.directory.inputs()) > kMaxInputBytes) {
    return fail(Code::kResourceExhausted, "the inputs have more than " + format_bytes(kMaxInputBytes) +
                                              ", which is all that a microVM takes; split them over several tasks");
  }
  Fd file(::memfd_create("hearth-parcel", MFD_CLOEXEC));
  if (!file) return fail_errno(errno, "making a memory file");
  Packer packer(file.get());
  if (Result<void> done = put_all(packer, order, filter); !done) return std::unexpected(done.error());
  // Whoever is given it can read it and no more.
  Fd readable(::open(("/proc/self/fd/" + std::to_string(file.get())).c_str(), O_RDONLY | O_CLOEXEC));
  if (!readable) return fail_errno(errno, "opening a memory file");
  return readable;
}

}  // namespace hearth::sandbox
