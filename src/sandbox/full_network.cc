#include "sandbox/full_network.h"

#include <array>
#include <cerrno>
#include <csignal>

#include <fcntl.h>
#include <linux/nsfs.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "sandbox/program.h"

namespace hearth::sandbox {
namespace {

// Descriptors of pasta, by launch().
constexpr int kReadyFd = 1;
constexpr int kNetworkFd = 3;
constexpr int kOwnerFd = 4;

std::string at_fd(int number) { return "/proc/self/fd/" + std::to_string(number); }

}  // namespace

std::string NetworkTools::missing() const {
  if (!nft.empty() && !pasta.empty()) {
    if (has_device) return "";
    return "a guest's full network needs /dev/net/tun, which pasta may not use here; allow it with: modprobe tun; "
           "chmod "
           "0666 /dev/net/tun";
  }
  std::string packages = pasta.empty() ? "passt" : "";
  if (nft.empty()) packages += packages.empty() ? "nftables" : " nftables";
  return "a guest's full network needs pasta and nft; install what is missing with: apt install " + packages;
}

NetworkTools find_network_tools() {
  // Pasta runs as the guests' user, so what root may does not count.
  constexpr mode_t kForAll = S_IROTH | S_IWOTH;
  struct stat device{};
  const bool is_there = ::stat("/dev/net/tun", &device) == 0;
  const bool may_open = ::geteuid() != 0 && ::access("/dev/net/tun", R_OK | W_OK) == 0;
  return {.nft = find_program("nft"),
          .pasta = find_program("pasta"),
          .has_device = is_there && (may_open || (device.st_mode & kForAll) == kForAll),
          .nebula = find_program("nebula")};
}

std::string NetworkTools::overlay_lack() const {
  if (nebula.empty()) return "a network for a gang needs nebula; install it with: apt install nebula";
  const std::string lack = missing();
  return lack.empty() ? "" : "a network for a gang needs what " + lack;
}

WayOut full_way_out(const std::vector<std::string>& refused) {
  return {.rules = network_rules(refused), .options = {"--no-map-gw", "--dns-forward", kNameServer}};
}

std::string network_rules(const std::vector<std::string>& refused) {
  std::string rules =
      "table inet hearth {\n"
      "  chain output {\n"
      "    type filter hook output priority 0; policy drop;\n"
      "    oifname \"lo\" accept\n"
      "    icmpv6 type { nd-router-solicit, nd-neighbor-solicit, nd-neighbor-advert } accept\n";
  rules += std::string("    ip daddr ") + kNameServer + " udp dport 53 accept\n";
  rules += "    meta l4proto { tcp, udp } th dport 25 reject with icmpx type admin-prohibited\n";
  for (const std::string& range : refused) {
    rules += (range.find(':') == std::string::npos ? "    ip daddr " : "    ip6 daddr ") + range +
             " reject with icmpx type admin-prohibited\n";
  }
  // Of IPv6, what is not the Internet's needs no list.
  rules +=
      "    ip6 daddr != 2000::/3 reject with icmpx type admin-prohibited\n"
      "    accept\n"
      "  }\n"
      "}\n";
  return rules;
}

FullNetwork::FullNetwork(Reactor& reactor, NetworkTools tools, GuestUser user, WayOut way)
    : reactor_(reactor), tools_(std::move(tools)), user_(user), way_(std::move(way)) {}

FullNetwork::~FullNetwork() {
  if (ready_watch_ != 0) reactor_.unwatch(ready_watch_, ready_.get());
  if (process_) ::syscall(SYS_pidfd_send_signal, process_.get(), SIGKILL, nullptr, 0);
  reap(process_, process_watch_);
}

void FullNetwork::open(pid_t init, std::vector<Fd> cgroup, std::function<void(const Result<void>&)> done) {
  done_ = std::move(done);
  cgroup_ = std::move(cgroup);
  network_.reset(::open(("/proc/" + std::to_string(init) + "/ns/net").c_str(), O_RDONLY | O_CLOEXEC));
  if (network_) owner_.reset(::ioctl(network_.get(), NS_GET_USERNS));
  if (!owner_) {
    finish(fail_errno(errno, "opening the guest's network namespace"));
  } else if (Result<void> started = load_rules(); !started) {
    finish(started);
  }
}

Result<void> FullNetwork::launch_tool(Launch& plan) {
  Result<Pipe> errors = make_pipe(O_CLOEXEC | O_NONBLOCK);
  if (!errors) return std::unexpected(errors.error());
  plan.files[2] = std::move(errors->write_end);
  errors_ = std::move(errors->read_end);
  for (const Fd& file : plan.files) {
    if (!file) return fail_errno(errno, "starting " + plan.program);
  }
  Result<Started> started = launch(plan);
  if (!started) return std::unexpected(started.error());
  process_ = std::move(started->pidfd);
  return {};
}

Result<void> FullNetwork::load_rules() {
  Result<Fd> rules = memory_file(way_.rules);
  if (!rules) return std::unexpected(rules.error());
  Launch plan;
  plan.program = tools_.nft;
  plan.argv = {"nft", "-f", "/dev/stdin"};
  plan.files.push_back(std::move(*rules));
  plan.files.emplace_back(::open("/dev/null", O_WRONLY | O_CLOEXEC));
  plan.files.emplace_back();
  plan.network = network_.get();
  Result<void> started = launch_tool(plan);
  if (!started) return started;
  process_watch_ = reactor_.watch(process_.get(), [this] { on_rules_ended(); });
  return {};
}

void FullNetwork::on_rules_ended() {
  reactor_.unwatch(process_watch_, process_.get());
  process_watch_ = 0;
  siginfo_t info{};
  bool loaded = ::waitid(P_PIDFD, static_cast<id_t>(process_.get()), &info, WEXITED) == 0 &&
                info.si_code == CLD_EXITED && info.si_status == 0;
  process_.reset();
  if (!loaded) return finish(fail(Code::kFailedPrecondition, "the rules of its network did not load: " + said()));
  if (Result<void> started = start_pasta(); !started) finish(started);
}

Result<void> FullNetwork::start_pasta() {
  Result<Pipe> ready = make_pipe(O_CLOEXEC | O_NONBLOCK);
  if (!ready) return std::unexpected(ready.error());
  if (user_.drop && ::fchown(ready->write_end.get(), user_.uid, user_.gid) != 0) {
    return fail_errno(errno, "handing a pipe to pasta");
  }
  Launch plan;
  plan.program = tools_.pasta;
  plan.argv = {"pasta", "-f", "-q", "--config-net"};
  plan.argv.insert(plan.argv.end(), way_.options.begin(), way_.options.end());
  for (const char* forward : {"-t", "-u", "-T", "-U"}) plan.argv.insert(plan.argv.end(), {forward, "none"});
  plan.argv.insert(plan.argv.end(), {"--userns", at_fd(kOwnerFd), "--netns", at_fd(kNetworkFd), "-P", at_fd(kReadyFd)});
  plan.files.emplace_back(::open("/dev/null", O_RDONLY | O_CLOEXEC));
  plan.files.push_back(std::move(ready->write_end));
  plan.files.emplace_back();
  plan.files.push_back(std::move(network_));
  plan.files.push_back(std::move(owner_));
  plan.cgroup_entries = std::move(cgroup_);
  plan.user = user_;
  Result<void> started = launch_tool(plan);
  if (!started) return started;
  ready_ = std::move(ready->read_end);
  ready_watch_ = reactor_.watch(ready_.get(), [this] { on_pasta_ready(); });
  process_watch_ = reactor_.watch(process_.get(), [this] { on_pasta_ended(); });
  return {};
}

void FullNetwork::on_pasta_ready() {
  std::array<char, 32> number{};
  bool is_ready = ::read(ready_.get(), number.data(), number.size()) > 0;
  reactor_.unwatch(ready_watch_, ready_.get());
  ready_watch_ = 0;
  ready_.reset();
  if (is_ready) finish({});  // otherwise its end tells
}

void FullNetwork::on_pasta_ended() {
  reap(process_, process_watch_);
  finish(fail(Code::kFailedPrecondition, "pasta gave it no network: " + said()));
}

void FullNetwork::reap(Fd& process, std::uint64_t& watch) {
  if (watch != 0) reactor_.unwatch(watch, process.get());
  watch = 0;
  siginfo_t info{};
  if (process) ::waitid(P_PIDFD, static_cast<id_t>(process.get()), &info, WEXITED);
  process.reset();
}

std::string FullNetwork::said() {
  std::array<char, 512> text{};
  ssize_t count = ::read(errors_.get(), text.data(), text.size());
  std::string words(text.data(), count > 0 ? static_cast<std::size_t>(count) : 0);
  while (words.ends_with('\n')) words.pop_back();
  return words.empty() ? "it gave no reason" : words;
}

void FullNetwork::finish(const Result<void>& result) {
  auto done = std::exchange(done_, nullptr);
  if (done) done(result);
}

}  // namespace hearth::sandbox
