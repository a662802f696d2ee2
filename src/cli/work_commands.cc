// How work is given to the pool, and who is told of it: run, submit, map, schedule, webhook, app.
#include "cli/command_tree.h"

namespace hearth::cli {
namespace {

// What each task needs and finds.
void add_task_options(CLI::App& command, RunOptions& options) {
  CommandTree::text_option(command, "--cores", options.cores, "N", "cores for each task (default: 1)");
  CommandTree::text_option(command, "--memory", options.memory, "SIZE",
                           "memory for each task, for example 2G (default: 1G)");
  CommandTree::text_option(command, "--disk", options.disk, "SIZE",
                           "room for each task's files on the node's disk, under a key that nothing keeps, for example "
                           "50G (default: none, files are part of its memory)");
  CommandTree::text_option(command, "--gpu", options.gpus, "N", "GPUs for each task (default: 0)");
  CommandTree::text_option(command, "--gpu-memory", options.gpu_memory, "SIZE",
                           "with --gpu: memory that each GPU has at least, for example 8G");
  CommandTree::text_option(command, "--time", options.time, "LIMIT",
                           "end a task that runs longer: 90s, 10m, 2h, 1d (default: 24h)");
  CommandTree::list_option(
      command, "--input", options.inputs, "PATH",
      "a file or folder that the program reads; may be repeated. \"drive:/photos/*.raw\" is of the family's "
      "drive, as it is there when the job is taken");
  CommandTree::list_option(command, "--exclude", options.excluded, "PATTERN",
                           "what of a folder is left out: a name, for example .git or \"*.o\", or a path, for example "
                           "\"data/old/*\"; may be repeated");
  CommandTree::text_option(command, "--env", options.environment, "NAME",
                           "the environment to run in (default: host, the node's own /usr)");
  CommandTree::list_option(command, "--var", options.variables, "NAME=VALUE",
                           "an environment variable; may be repeated");
  CommandTree::text_option(
      command, "--net", options.net, "WHAT",
      "hosts that the program reaches through the node's proxy, for example hosts=a.example:443,b.example:80; or "
      "full: the Internet; or, with --gang, gang: the other tasks of the gang");
  CommandTree::text_option(command, "--retries", options.retries, "N",
                           "try a failed task again so many times (default: 0)");
  command.add_flag(
      "--no-copies", options.no_copies,
      "never run a task twice at once; else one of an array of 10 or more that runs far longer than the others "
      "may get a copy on another node, and whichever succeeds first counts");
  CommandTree::text_option(command, "--where", options.where, "CONDITION",
                           "only on nodes that meet this, for example \"gpu.memory >= 8G && os == 'debian'\"; what "
                           "nodes say of themselves: hearth nodes --attributes");
  CommandTree::text_option(command, "--prefer", options.prefer, "WHAT",
                           "of the nodes that have room rather this one: fast, frugal (the least energy), cheap (the "
                           "least money for it), or what they say of themselves: \"-price, speed\" is the least price "
                           "and then the most speed");
  CommandTree::text_option(command, "--priority", options.priority, "CLASS",
                           "scavenger (of what is left over), batch, normal (the default) or urgent: a higher class "
                           "goes first, and ends scavenger tasks (urgent: batch ones too) where there is no room; "
                           "those run again later");
  CommandTree::text_option(command, "--deadline", options.deadline, "TIME",
                           "of your jobs the one with the earliest goes first: 2h from now, or \"2030-12-31 18:00\"");
}

// What makes a job of a program.
void add_job_options(CLI::App& command, RunOptions& options) {
  CommandTree::text_option(command, "-n,--count", options.count, "COUNT",
                           "run this many tasks, numbered from 0 (default: 1)");
  add_task_options(command, options);
  CommandTree::list_option(
      command, "--output", options.outputs, "GLOB",
      "files to bring back, for example \"out/*.png\"; may be repeated. They come though the program "
      "fails; a link that stays among them comes as a copy of its file. With drive:/photos/jpg they go into that "
      "folder of the family's drive instead of "
      "here, "
      "once it succeeds");
  CommandTree::text_option(
      command, "--workspace", options.workspace, "NAME[:SIZE]",
      "a directory of yours that stays on one node from job to job, at $HEARTH_WORKSPACE; it holds 1G unless "
      "SIZE says more. A task that its PC's owner sends back goes on from what it saved there, or else anew");
}

void add_replace(CLI::App& command, RunOptions& options) {
  command.add_flag("--replace", options.replace,
                   "results take the place of files that are here; else such a file, if it differs, is kept as "
                   "NAME.before");
}

void add_run_command(CommandTree& tree, RunOptions& options) {
  CLI::App& run = tree.add(tree.root(), "run",
                           "Run a program in the pool: its files go there, its output comes here live, its results "
                           "come back into the current directory, and its exit code is this command's. {i} in an "
                           "argument is the task's number, {{i}} is {i} itself.",
                           [&tree, &options] { return run_job(tree.context(), options); });
  run.prefix_command();
  add_job_options(run, options);
  CommandTree::list_option(run, "--after", options.after, "JOB", "run after this job, on its results; may be repeated");
  CommandTree::text_option(run, "--when", options.when, "END",
                           "with --after: run when all of them succeeded (success, the default), when one failed "
                           "(failure), or always");
  CommandTree::text_option(run, "--name", options.name, "NAME", "what the job is called (default: the program's name)");
  add_replace(run, options);
  run.add_flag("--gang", options.gang,
               "start all tasks at once or none; if one fails or is lost, all run again; they succeed together");
  CommandTree::text_option(run, "--webhook", options.webhook, "URL",
                           "have the hub tell this URL when the job has ended: see hearth webhook");
  CommandTree::text_option(run, "--webhook-secret", options.webhook_secret, "FILE",
                           "with --webhook: sign by the secret in this file instead of a new one, which is shown");
  run.add_flag("--window", options.window,
               "it opens windows: give it a display, which the page and only you, or an owner, see and use");
  run.add_flag("--terminal", options.terminal,
               "it is a text program, a shell or an editor: give it a terminal, which is this one, if this is one, and "
               "which the page shows, too (see hearth attach)");
  CommandTree::text_option(run, "--web", options.web, "PORT",
                           "it is a web program, a notebook or a dev server, which listens on this port: the page and "
                           "hearth open open it in a browser of yours, or an owner's");
  run.add_flag("--detach", options.detach, "print the job's number and return at once");
}

void add_cluster_command(CommandTree& tree, ClusterOptions& options) {
  CLI::App& cluster = tree.add(
      tree.root(), "cluster",
      "Run a program on many PCs at once under an engine that they have: hearth cluster mpi -n 3 -- ./program. mpi: "
      "Open "
      "MPI's mpirun, with as many ranks on each PC as --cores; dask: a scheduler and PROGRAM on the first, a worker on "
      "each other, whose scheduler is at $DASK_SCHEDULER_ADDRESS; torch: PROGRAM on each, with torch.distributed's "
      "variables (gloo). The tasks reach each other by a network of their own, and nothing else. If one is lost, all "
      "run again.",
      [&tree, &options] { return run_cluster(tree.context(), options); });
  CommandTree::argument(cluster, "ENGINE", options.engine, "mpi, dask or torch");
  options.run.retries = "3";
  options.run.gang = true;
  add_job_options(cluster, options.run);
  CommandTree::text_option(cluster, "--name", options.run.name, "NAME",
                           "what the job is called (default: the engine's and the program's name)");
  add_replace(cluster, options.run);
  cluster.add_flag("--detach", options.run.detach, "print the job's number and return at once");
}

void add_submit_command(CommandTree& tree, SubmitOptions& options) {
  CLI::App& submit =
      tree.add(tree.root(), "submit",
               "Submit the jobs of a plan, a YAML file: what each runs and needs of the others. Paths in "
               "it are relative to the file.\n\n"
               "jobs:\n"
               "  train:\n"
               "    run: [./train, --rate, \"{rate}\"]\n"
               "    matrix: {rate: [0.1, 0.01]}\n"
               "    inputs: train\n"
               "    outputs: \"model-*\"\n"
               "  report:\n"
               "    needs: train\n"
               "    run: cat model-*\n\n"
               "All keys: docs/PLANS.md of Hearth's sources, and those of hearth run by their names (memory: 2G).",
               [&tree, &options] { return submit_plan(tree.context(), options); });
  CommandTree::argument(submit, "PLAN", options.file, "the plan's file; -: standard input");
  submit.add_flag("--dry-run", options.dry_run, "only show the jobs that there would be");
  submit.add_flag("--follow", options.follow,
                  "tell of each job's start and end until all have ended; 0 if none failed");
}

void add_map_command(CommandTree& tree, MapOptions& options) {
  CLI::App& map = tree.add(
      tree.root(), "map",
      "Run a shell's line for each of many files, all over the pool; what it prints becomes the file's result. In it, "
      "{} is the file, {name} its name, {stem} that without its ending, {i} its number. With --stream, run it for "
      "each line of standard input instead.",
      [&tree, &options] {
        return options.stream ? map_stream(tree.context(), options) : map_files(tree.context(), options);
      });
  CommandTree::argument(map, "PROGRAM", options.program, "a shell's line, in quotes, for example 'wc -l {}'");
  map.add_option("FILES", options.files, "the files; each goes to its own task alone")->type_name(" ");
  CommandTree::text_option(map, "--reduce", options.reduce, "PROGRAM",
                           "run this once afterwards, on all results: {} are their files, in the order of FILES; "
                           "without {} it reads them on standard input. What it prints comes here");
  CommandTree::text_option(
      map, "--to", options.to, "DIR",
      "write results there, under the files' names (default: results; with --reduce they stay in the pool)");
  map.add_flag("--replace", options.replace, "replace results that are there already");
  map.add_flag(
      "--stream", options.stream,
      "keep PROGRAM running on many lines: it reads one a time and answers each with one; answers come here in "
      "the lines' order. Standard input may be endless; lines whose worker fails are tried once more unless --retries "
      "says otherwise");
  add_task_options(map, options.run);
}

void add_schedule_commands(CommandTree& tree, ScheduleOptions& options) {
  const auto list = [&tree] { return list_schedules(tree.context()); };
  CLI::App& schedule = tree.add(tree.root(), "schedule", "List what the hub runs by the clock.", list);
  schedule.require_subcommand(0, 1);
  tree.add(schedule, "list", "List what the hub runs by the clock.", list);
  CLI::App& add = tree.add(schedule, "add",
                           "Have the hub run a program by its PC's clock, as \"hearth run\" would: hearth schedule add "
                           "'0 3 * * *' --cores 2 -- ./backup. Inputs are sent now.",
                           [&tree, &options] { return add_schedule(tree.context(), options); });
  CommandTree::argument(
      add, "CRON", options.cron,
      "minute, hour, day, month and weekday, as cron has them; or @hourly, @daily, @weekly, @monthly, @yearly");
  CommandTree::text_option(add, "--name", options.name, "NAME",
                           "what it and its jobs are called (default: the program's name)");
  CommandTree::text_option(add, "--overlap", options.overlap, "HOW",
                           "when the last one still runs: skip (the default) or allow");
  add_job_options(add, options.run);
  CLI::App& remove = tree.add(schedule, "remove", "Take a schedule out. What it started goes on.",
                              [&tree, &options] { return remove_schedule(tree.context(), options); });
  CLI::App& now = tree.add(schedule, "run-now", "Start a schedule's job now.",
                           [&tree, &options] { return run_schedule(tree.context(), options); });
  for (CLI::App* command : {&remove, &now}) {
    CommandTree::argument(*command, "NAME", options.name, "the schedule's name");
    CommandTree::text_option(*command, "--of", options.device, "DEVICE", "whose it is (default: this device's)");
  }
}

void add_webhook_commands(CommandTree& tree, WebhookOptions& options) {
  const auto list = [&tree] { return list_webhooks(tree.context()); };
  CLI::App& webhook = tree.add(tree.root(), "webhook", "List the URLs that the hub tells of what happens.", list);
  webhook.require_subcommand(0, 1);
  tree.add(webhook, "list", "List the URLs that the hub tells of what happens.", list);
  CLI::App& add =
      tree.add(webhook, "add",
               "Have the hub tell a URL when jobs end, by a signed POST that is repeated until it is taken: "
               "docs/EVENTS.md. The secret to check signatures by is shown this once.",
               [&tree, &options] { return add_webhook(tree.context(), options); });
  CommandTree::argument(add, "URL", options.url, "https://HOST/PATH");
  CommandTree::list_option(add, "--on", options.events, "EVENTS",
                           "of what, in a list with commas: job.queued, job.started, job.ended (the default), "
                           "task.failed, task.requeued");
  CommandTree::text_option(add, "--job", options.job, "JOB", "of this job alone; it ends with it");
  CommandTree::text_option(add, "--name", options.name, "PATTERN",
                           "of jobs with such a name alone, for example \"night-*\"");
  CommandTree::text_option(add, "--secret-file", options.secret_file, "FILE",
                           "sign by the secret in this file, whsec_ and base64, instead of a new one");
  add.add_flag("--private", options.may_be_private,
               "the URL may lie in a private network or on the hub's PC: for owners");
  CLI::App& remove = tree.add(webhook, "rm", "Remove a webhook, with the messages that wait.",
                              [&tree, &options] { return remove_webhook(tree.context(), options); });
  CLI::App& test = tree.add(webhook, "test", "Send a webhook's URL a message now, and tell what it answers.",
                            [&tree, &options] { return test_webhook(tree.context(), options); });
  for (CLI::App* command : {&remove, &test}) {
    CommandTree::argument(*command, "NUMBER", options.number, "the webhook's number");
  }
}

void add_audience_commands(CommandTree& tree, CLI::App& app, AudienceOptions& options) {
  tree.add(app, "shared", "List the apps that are shared with this device, and its own that are shared or watched now.",
           [&tree] { return list_shared_apps(tree.context()); });
  CLI::App& share =
      tree.add(app, "share",
               "Let people of the pool watch an app that runs, or with --control have its controller too, once it is "
               "passed to them: who has it uses the app, the others watch. It ends with the job.",
               [&tree, &options] { return share_app(tree.context(), options); });
  CLI::App& unshare = tree.add(
      app, "unshare", "Let people watch an app no more, at once; everybody, watch links too, if none is named.",
      [&tree, &options] { return unshare_app(tree.context(), options); });
  CLI::App& pass = tree.add(app, "pass",
                            "Pass an app's controller to somebody it is shared with to control; without a name it "
                            "comes back to those whose app it is.",
                            [&tree, &options] { return pass_controller(tree.context(), options); });
  for (CLI::App* command : {&share, &unshare, &pass}) {
    CommandTree::argument(*command, "JOB", options.job, "the app's job");
  }
  constexpr const char* kPeople = "accounts (hearth account) or devices, separated by commas";
  share.add_option("--with", options.people, kPeople)
      ->type_name("PEOPLE")
      ->delimiter(',')
      ->allow_extra_args(false)
      ->required();
  unshare.add_option("--with", options.people, kPeople)->type_name("PEOPLE")->delimiter(',')->allow_extra_args(false);
  share.add_flag("--control", options.may_control, "the controller may be passed to them");
  pass.add_option("PERSON", options.person, "who is to have it")->type_name(" ");
}

void add_watch_link_commands(CommandTree& tree, CLI::App& app, WatchLinkOptions& options) {
  CLI::App& make = tree.add(app, "watch-link",
                            "Make a link by which another player than Hearth's page watches an app with windows that "
                            "runs: OBS, GStreamer, whatever speaks WHEP. It lets nobody use the app, for a day unless "
                            "you say otherwise, and ends with the job.",
                            [&tree, &options] { return make_watch_link(tree.context(), options); });
  CommandTree::argument(make, "JOB", options.job, "the app's job");
  CommandTree::text_option(make, "--until", options.until, "WHEN",
                           "when it runs out: a span from now like 2h or 3d, or a moment; at most 30 days");
  CommandTree::text_option(make, "--players", options.players, "N",
                           "how many may watch by it at the same time: 1 to 6 (default: 2)");
  CommandTree::text_option(make, "--name", options.label, "LABEL", "what your list calls it");
  tree.add(app, "watch-links", "List the links by which other players watch this device's apps, and how many do now.",
           [&tree] { return list_watch_links(tree.context()); });
  CLI::App& unwatch = tree.add(app, "unwatch", "Take a watch link back. Whoever watches by it is cut off at once.",
                               [&tree, &options] { return revoke_watch_link(tree.context(), options); });
  CommandTree::argument(unwatch, "ID", options.id, "as \"hearth app watch-links\" shows it");
}

void add_app_commands(CommandTree& tree, AppOptions& options) {
  const auto list = [&tree] { return list_apps(tree.context()); };
  CLI::App& app =
      tree.add(tree.root(), "app",
               "List the programs with windows, the text programs and the web programs that PCs of the pool "
               "have. The page starts one by a tap and shows it live.",
               list);
  app.require_subcommand(0, 1);
  tree.add(app, "list",
           "List the programs with windows, the text programs and the web programs that PCs of the pool have.", list);
  CLI::App& add = tree.add(app, "add",
                           "Add a program of this PC to the apps: hearth app add Clock -- xclock -update 1. Those that "
                           "the PC's own menus show are there by themselves.",
                           [&tree, &options] { return add_app(tree.context(), options); });
  CLI::App& remove = tree.add(app, "remove", "Take an app that was added on this PC away. What runs goes on.",
                              [&tree, &options] { return remove_app(tree.context(), options); });
  CLI::App& start = tree.add(app, "start", "Start an app and print its job's number; the page shows it.",
                             [&tree, &options] { return start_app(tree.context(), options); });
  for (CLI::App* command : {&add, &remove, &start}) {
    CommandTree::argument(*command, "NAME", options.name, "the app's name");
  }
  add.add_flag("--terminal", options.terminal, "it is a text program, which needs a terminal");
  CommandTree::text_option(add, "--web", options.web, "PORT",
                           "it is a web program, which listens on this port: --web 8888 Notebooks -- jupyter-lab "
                           "--no-browser --ServerApp.token=");
  CommandTree::text_option(add, "--gpu", options.gpus, "N",
                           "it is lent N GPUs (0 to 16, no more than its PC lends), which compute for it and draw its "
                           "3D: --gpu 1 Blender -- blender");
  CommandTree::text_option(start, "--on", options.node, "NODE", "the PC that it is to run on, if several have it");
  CLI::App& screen =
      tree.add(app, "share-screen",
               "Show the screen that you sit at as an app, to use it from your phone, until you press the stop key or "
               "Ctrl-C: to your own devices alone, and to whom you then name with hearth app share. A sign on the "
               "screen says that it is shared.",
               [&tree, &options] { return share_screen(tree.context(), options.screen); });
  CommandTree::text_option(screen, "--stop-key", options.screen.stop_key, "KEYS",
                           "what ends it when pressed, whatever is in front: Super+F12, Pause")
      ->default_str(options.screen.stop_key);
  CommandTree::text_option(screen, "--name", options.screen.name, "NAME", "what the page calls it");
  add_audience_commands(tree, app, options.audience);
  add_watch_link_commands(tree, app, options.watch_link);
}

}  // namespace

void add_work_commands(CommandTree& tree, WorkOptions& options) {
  add_run_command(tree, options.run);
  add_cluster_command(tree, options.cluster);
  add_submit_command(tree, options.submit);
  add_map_command(tree, options.map);
  add_schedule_commands(tree, options.schedule);
  add_webhook_commands(tree, options.webhook);
  add_app_commands(tree, options.app);
}

}  // namespace hearth::cli
