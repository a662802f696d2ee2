// The commands: each takes what was typed, as typed, does one thing and gives the process's exit code. cli.cc parses
// the command line into these; one source file holds one family.
//
// An Error of code kInvalidArgument is wrong usage (exit code 2), any other a failure (1).
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "cli/cli.h"
#include "cli/home.h"

namespace hearth::v1 {
class StatusReply;
}

namespace hearth::cli {

// What every command knows. A value that was not given is an empty string.
struct Context {
  Home home;
  bool json = false;
  const Programs* programs = nullptr;
};

struct UpOptions {
  std::string address;
  std::string port;
  std::string name;
  std::string log_format = "text";
  std::string store;
  std::string standby_of;  // a pairing link
  std::string drive_rate;
  bool foreground = false;
  bool no_invite = false;
};

struct StandbyOptions {
  std::string node;
  bool none = false;
  bool force = false;
};

struct InviteOptions {
  std::string role = "member";
  std::string ring;
  bool no_wait = false;
};

struct TokenOptions {
  std::string name;
  std::string ring;
  std::string days;
};

struct PairOptions {
  std::string link;
  std::string name;
};

struct SlurmOptions {
  PairOptions pair;
  SlurmStart cluster;
  std::string cores;
};

struct LimitOptions {
  std::string cores;
  std::string memory;
  std::string disk;
  std::string workspaces;
  std::string hours;
  std::string rings;  // whose tasks the next five speak of; empty: home's
  std::string isolation;
  std::string host_files;
  std::string gpu;
  std::string gang_network;
  std::string oci_runtime;
  std::string net;
  std::vector<std::string> labels;  // NAME=VALUE
  std::string watts;
  std::string swarm;
  std::string swarm_rate;
  bool strangers_may_share_my_kernel = false;
  std::string owner_first;
  std::string quiet;
  std::string patience;
  std::string gpu_grace;
  std::string battery;
  std::string metered;
  std::string busy;
  std::string max_temperature;
  std::string max_price;
  std::string tariff;
  bool none = false;
};

struct RunOptions {
  std::string count = "1";
  std::string cores;
  std::string memory;
  std::string gpus;
  std::string gpu_memory;
  std::string disk;
  std::string time;
  std::vector<std::string> inputs;
  std::vector<std::string> excluded;  // of inputs that are folders
  std::vector<std::string> outputs;
  bool replace = false;  // results take the place of files that are here
  std::string environment;
  std::string workspace;               // NAME or NAME:SIZE
  std::vector<std::string> variables;  // NAME=VALUE
  std::vector<std::string> after;
  std::string when;  // of `after`
  std::string net;
  std::string retries;
  std::string name;
  std::string where;
  std::string prefer;
  std::string priority;
  std::string deadline;
  std::string webhook;
  std::string webhook_secret;  // a file
  bool gang = false;
  bool no_copies = false;
  bool window = false;
  bool terminal = false;
  std::string web;  // its port
  bool detach = false;
  std::vector<std::string> program;
};

struct ClusterOptions {
  std::string engine;
  RunOptions run;
};

struct AccountOptions {
  std::string name;
  std::string firm;  // that it is of, or "none"
  std::string device;
  std::string weight;
  std::string cores;
  std::string memory;
  std::string gpus;
};

struct SubmitOptions {
  std::string file;  // "-": standard input
  bool dry_run = false;
  bool follow = false;
};

struct MapOptions {
  std::string program;
  std::vector<std::string> files;
  std::string reduce;
  std::string to;  // empty: "results", or, with `reduce`, nowhere
  bool replace = false;
  bool stream = false;
  RunOptions run;  // what each task needs
};

struct ScheduleOptions {
  std::string cron;
  std::string name;
  std::string overlap;
  std::string device;  // whose; empty: this device's
  RunOptions run;
};

struct WebhookOptions {
  std::string url;
  std::string number;
  std::vector<std::string> events;  // lists with commas
  std::string job;
  std::string name;
  std::string secret_file;
  bool may_be_private = false;
};

struct EnvironmentOptions {
  std::string name;
  std::vector<std::string> packages;  // lists with commas
  std::string recipe;
  std::string directory;
  std::string archive;
  std::string to_oci;
};

struct WorkspaceOptions {
  std::string name;
  std::string device;  // whose; empty: this device's
};

struct LinkOptions {
  std::string path;
  std::string label;
  std::string days;
  std::string uses;
  std::string id;
  bool add = false;
  bool edit = false;
  bool no_download = false;
  bool drop_box = false;
  bool forever = false;
  bool password = false;  // it is asked for
};

struct BackupOptions {
  std::string target;  // empty: every one that is remembered
  std::string every;   // "day", "never"; empty: as it was
  std::string path;    // of the drive
  std::string at;
  std::string snapshot;
  std::string into;
  bool in_place = false;
  std::string key_file;
  bool keep_all = false;
  bool list = false;
};

struct SpaceOptions {
  std::string device;  // empty: list what is granted
  std::string size;
  std::string of;  // another device, whose backup becomes this one's
  bool append_only = false;
  bool none = false;
};

struct DriveOptions {
  LinkOptions link;
  BackupOptions backup;
  SpaceOptions space;
  std::string path;
  std::vector<std::string> paths;
  std::string directory = ".";  // of this PC
  std::string text;
  std::string id;
  bool recursive = false;
  bool replace = false;
  bool inside = false;
  std::string folder;  // of the drive; empty: what DIR is bound to, or all
  bool watch = false;
  bool dry_run = false;
  bool emptied = false;
  std::vector<std::string> people;  // whose a folder is; "everyone"
  std::string limit;
};

struct AudienceOptions {
  std::string job;
  std::vector<std::string> people;
  std::string person;  // who gets the controller; empty: it comes back
  bool may_control = false;
};

struct WatchLinkOptions {
  std::string job;
  std::string until;    // empty: a day from now
  std::string players;  // empty: the usual
  std::string label;
  std::string id;
};

struct ScreenOptions {
  std::string stop_key = "Ctrl+Alt+Escape";
  std::string name;  // empty: the PC's
};

struct AppOptions {
  ScreenOptions screen;
  AudienceOptions audience;
  WatchLinkOptions watch_link;
  std::string name;
  std::vector<std::string> program;
  std::string node;  // where it is started; empty: the one that has it
  bool terminal = false;
  std::string web;   // its port
  std::string gpus;  // how many it is lent
};

struct JobOptions {
  std::string job;
  std::vector<std::string> jobs;
  std::string task;
  std::string limit;
  std::string to;
  bool follow = false;
  bool replace = false;
};

struct ForwardOptions {
  std::string job;
  std::string port;  // the task's
  std::string task = "0";
  std::string listen;  // [ADDRESS:]PORT of this PC; empty: the same port, if it is free
};

struct AuditOptions {
  std::string since;
  std::string noted;  // NUMBER:HASH of an earlier verification
  bool csv = false;
};

struct UsageOptions {
  std::string by;  // "owner", "account", "firm", "day"; empty: all of them
  std::string since;
  bool csv = false;
};

struct DutyOptions {
  std::string node;
  std::string grace = "10m";
};

struct BookingOptions {
  std::string number;
  std::string account;
  std::string nodes = "1";
  std::string where;
  std::string from;  // empty: now
  std::string until;
  std::string notice = "10m";
};

struct WipeOptions {
  std::string job;   // empty: what this PC's own node wiped
  std::string save;  // the job's records, for --file
  std::string file;
};

// up.cc
Result<int> up(const Context& context, const UpOptions& options);
Result<int> down(const Context& context);
// `words`: hub, node, backups, or attempt and its directory.
Result<int> run_daemon(const Context& context, const std::vector<std::string>& words, const UpOptions& options);

// store.cc
struct Config;  // documents.h

// Pairs with the pool of the link and prepares this PC's hub, which has to be started then.
Result<void> stand_by_for(const Context& context, const Config& config, const std::string& link);
// What a pool says of its hubs, as lines of `hearth status`; empty: there is one.
std::string hubs_text(const v1::StatusReply& status);
Result<int> show_standby(const Context& context);
Result<int> remove_standby(const Context& context);
Result<int> set_witness(const Context& context, const StandbyOptions& options);
Result<int> promote(const Context& context, const StandbyOptions& options);
Result<int> check_store(const Context& context, const std::string& url);  // empty: this PC's
Result<int> migrate_store(const Context& context, const std::string& url);
// Errors: what is wrong with it, and what to do.
Result<void> require_store(const Context& context, const std::string& url);

// join.cc
Result<int> join(const Context& context, const PairOptions& options);
Result<int> join_slurm(const Context& context, const SlurmOptions& options);
Result<int> leave(const Context& context);

// devices.cc
Result<int> invite(const Context& context, const InviteOptions& options);
Result<int> pair(const Context& context, const PairOptions& options);
Result<int> list_devices(const Context& context);
Result<int> answer_device(const Context& context, const std::string& code_or_name, bool allow);
Result<int> fetch_kernel(const Context& context, const std::string& into);  // empty: where this PC's node looks
Result<int> set_ring(const Context& context, const std::string& name, const std::string& ring);
Result<int> set_role(const Context& context, const std::string& name, const std::string& role);
Result<int> revoke_device(const Context& context, const std::string& name);

// tokens.cc
Result<int> new_token(const Context& context, const TokenOptions& options);
Result<int> show_session(const Context& context);

// run.cc
Result<int> run_job(const Context& context, const RunOptions& options);

// cluster.cc
Result<int> run_cluster(const Context& context, const ClusterOptions& options);

// submit.cc
Result<int> submit_plan(const Context& context, const SubmitOptions& options);

// map.cc, stream.cc
Result<int> map_files(const Context& context, const MapOptions& options);
Result<int> map_stream(const Context& context, const MapOptions& options);

// schedules.cc
Result<int> add_schedule(const Context& context, const ScheduleOptions& options);
Result<int> list_schedules(const Context& context);
Result<int> remove_schedule(const Context& context, const ScheduleOptions& options);
Result<int> run_schedule(const Context& context, const ScheduleOptions& options);

// webhooks.cc
Result<int> add_webhook(const Context& context, const WebhookOptions& options);
Result<int> list_webhooks(const Context& context);
Result<int> remove_webhook(const Context& context, const WebhookOptions& options);
Result<int> test_webhook(const Context& context, const WebhookOptions& options);

// jobs.cc
Result<int> list_jobs(const Context& context, const JobOptions& options);
Result<int> show_job(const Context& context, const JobOptions& options);
Result<int> show_logs(const Context& context, const JobOptions& options);
Result<int> cancel_job(const Context& context, const JobOptions& options);
Result<int> remove_jobs(const Context& context, const JobOptions& options);
Result<int> get_results(const Context& context, const JobOptions& options);
Result<int> why(const Context& context, const JobOptions& options);

// watch.cc
Result<int> watch(const Context& context, const JobOptions& options);

// forward.cc
Result<int> forward(const Context& context, const ForwardOptions& options);

// open.cc
Result<int> open_web(const Context& context, const ForwardOptions& options);

// attach.cc
Result<int> attach(const Context& context, const JobOptions& options);

// wipes.cc
Result<int> verify_wipe(const Context& context, const WipeOptions& options);

// pool.cc
Result<int> list_nodes(const Context& context, bool with_attributes);
Result<int> status(const Context& context);

// duties.cc: `verb` is cordon, drain or uncordon.
Result<int> set_duty(const Context& context, const DutyOptions& options, std::string_view verb);

// accounts.cc
Result<int> list_accounts(const Context& context);
Result<int> set_account(const Context& context, const AccountOptions& options, bool is_firm);
Result<int> remove_account(const Context& context, const AccountOptions& options);
Result<int> assign_device(const Context& context, const AccountOptions& options);

// bookings.cc
Result<int> book(const Context& context, const BookingOptions& options);
Result<int> list_bookings(const Context& context);
Result<int> unbook(const Context& context, const BookingOptions& options);

// audit.cc
Result<int> show_audit(const Context& context, const AuditOptions& options);
Result<int> verify_audit(const Context& context, const AuditOptions& options);

// usage.cc
Result<int> show_usage(const Context& context, const UsageOptions& options);

// environments.cc
Result<int> build_environment(const Context& context, const EnvironmentOptions& options);
Result<int> list_environments(const Context& context);
Result<int> remove_environment(const Context& context, const EnvironmentOptions& options);
Result<int> export_environment(const Context& context, const EnvironmentOptions& options);

// drive.cc
Result<int> list_drive(const Context& context, const DriveOptions& options);
Result<int> make_drive_folder(const Context& context, const DriveOptions& options);
enum class DriveMove { kMove, kCopy };
Result<int> move_in_drive(const Context& context, const DriveOptions& options, DriveMove what);
Result<int> remove_from_drive(const Context& context, const DriveOptions& options);
Result<int> list_drive_trash(const Context& context);
Result<int> restore_in_drive(const Context& context, const DriveOptions& options);
Result<int> empty_drive_trash(const Context& context);
Result<int> show_drive_versions(const Context& context, const DriveOptions& options);
Result<int> list_private_folders(const Context& context);
Result<int> set_private_folder(const Context& context, const DriveOptions& options);
Result<int> show_drive_usage(const Context& context);
Result<int> find_in_drive(const Context& context, const DriveOptions& options);
Result<int> show_drive_mounts(const Context& context);

// links.cc
Result<int> share_in_drive(const Context& context, const LinkOptions& options);
Result<int> list_drive_links(const Context& context);
Result<int> unshare_in_drive(const Context& context, const LinkOptions& options);

// backup.cc
Result<int> back_up_drive(const Context& context, const BackupOptions& options);
Result<int> list_backups(const Context& context);
Result<int> check_backup(const Context& context, const BackupOptions& options);
Result<int> forget_backup(const Context& context, const BackupOptions& options);
Result<int> show_backup_key(const Context& context);
// Those that are due by --every day: what the supervisor has done from time to time. How they went is in the log, and
// remembered.
Result<int> make_due_backups(const Context& context);

// spaces.cc
Result<int> grant_space(const Context& context, const SpaceOptions& options);

// recover.cc
Result<int> recover_drive(const Context& context, const BackupOptions& options);

// drive_files.cc
Result<int> put_into_drive(const Context& context, const DriveOptions& options);
Result<int> get_from_drive(const Context& context, const DriveOptions& options);

// drive_sync.cc
Result<int> sync_drive(const Context& context, const DriveOptions& options);

// workspaces.cc
Result<int> list_workspaces(const Context& context);
Result<int> remove_workspace(const Context& context, const WorkspaceOptions& options);

// apps.cc
Result<int> list_apps(const Context& context);
Result<int> add_app(const Context& context, const AppOptions& options);
Result<int> remove_app(const Context& context, const AppOptions& options);
Result<int> start_app(const Context& context, const AppOptions& options);
Result<int> list_shared_apps(const Context& context);
Result<int> share_app(const Context& context, const AudienceOptions& options);
Result<int> unshare_app(const Context& context, const AudienceOptions& options);
Result<int> pass_controller(const Context& context, const AudienceOptions& options);
Result<int> make_watch_link(const Context& context, const WatchLinkOptions& options);
Result<int> list_watch_links(const Context& context);
Result<int> revoke_watch_link(const Context& context, const WatchLinkOptions& options);

// share_screen.cc
Result<int> share_screen(const Context& context, const ScreenOptions& options);

// limits.cc
Result<int> limit(const Context& context, const LimitOptions& options);

// owner.cc
Result<int> stop_everything(const Context& context);
Result<int> resume(const Context& context);

// doctor.cc
Result<int> doctor(const Context& context);

}  // namespace hearth::cli
