// Opening a Host: everything that must be there before the first sandbox.
#include <cerrno>
#include <mutex>

#include <fcntl.h>
#include <sys/file.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/log.h"
#include "sandbox/box.h"
#include "sandbox/doctor.h"
#include "sandbox/fence/fence.h"
#include "sandbox/levels.h"
#include "sandbox/microvm/microvm.h"
#include "sandbox/oci/oci.h"
#include "sandbox/seccomp.h"
#include "sandbox/swap.h"
#include "sandbox/traces.h"
#include "sandbox/vault.h"

namespace hearth::sandbox {
namespace {

constexpr std::uint64_t kPlaceBytes = 64ULL << 20;
constexpr std::uint64_t kMemoryFiles = 1'000'000;
constexpr std::size_t kMaxNameBytes = 64;

// A short name that differs between state directories (FNV-1a).
std::string tag_of(const std::string& path) {
  std::uint64_t hash = 14695981039346656037ULL;
  for (char c : path) hash = (hash ^ static_cast<unsigned char>(c)) * 1099511628211ULL;
  std::string tag;
  for (int i = 0; i < 12; ++i, hash >>= 4) tag += "0123456789abcdef"[hash & 15];
  return tag;
}

bool is_name(const std::string& name) {
  return !name.empty() && name.size() <= kMaxNameBytes &&
         name.find_first_not_of("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-") == std::string::npos;
}

class HostOfBoxes final : public Host {
 public:
  HostOfBoxes(Shared shared, Oci& oci, Fd lock) : lock_(std::move(lock)), shared_(std::move(shared)), oci_(oci) {}
  ~HostOfBoxes() override;

  Result<std::unique_ptr<Sandbox>> prepare(const std::string& name, const Limits& limits, const Setup& setup) override;
  Result<std::filesystem::path> memory_directory(std::uint64_t bytes) override;
  Result<std::filesystem::path> encrypted_directory() override { return shared_.vault->shown(); }
  bool has_lost_files() const override { return shared_.vault->has_died(); }
  void use_oci_runtime(const std::string& command) override;
  std::vector<LevelReport> levels() override;
  void stop_trying() override { stop_trying_.request_stop(); }
  std::vector<Check> self_test() override { return run_self_test(*this, shared_); }
  std::vector<std::string> traces(const std::string& name) const override { return find_traces(shared_, name); }
  std::string full_network_lack() const override { return shared_.network_tools.missing(); }
  std::string overlay_lack() const override { return shared_.network_tools.overlay_lack(); }
  std::string swap_risk() const override;
  std::vector<std::string> storage_of(Level level) const override;
  std::string description() const override { return "fence (L1), " + shared_.cgroups->version(); }

