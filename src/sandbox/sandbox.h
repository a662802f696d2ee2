// Runs one program isolated and leaves nothing behind, at a level of isolation that the owner chose.
//
//   // Once, before there are threads: enters a mount namespace of its own.
//   Result<std::unique_ptr<Host>> host = Host::open({.state_directory = home / "sandbox"});
//   // An empty working directory, box->directory().
//   Result<std::unique_ptr<Sandbox>> box = (*host)->prepare("17-3-1", limits, {.level = Level::kFence});
//   ... lay out inputs with create_file() ...
//   Result<void> started = box->start(command, on_output, on_exit);
//   ... on_exit: read results with collect(), then destroy the Sandbox: every process, mount, cgroup and file of it is
//   gone.
//
// All calls block for at most a few milliseconds but for collect() and the destructor (worker threads may call those).
// One thread at a time per Sandbox.
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "base/time.h"
#include "sandbox/gpu.h"

namespace hearth::sandbox {

// Rungs of a ladder: the higher, the less of the owner's PC a hostile program could reach.
//   kFence    bubblewrap with every namespace, an allow-list of system calls, no capabilities, cgroup limits
//   kOci      a container by an OCI runtime of the owner's choice (crun, runsc, krun...), which decides what it is
//   worth kMicroVm  a kernel of its own, in a virtual machine whose monitor runs in the fence
enum class Level : std::uint8_t { kFence = 1, kOci = 2, kMicroVm = 3 };

std::string_view name_of(Level level);  // "fence", "oci", "microvm"
std::optional<Level> level_named(std::string_view name);

// A network that a guest shares with others of its kind elsewhere, see overlay_network.h.
struct Overlay {
  std::string config;             // nebula's; its device is kOverlayDevice
  std::uint32_t address = 0;      // the guest's IPv4 address, the first byte the highest
  int prefix_bits = 24;           // of the network's
  std::uint16_t port = 0;         // UDP, that nebula sends from
  bool reaches_loopback = false;  // what nebula sends to kCarrierGateway goes to this PC's own loopback
  std::string host_name;          // the guest's
  std::string hosts;              // its /etc/hosts
};
inline constexpr const char* kOverlayDevice = "gang0";
inline constexpr const char* kCarrierGateway = "169.254.77.1";

// What a guest reaches of the network.
struct Network {
  enum class Kind : std::uint8_t {
    kNone,     // nothing
    kProxy,    // what the proxy does that the caller serves behind sockets in the sandbox, see guest_network.h
    kFull,     // the Internet, but for `refused`; see full_network.h
    kOverlay,  // `overlay` and nothing else; at the level fence
  };
  Kind kind = Kind::kNone;
  // kProxy: given each listening socket (non-blocking, the callee's to close) before the program starts; any thread.
  std::function<void(int listener)> on_listener;
  std::vector<std::string> refused;  // kFull: ranges, "10.0.0.0/8", "fc00::/7"
  Overlay overlay = {};              // kOverlay
};

// What a sandbox stands on. Chosen by the owner's policy, never by the guest.
struct Setup {
  Level level = Level::kFence;
  std::filesystem::path root;       // the unpacked environment, shown read-only as /; empty: the host's own /usr
  std::filesystem::path image;      // the same environment as a squashfs file, for a microVM
  std::filesystem::path workspace;  // a directory that outlives the job, shown writable at /workspace; it is handed to
                                    // the guests' user. Empty: none
  Network network;
};

struct MicroVmOptions {
  std::filesystem::path directory;  // a Debian kernel package unpacked (hearth microvm fetch); empty: no microVMs
  std::string qemu = "qemu-system-x86_64";
  // Without the processor's help. QEMU's authors promise no isolation for that, so it is for tests and nothing else.
  bool insecure_tcg_for_tests = false;
};

struct Options {
  std::filesystem::path state_directory;  // ours alone, mode 0700; what a crash left there is swept by open()
  std::string bwrap = "bwrap";
  // Of a contended processor, in percent of an ordinary group's share: guests yield to the owner's own programs. Where
  // cgroups allow it.
  // 1: only what nobody else wants at all.
  std::uint32_t cpu_weight = 10;
  // The same while there is a sandbox in the foreground (Limits), most of which that one gets; 0: as it was.
  std::uint32_t foreground_weight = 0;
  MicroVmOptions microvm;
};

struct Limits {
  std::uint32_t cores = 1;  // cpu time per wall time, where cgroups allow it
  // Processes and files of the working directory together, where cgroups allow it; in a microVM, whose files may lie on
  // its own disk, processes alone.
  std::uint64_t memory_bytes = 1ULL << 30;
  std::uint64_t scratch_bytes = 1ULL << 30;  // the working directory; /tmp has as much again
  // If not 0, both lie on the disk instead, in the vault (vault.h), and are to hold so much together. Nothing enforces
  // that but whoever measures Sandbox::disk() now and then, and `max_file_bytes`.
  std::uint64_t disk_bytes = 0;
  std::uint32_t max_processes = 1024;
  std::uint32_t max_open_files = 4096;
  std::uint64_t cpu_seconds = 0;     // of each process; 0: no limit
  bool foreground = false;           // a person waits for what it shows
  std::uint64_t max_file_bytes = 0;  // of each file that the program writes; 0: no limit
};

struct BoundFile {  // a large input that is shown in place instead of being copied
  std::filesystem::path source;
  std::string path;  // relative to the working directory, see is_safe_relative_path()
};

struct Command {
  std::vector<std::string>
      argv;  // argv[0]: with '/' relative to the working directory or absolute in the sandbox, else looked up in PATH
  std::vector<std::pair<std::string, std::string>> variables;
  std::vector<BoundFile> bound_files;
  std::vector<Gpu> gpus;  // lent to the program
  // Only a host whose guests run elsewhere looks at these; else whoever started the program sees to them.
  std::vector<std::string> outputs = {};  // what collect() will be asked for
  bool outputs_may_lack = false;          // see CollectLimits
  Duration time_limit = {};               // of the running program; 0: none
};

enum class Stream : std::uint8_t { kStdout = 1, kStderr = 2 };

// How a program came to its end.
enum class Fate : std::uint8_t {
  kEnded,      // by itself, by a limit, or by kill()
  kTimeLimit,  // Command::time_limit was over
  kLost,       // what it ran on died, or could not run it: none of the program's doing
  kTakenBack,  // whoever lends what it ran on wanted it back, or had no room for it
};

struct Exit {
  bool started = false;  // false: the program could not be executed; message says why
  int exit_code = -1;    // 128 + signal if a signal ended it
  bool signalled = false;
  bool out_of_memory = false;
  std::string message;
  std::uint64_t wall_micros = 0;
  std::uint64_t cpu_micros = 0;         // 0: unknown
  std::uint64_t peak_memory_bytes = 0;  // 0: unknown
  Fate fate = Fate::kEnded;             // else only from a host whose guests run elsewhere; message says more
};

struct Output {
  std::string path;  // relative to the working directory
  std::uint64_t size = 0;
  bool executable = false;
};

struct CollectLimits {
  std::uint32_t max_files = 10'000;
  std::uint64_t max_bytes = 16ULL << 30;
  bool may_lack = false;         // a pattern may match nothing
  bool takes_what_fits = false;  // and what is refused, or too much, is passed over
};

// Whether `path` is relative, '/'-separated, without empty, "." or ".." parts, control characters or ill-formed UTF-8,
// at most 4096 bytes, no part over 255.
bool is_safe_relative_path(std::string_view path);

// glob(7) per part; "**" matches any number of parts.
bool matches_pattern(std::string_view pattern, std::string_view path);

class Sandbox {
 public:
  virtual ~Sandbox() = default;  // kills, unmounts, removes, verifies; logs an error if something would not go

