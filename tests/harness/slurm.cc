#include "harness/slurm.h"

#include <algorithm>
#include <csignal>
#include <sstream>

#include <fmt/format.h>
#include <gtest/gtest.h>
#include <pwd.h>
#include <unistd.h>

#include "base/check.h"
#include "harness/proc.h"

namespace hearth::e2e {
namespace {

namespace fs = std::filesystem;

std::string host_name() {
  char name[256] = {};
  CHECK(::gethostname(name, sizeof name - 1) == 0);
  return name;
}

std::vector<std::string> lines_of(const std::string& text) {
  std::vector<std::string> lines;
  std::istringstream in(text);
  for (std::string line; std::getline(in, line);) lines.push_back(line);
  return lines;
}

pid_t parent_of(pid_t process) {
  const std::string stat = read_text(fmt::format("/proc/{}/stat", process));
  const std::size_t name_ends = stat.rfind(')');
  pid_t parent = 0;
  char state = 0;
  if (name_ends != std::string::npos) std::istringstream(stat.substr(name_ends + 1)) >> state >> parent;
  return parent;
}

// Short times, since nothing here is far away.
constexpr const char* kSettings = R"(ClusterName=hearth
AuthType=auth/none
CredType=cred/none
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
SwitchType=switch/none
MpiDefault=none
SelectType=select/cons_tres
SelectTypeParameters=CR_Core_Memory
SchedulerType=sched/builtin
SchedulerParameters=sched_interval=1
SlurmdParameters=config_overrides
SlurmdTimeout=15
MessageTimeout=10
KillWait=2
InactiveLimit=0
ReturnToService=2
AccountingStorageType=accounting_storage/none
JobAcctGatherType=jobacct_gather/none
GresTypes=gpu
)";

}  // namespace

std::string SlurmCluster::lack() {
  for (const char* program : {"/usr/sbin/slurmctld", "/usr/sbin/slurmd", "/usr/bin/sbatch"}) {
    if (::access(program, X_OK) != 0) return std::string(program) + " is not installed (apt install slurm-wlm)";
  }
  return "";
}

SlurmCluster::SlurmCluster(const Scratch& scratch, int machines, int cores_of_each)
    : directory_(scratch.path() / "slurm") {
  const std::string pattern = directory_;
  fs::create_directory(directory_);
  const std::string user = ::getpwuid(::geteuid())->pw_name;
  std::string text = kSettings;
  text += fmt::format("SlurmctldHost={}(127.0.0.1)\nSlurmctldPort={}\nSlurmUser={}\nSlurmdUser={}\n", host_name(),
                      port_.number(), user, user);
  text += fmt::format(
      "StateSaveLocation={0}/state\nSlurmdSpoolDir={0}/%n\nSlurmctldPidFile={0}/controller.pid\n"
      "SlurmdPidFile={0}/%n.pid\nSlurmctldLogFile={0}/controller.log\nSlurmdLogFile={0}/%n.log\n",
      pattern);
  for (int i = 0; i < machines; ++i) {
    machines_.push_back({.name = fmt::format("m{}", i + 1), .port = HeldPort(), .daemon = {}});
    text += fmt::format("NodeName={} NodeHostname={} NodeAddr=127.0.0.1 Port={} CPUs={} RealMemory=4000\n",
                        machines_.back().name, host_name(), machines_.back().port.number(), cores_of_each);
    fs::create_directory(directory_ / machines_.back().name);
  }
  text += "PartitionName=work Nodes=ALL Default=YES MaxTime=INFINITE State=UP\n";
  text += "PartitionName=closed Nodes=ALL MaxTime=60 State=DOWN\n";
  fs::create_directory(directory_ / "state");
  write_text(configuration(), text);
  write_text(directory_ / "gres.conf", "");
  const bool unified = fs::exists("/sys/fs/cgroup/cgroup.controllers");
  write_text(directory_ / "cgroup.conf",
             unified ? "CgroupPlugin=cgroup/v2\nIgnoreSystemd=yes\n" : "CgroupPlugin=cgroup/v1\n");
  start_controller();
  for (int i = 0; i < machines; ++i) start_machine(i);
  EXPECT_TRUE(eventually(seconds(60), [&] {
    return static_cast<int>(lines_of(ask({"sinfo", "-h", "-N", "-p", "work", "-t", "idle", "-o", "%N"}).out).size()) ==
           machines;
  })) << logs();
}

SlurmCluster::~SlurmCluster() {
  machines_.clear();
  controller_.reset();
  std::error_code failure;
  fs::remove_all(directory_, failure);
}

// With the mark by which the test's watcher ends them if the test dies.
Process SlurmCluster::start(const std::vector<std::string>& argv) const {
  return Process::start(
      argv, {.env = {{"SLURM_CONF", configuration()}, {"HEARTH_E2E_ROOT", directory_.parent_path().string()}}});
}

void SlurmCluster::start_controller() {
  controller_.emplace(start({"/usr/sbin/slurmctld", "-D", "-f", configuration()}));
}

void SlurmCluster::stop_controller() {
  controller_->signal(SIGKILL);
  controller_->wait(seconds(10));
}

void SlurmCluster::start_machine(int index) {
  Machine& machine = machines_[static_cast<std::size_t>(index)];
  machine.daemon.emplace(start({"/usr/sbin/slurmd", "-D", "-N", machine.name, "-f", configuration()}));
}

Ended SlurmCluster::ask(const std::vector<std::string>& argv) const {
  return run_program(argv, {.env = {{"SLURM_CONF", configuration()}}});
}

std::vector<std::string> SlurmCluster::jobs(const std::string& format) const {
  return lines_of(ask({"squeue", "-h", "-o", format}).out);
}

std::string SlurmCluster::logs() const {
  std::string text = read_text(directory_ / "controller.log");
  for (const Machine& machine : machines_)
    text += "--- " + machine.name + "\n" + read_text(directory_ / (machine.name + ".log"));
  return text;
}

void SlurmCluster::lose(const std::string& name) {
  const auto machine = std::ranges::find(machines_, name, &Machine::name);
  CHECK(machine != machines_.end());
  machine->daemon->signal(SIGKILL);
  machine->daemon->wait(seconds(10));
  // What runs in a job carries its machine's name; above it is the process by which Slurm keeps it.
  std::vector<pid_t> keepers;
  std::vector<pid_t> rest;
  for (const fs::directory_entry& entry : fs::directory_iterator("/proc")) {
    const pid_t process = std::atoi(entry.path().filename().c_str());
    if (process <= 1) continue;
    const std::string environment = read_text(entry.path() / "environ");
    if (!environment.contains("SLURMD_NODENAME=" + name) || !environment.contains(configuration().string())) continue;
    rest.push_back(process);
    const pid_t parent = parent_of(process);
    if (command_line(parent).starts_with("slurmstepd")) keepers.push_back(parent);
  }
  for (const pid_t process : keepers) ::kill(process, SIGKILL);
  for (const pid_t process : rest) ::kill(process, SIGKILL);
  // As an administrator says it who sees that; Slurm itself takes a while to be sure.
  EXPECT_EQ(ask({"scontrol", "update", "NodeName=" + name, "State=DOWN", "Reason=power"}).exit_code, 0);
}

}  // namespace hearth::e2e
