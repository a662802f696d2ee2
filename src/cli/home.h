// HOME: where everything lives that the program keeps (the layout is in cli.h), and its small files.
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>

#include "base/result.h"
#include "base/time.h"
#include "base/wall_clock.h"

namespace hearth::cli {

struct Home {
  std::filesystem::path root;

  std::filesystem::path config() const { return root / "config.json"; }
  std::filesystem::path lock() const { return root / "lock"; }
  std::filesystem::path log() const { return root / "log"; }
  std::filesystem::path hub() const { return root / "hub"; }
  std::filesystem::path endpoint() const { return root / "hub" / "endpoint.json"; }
  std::filesystem::path node() const { return root / "node"; }
  std::filesystem::path policy() const { return root / "node" / "policy.json"; }
  std::filesystem::path apps() const { return root / "node" / "apps.json"; }
  std::filesystem::path node_status() const { return root / "node" / "status.json"; }
  std::filesystem::path node_screen() const { return root / "node" / "screen"; }
  std::filesystem::path node_stopped() const { return root / "node" / "stopped"; }
  std::filesystem::path cli() const { return root / "cli"; }
  // The family's files: ~/Hearth for the usual HOME, a folder within for any other.
  std::filesystem::path drive() const;
};

// What decides where HOME is; each may be empty.
struct HomeSources {
  std::string option;         // --home
  std::string hearth_home;    // $HEARTH_HOME
  std::string xdg_data_home;  // $XDG_DATA_HOME
  std::string user_home;      // $HOME
};
HomeSources home_sources(std::string_view option);  // with this process's environment

// Absolute; need not exist. Errors: kFailedPrecondition (none of them is set).
Result<Home> resolve_home(const HomeSources& sources);

// Makes the directory and its parents; those that it makes are for this user alone (mode 0700).
Result<void> make_directory(const std::filesystem::path& directory);

// At most 1 MiB. Errors: kNotFound, kPermissionDenied, kResourceExhausted.
Result<std::string> read_small_file(const std::filesystem::path& file);

// The file appears whole or not at all, mode 0600; its directory is made.
Result<void> write_file_atomically(const std::filesystem::path& file, std::string_view content);

// Who holds HOME/lock.
struct Holder {
  int process = 0;
  WallTime since;
};

// The supervisor's lock. Kept while the object lives, across fork() by the child as well; never by what is exec'd.
class Lock {
 public:
  // Nothing if somebody else holds it.
  static Result<std::optional<Lock>> take(const Home& home);
  static std::optional<Holder> holder(const Home& home);

  Lock(Lock&& other) noexcept;
  Lock& operator=(Lock&&) = delete;
  ~Lock();

  // Writes this process's id into the file: once the supervisor has its final id.
  Result<void> sign() const;

 private:
  explicit Lock(int file) : file_(file) {}
  int file_;
};

std::string host_name();

}  // namespace hearth::cli