  // The working directory as this process sees it; writable until start().
  virtual const std::filesystem::path& directory() const = 0;

  // Where this process sees what the guest has on the disk, to be measured (directory_tree.h); empty: there is nothing.
  virtual std::filesystem::path disk() const = 0;

  // Makes a file of the working directory, parents included, for a safe relative path. Errors: kInvalidArgument,
  // kResourceExhausted, kAlreadyExists.
  virtual Result<int> create_file(std::string_view path,
                                  bool executable) = 0;  // an open descriptor; the caller closes it

  // Starts the program. The callbacks come from a thread of the Host: output in pieces of at most 64 KiB (it blocks the
  // program's pipe while it runs), then exactly one exit, after the last output and after every process of the sandbox
  // is gone.
  virtual Result<void> start(const Command& command, std::function<void(Stream, std::string_view)> on_output,
                             std::function<void(const Exit&)> on_exit) = 0;

  // start() in two steps, so that the slow one can be taken ahead of the program's turn: arm() does everything but let
  // the program run, which release() does. No input can be made after arm(). An armed program that cannot be started
  // may end before its release. Errors of arm(): also kUnimplemented, where this level cannot, or nothing would hold
  // back the program if this process died; start() does it all then.
  virtual Result<void> arm(const Command& /*command*/, std::function<void(Stream, std::string_view)> /*on_output*/,
                           std::function<void(const Exit&)> /*on_exit*/) {
    return fail(Code::kUnimplemented, "this level of isolation starts programs in one step");
  }
  virtual Result<void> release() { return fail(Code::kFailedPrecondition, "the program has not been made ready"); }

