// The command line: a client of the API like any other, and the starter of this PC's daemons.
//
// Everything that the program keeps lives in one directory, HOME: --home DIR, else $HEARTH_HOME, else
// $XDG_DATA_HOME/hearth, else ~/.local/share/hearth.
//   HOME/
//     config.json    what `hearth up` and `hearth join` decided:
//                    {"hub": true|false, "address": "0.0.0.0", "port": 7443, "name": "kitchen-pc",
//                    "store": "postgresql://..."}; no "store": hub/pool.db;
//                    of a node that is a cluster also "slurm": {"partition": "long", "account": "physics"}
//     lock           held (flock) by the running supervisor; holds its process id
//     log            what the daemons log: lines of text, or of JSON with --log-format json
//     hub/           identity.pem, certificate.pem, pool.db, blobs/; while the hub listens also
//                    endpoint.json: {"port": n, "identity": hex, "pid": n, "stands_by": true|false}
//                    backup-key, backups, backup-lock, backup-cache/: see backups.h
//     node/          identity.pem, account.json, policy.json, cache/, sandbox/, status.json
//     cli/           identity.pem, account.json
//
// `hearth up` starts a supervisor, which runs `hearth daemon hub` and `hearth daemon node` as processes of their own
// (so that one's death leaves the other alone) and starts again what dies, after 0.2 s at first, at most 5 s.
#pragma once

#include <filesystem>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "base/result.h"
#include "hearth/v1/hubs.pb.h"

namespace hearth::cli {

struct HubStart {
  std::filesystem::path home;
  std::string address;
  std::uint16_t port = 0;        // 0: the kernel chooses; the choice is kept in endpoint.json and taken again
  std::string name;              // of the pool
  std::string store;             // the URL of a PostgreSQL database; empty: a file of its own
  std::uint64_t drive_rate = 0;  // bytes a second at which a copy of the drive comes; 0: no limit
};

// A Slurm cluster that is a node.
struct SlurmStart {
  std::string partition;  // empty: the cluster's default one
  std::string account;    // that its jobs are charged to; empty: the user's default one
  bool operator==(const SlurmStart&) const = default;
};

struct NodeStart {
  std::filesystem::path home;
  bool own_pool = true;                  // the hub is on this PC too
  std::optional<SlurmStart> slurm = {};  // nothing: the node is this PC
};

// One line of `hearth doctor`.
struct Finding {
  std::string name;
  bool ok = false;
  bool required = false;
  std::string detail;
  std::string remedy;
};

// What the command line starts but may not know; wired by main.cc. The daemons run until SIGTERM or SIGINT and give the
// process's exit code.
struct Programs {
  std::function<int(const HubStart&)> hub;
  std::function<int(const NodeStart&)> node;
  std::function<std::vector<Finding>(const std::filesystem::path& home)>
      self_test;  // of the sandbox, and of what sees the owner
  std::function<std::vector<Finding>(const std::string& store)> check_store = {};
  std::function<Result<void>(const HubStart&)> move_store =
      {};  // of a hub that does not run, from its file into the store
  // Prepares a hub that is to stand by: `introduce` gives its card to the one that holds the pool, and gets that one's.
  std::function<Result<void>(const HubStart&, const std::function<Result<v1::HubCard>(const v1::HubCard&)>& introduce)>
      begin_standby = {};
  // Asks a cluster, and has it run a first job, which is waited for for a while.
  std::function<std::vector<Finding>(const NodeStart&)> check_slurm = {};
  // What such a job runs, on a machine of the cluster.
  std::function<int(const std::filesystem::path& directory)> attempt = {};
};

// Exit codes: 0 done, 1 failed, 2 usage; `run`: the program's own.
int run(int argc, char** argv, const Programs& programs);

}  // namespace hearth::cli