 private:
  Fd lock_;
  Shared shared_;
  std::unique_ptr<Mount> memory_;  // nullptr: nobody asked for it
  Oci& oci_;                       // one of the launchers
  std::mutex trying_;
  std::stop_source stop_trying_;
  std::vector<LevelReport> levels_;  // guarded by trying_; empty: not tried yet
};

std::string HostOfBoxes::swap_risk() const {
  if (shared_.cgroups->keeps_memory_from_swap()) return "";
  const std::vector<std::string> spaces = plain_swap();
  if (spaces.empty()) return "";
  return "what guests have in memory may be written to swap that is not encrypted (" + spaces.front() +
         "): encrypt it, switch it off with swapoff -a, or run the node where it may make control groups that limit "
         "swap";
}

std::vector<std::string> HostOfBoxes::storage_of(Level level) const {
  std::vector<std::string> kinds = {"memory"};
  if (shared_.vault->is_open()) kinds.emplace_back("disk, under a key that existed in memory only");
  if (level == Level::kMicroVm) kinds.emplace_back("disk, under a key that existed in the virtual machine only");
  return kinds;
}

HostOfBoxes::~HostOfBoxes() {
  shared_.reactor.reset();
  memory_.reset();
  shared_.vault.reset();
  if (Result<void> gone = unmount(shared_.place); !gone) log_error(gone.error().message);
  // Only the ordinary user's place is ours to remove.
  if (!shared_.user.drop) ::rmdir(shared_.place.c_str());
}

Result<std::unique_ptr<Sandbox>> HostOfBoxes::prepare(const std::string& name, const Limits& limits,
                                                      const Setup& setup) {
  if (!is_name(name)) return fail(Code::kInvalidArgument, "'" + name + "' is no name of a sandbox");
  if (!shared_.launchers.contains(setup.level)) {
    return fail(Code::kFailedPrecondition,
                "this node has nothing for the level '" + std::string(name_of(setup.level)) + "'");
  }
  Result<std::unique_ptr<Box>> box = Box::make(shared_, name, limits, setup);
  if (!box) return std::unexpected(box.error());
  return std::unique_ptr<Sandbox>(std::move(*box));
}

Result<std::filesystem::path> HostOfBoxes::memory_directory(std::uint64_t bytes) {
  if (memory_) return memory_->where();
  const GuestUser self{.drop = false, .uid = ::geteuid(), .gid = ::getegid()};
  Result<std::unique_ptr<Mount>> made =
      Mount::make(shared_.place + "/memory", {.bytes = bytes, .files = kMemoryFiles, .mode = 0700, .owner = self});
  if (!made) return std::unexpected(made.error());
  memory_ = std::move(*made);
  return memory_->where();
}

void HostOfBoxes::use_oci_runtime(const std::string& command) {
  std::lock_guard lock(trying_);
  if (oci_.use(command)) levels_.clear();
}

std::vector<LevelReport> HostOfBoxes::levels() {
  std::lock_guard lock(trying_);
  if (levels_.empty()) levels_ = try_levels(*this, shared_, stop_trying_.get_token());
  return levels_;
}

Result<Fd> lock_state_directory(const std::filesystem::path& directory) {
  std::error_code error;
  std::filesystem::create_directories(directory, error);
  if (error || ::chmod(directory.c_str(), 0700) != 0) {
    return fail_errno(error ? error.value() : errno, "making " + directory.string());
  }
  Fd lock(::open((directory / "lock").c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600));
  if (!lock) return fail_errno(errno, "opening " + (directory / "lock").string());
  if (::flock(lock.get(), LOCK_EX | LOCK_NB) != 0) {
    return fail(Code::kFailedPrecondition, "another process uses the sandbox directory " + directory.string());
  }
  return lock;
}

Result<void> fill_place(const std::string& place) {
  GuestUser self{.drop = false, .uid = ::geteuid(), .gid = ::getegid()};
  // Guests walk through it to their own directory and can list nothing.
  Result<void> done = mount_tmpfs(place, {.bytes = kPlaceBytes, .files = 100'000, .mode = 0711, .owner = self});
  if (!done) return done;
  done = build_root(place + "/root");
  if (done) done = write_filter(place + "/filter", Caller::kProgram);
  if (done) done = write_filter(place + "/filter-member", Caller::kMember);
  for (const char* name : {"/boxes", "/networks", "/shown"}) {
    std::string directory = place + name;
    if (done && (::mkdir(directory.c_str(), 0711) != 0 || ::chmod(directory.c_str(), 0711) != 0)) {
      done = fail_errno(errno, "making " + directory);
    }
  }
  if (!done) static_cast<void>(unmount(place));
  return done;
}

}  // namespace

Result<std::unique_ptr<Host>> Host::open(const Options& options) {
  Result<Bubblewrap> bubblewrap = find_bubblewrap(options.bwrap);
  if (!bubblewrap) return std::unexpected(bubblewrap.error());
  Result<Fd> lock = lock_state_directory(options.state_directory);
  if (!lock) return std::unexpected(lock.error());
  std::filesystem::path state_directory = std::filesystem::canonical(options.state_directory);

  Shared shared;
  shared.bubblewrap = std::move(*bubblewrap);
  shared.network_tools = find_network_tools();
  // Groups first: they end what an earlier process left running.
  shared.cgroups = CgroupTree::open(tag_of(state_directory), options.cpu_weight, options.foreground_weight);
  Result<GuestUser> user = enter_private_namespace();
  if (!user) return std::unexpected(user.error());
  shared.user = *user;
  Result<std::string> place = choose_place(state_directory, *user);
  if (!place) return std::unexpected(place.error());
  shared.place = *place;
  shared.network_tools.bwrap = shared.bubblewrap.program;
  shared.network_tools.root = shared.place + "/root";
  Result<void> filled = fill_place(*place);
  if (!filled) return fail(Code::kFailedPrecondition, "setting up the sandbox: " + filled.error().message);
  // Process 1 of a sandbox outlives bubblewrap by a moment; as our child it stays known until it is waited for.
  if (::prctl(PR_SET_CHILD_SUBREAPER, 1) != 0) return fail_errno(errno, "becoming a subreaper");
  shared.launchers.emplace(Level::kFence, std::make_unique<Fence>(shared.bubblewrap));
  auto oci = std::make_unique<Oci>(shared.bubblewrap, shared.place);
  Oci& plug = *oci;
  shared.launchers.emplace(Level::kOci, std::move(oci));
  shared.launchers.emplace(Level::kMicroVm, std::make_unique<MicroVm>(MicroVm::World{.bubblewrap = shared.bubblewrap,
                                                                                     .place = shared.place,
                                                                                     .state_directory = state_directory,
                                                                                     .options = options.microvm}));
  shared.reactor = std::make_unique<Reactor>();
  const std::filesystem::path cipher = state_directory / "vault";
  std::error_code error;
  std::filesystem::remove_all(cipher, error);  // whose key is gone
  shared.vault = std::make_unique<VaultOnDemand>(
      Vault::Places{.cipher = cipher, .where = shared.place + "/vault", .memory = shared.place, .user = shared.user});
  return std::make_unique<HostOfBoxes>(std::move(shared), plug, std::move(*lock));
}

}  // namespace hearth::sandbox