  virtual void kill() = 0;  // ends every process; on_exit follows

  // Stops and continues every process, by the cgroup's freezer or signals. Errors: kUnimplemented where the machine has
  // neither.
  virtual Result<void> freeze() = 0;
  virtual Result<void> thaw() = 0;

  // While the program runs: a TCP socket (non-blocking, the caller's to close) that reaches the program's own loopback,
  // whatever its network is. `family`: AF_INET or AF_INET6. Errors: kFailedPrecondition (it does not run),
  // kUnimplemented (its loopback is not of this machine).
  virtual Result<int> open_socket(int /*family*/) {
    return fail(Code::kUnimplemented,
                "a program there cannot be reached: in a virtual machine, or on a machine of a cluster");
  }

  // After the exit: the regular files that match, sorted by path. A pattern that matches nothing is an error (but
  // for one of nothing but wildcards, "*" or "**", which asks for whatever there is), as is a device, socket or FIFO
  // that matches, a link that leads to no file of the directory (others come as that file), an unsafe name, or too
  // much. Files that came in as inputs and were not changed do not count for patterns with wildcards.
  virtual Result<std::vector<Output>> collect(const std::vector<std::string>& patterns,
                                              const CollectLimits& limits) = 0;

  // Opens a collected file for reading, beneath the working directory; a link, as collect().
  virtual Result<int> open_output(std::string_view path) = 0;
};

// What the machine gives, found by trying. For `hearth doctor` and the node's hello.
struct Check {
  std::string name;  // "user namespaces"
  bool ok = false;
  bool required = false;
  std::string detail;  // what was found
  std::string remedy;  // what to do about it; empty if ok
};

struct LevelReport {
  Level level = Level::kFence;
  bool passed = false;
  std::string detail;
  std::string remedy;  // empty if passed
};

// The machine itself.
struct Machine {
  std::uint32_t cores = 0;
  std::uint64_t memory_bytes = 0;
  std::vector<Gpu> gpus;
  std::string cpu_model;
  std::string system;        // "Debian GNU/Linux 12 (bookworm), Linux 6.1.0"
  std::string os;            // os-release's ID: "debian"
  std::string os_version;    // its VERSION_ID: "12"
  std::string kernel;        // "6.1.0-28-amd64"
  std::string architecture;  // "x86_64"
};
Machine read_machine();

// What guests can have now of machines that others use too.
struct Room {
  std::uint32_t cores = 0;
  std::uint64_t memory_bytes = 0;
  std::uint32_t gpus = 0;
  double load = 0;   // the part of all cores that anybody uses; 0 to 1
  std::string lack;  // why nothing can be started at all; empty: something can
  bool operator==(const Room&) const = default;
};

class Host {
 public:
  // Call while the process has one thread: it enters a mount namespace of its own (and, for an ordinary user, a user
  // namespace). Sweeps what an earlier process of the same state directory left: processes, mounts, cgroups, files.
  // Errors: kFailedPrecondition, with the remedy.
  static Result<std::unique_ptr<Host>> open(const Options& options);
  virtual ~Host() = default;

