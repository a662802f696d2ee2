// Ties core/node to the world: turns what happens into its events, and its effects into deeds. The loop's thread only.
#pragma once

#include <filesystem>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>

#include "core/node/agent.h"
#include "node/apps.h"
#include "node/attributes.h"
#include "node/connection.h"
#include "node/executor.h"
#include "node/holdings.h"
#include "node/owner_watch.h"
#include "node/owners_screen.h"
#include "node/rings.h"
#include "node/status.h"
#include "node/tunnels.h"
#include "node/witness.h"

namespace hearth::node {

class Shell {
 public:
  struct World {
    net::Loop& loop;
    net::Workers& workers;
    net::Workers& brakes;
    sandbox::Host& host;
    blob::BlobStore& images;  // see Executor::World
    blob::BlobStore& inputs;
    Environments& environments;
    Swarms& swarms;
    Workspaces& workspaces;
    WipeLog& wipes;
    std::uint64_t disk_bytes = 0;   // of environments and workspaces, where the owner set no limit
    std::uint64_t vault_bytes = 0;  // that the vault could take of the disk; 0: there is none, inputs are in memory
    const net::IdentityKey& key;
    std::filesystem::path directory;
    bool own_pool = true;  // see RunOptions
    std::filesystem::path screen_program;
    std::filesystem::path media_program;
    std::string bwrap;
    std::filesystem::path terminal_program;
    sandbox::Machine machine;
  };

  // `on_end`: the node is to end, with that exit code (node.h).
  Shell(World world, std::function<void(int exit_code)> on_end);
  ~Shell();

  // Begins; the loop does the rest.
  void start();

 private:
  OwnerWatch::Events owner_events();
  void perform(const Effect& effect);
  void carry_out(const Prepare& order) { executor_.prepare(order.attempt); }
  void carry_out(const Run& order) { executor_.run(order.attempt); }
  void carry_out(const Kill& order) { executor_.kill(order.attempt, order.reason); }
  void carry_out(const Freeze& order) { executor_.freeze(order.attempt); }
  void carry_out(const Thaw& order) { executor_.thaw(order.attempt); }
  void carry_out(const Collect& order) { executor_.collect(order.attempt); }
  void carry_out(const Wipe& order);
  void carry_out(const SendStarted& order);
  void carry_out(const SendFinished& order);
  void carry_out(const SendOffer& order);
  void carry_out(const SendHeartbeat& order);

  // Gives the agent's effects to the world until there are none. After every event.
  void pump();
  net::Async<void> tick_for_ever();
  net::Async<void> look_around_for_ever();
  bool ends_without_files();
  net::Async<void> read_policy();
  void take_rings(const Rings& rings, Policy& policy);
  net::Async<void> try_levels();
  std::string lack_of_level() const;
  void share_disk();
  net::Async<void> tell_status();
  void tell_data();
  net::Async<void> tell_apps();
  AttributeList attributes() const;
  void tell_attributes();
  void set_minute(std::uint16_t minute_of_day);
  net::Async<void> measure_speed_for_ever();
  Status make_status() const;

  v1::Hello make_hello();
  void on_frame(const v1::HubFrame& frame);
  void on_assign(const v1::HubFrame& frame);
  net::Async<void> wipe_workspace(WorkspaceId id);
  void on_watch(const v1::WatchLog& watch);
  void on_lost();

  void log_grew(AttemptId attempt);
  net::Async<void> send_logs_soon();
  bool send_log(AttemptId attempt);
  void send_whole_log(AttemptId attempt);

  World world_;
  std::function<void(int exit_code)> on_end_;
  Resources machine_;
  Agent agent_;
  Connection connection_;
  Witness witness_;
  OwnersScreen owners_screen_;
  Executor executor_;
  Tunnels tunnels_;
  Holdings holdings_;
  OwnerWatch owner_;
  sandbox::LoadMeter load_;
  net::Event deadline_changed_;
  Time sleeping_until_;
  std::string policy_text_;
  Rings rings_;
  std::string swap_risk_;
  // Those that were tried, and what failed; empty: nothing. Without the fence there would be no node.
  std::map<sandbox::Level, std::string> levels_ = {{sandbox::Level::kFence, ""}};
  bool trying_levels_ = false;
  std::uint64_t disk_bytes_ = 0;  // that the owner allows
  bool policy_read_ = false;
  sandbox::Room room_;  // of a host that is elsewhere
  bool revoked_ = false;
  std::optional<Status> told_;
  std::map<AttemptId, std::uint64_t> watched_;  // to the offset of what is to be sent next
  std::set<AttemptId> grown_;
  bool sending_logs_ = false;
  OwnersWords words_;
  Apps::Kinds can_show_;
  Apps apps_;
  bool apps_told_ = false;
  double speed_ = 0;
};

}  // namespace hearth::node