  // `name`: letters, digits and '-', unique among living sandboxes of this Host.
  // Errors: kInvalidArgument; kFailedPrecondition with the remedy if this machine or setup cannot have the level.
  virtual Result<std::unique_ptr<Sandbox>> prepare(const std::string& name, const Limits& limits,
                                                   const Setup& setup) = 0;

  // A directory in memory for what guests are shown in place and no disk may hold. This process alone sees it, and it
  // ends with the process; at most `bytes` go in. The same one each time. Errors: of mkdir and mount.
  virtual Result<std::filesystem::path> memory_directory(std::uint64_t bytes) = 0;

  // The same on this PC's disk, as large as that, under a key that exists in memory only (vault.h). Errors:
  // kFailedPrecondition with the remedy, of the disk. Blocks.
  virtual Result<std::filesystem::path> encrypted_directory() = 0;

  // What keeps that disk has died, and with it all that lay there: nothing runs any more but in a new process.
  virtual bool has_lost_files() const = 0;

  // Really starts one sandbox and looks around in it.
  virtual std::vector<Check> self_test() = 0;

  // Level kOci: the runtime that sandboxes start with from now on, by name or path, with arguments of its own after
  // blanks; empty: crun. What is wrong with it is told by prepare() and levels(), which then tries it. Blocks while
  // levels() does.
  virtual void use_oci_runtime(const std::string& command) = 0;

  // Really starts a sandbox at each level, from the lowest, once; later calls repeat what was found. A node offers what
  // passed and nothing else.
  virtual std::vector<LevelReport> levels() = 0;

  // Ends what levels() tries, now and later: this process is about to end. Any thread.
  virtual void stop_trying() = 0;

  // Why no guest can have Network::Kind::kFull here, with the remedy; empty if it can.
  virtual std::string full_network_lack() const = 0;

  // The same for Network::Kind::kOverlay.
  virtual std::string overlay_lack() const { return "this host makes no overlays"; }

  // How what guests have in memory may come to lie on this machine's disk in clear, with the remedy; empty if it
  // cannot.
  virtual std::string swap_risk() const = 0;

  // Where the data of a guest lies while it runs at the level, for people.
  virtual std::vector<std::string> storage_of(Level level) const = 0;

  // What there still is on this machine that bears the name of a sandbox: control groups (and with them processes),
  // mounts, files, sockets. Empty after the sandbox's end, and after open() for what a crash left; a node signs that.
  virtual std::vector<std::string> traces(const std::string& name) const = 0;

  virtual std::string description() const = 0;  // "fence (L1), cgroup v2"

  // What guests have at most.
  virtual Machine machine() const { return read_machine(); }

  // Guests run on other machines than this process does, as jobs of a cluster that has an order of its own: they cannot
  // be frozen, have no proxy, no workspace and no disk, their time limit is the host's to keep, and how much there is
  // for them changes.
  virtual bool is_elsewhere() const { return false; }
  virtual Room room() const { return {}; }  // of such a host
};

struct Load {
  double cpu = 0;  // of all cores, since the previous call; 0 to 1
  std::uint64_t memory_used_bytes = 0;
};
class LoadMeter {
 public:
  Load read();

 private:
  std::uint64_t busy_ = 0;
  std::uint64_t total_ = 0;
};

}  // namespace hearth::sandbox
