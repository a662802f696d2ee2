// The private mount namespace of a Host and what is mounted in it.
//
//   PLACE                 a tmpfs that only this process sees; it vanishes with the process
//   PLACE/root            what a guest sees as /: the host's /usr, a few files of /etc, mount points
//   PLACE/filter          the system call filter
//   PLACE/oci             what the level of that name shows: process 1 of a container, the runtimes' filter
//   PLACE/microvm         and the microVMs' kernel and first files
//   PLACE/networks/NAME   the UNIX socket of one sandbox's proxy, see guest_network.h
//   PLACE/boxes/NAME      a tmpfs of its own, or a directory of the vault: one sandbox's working directory
//   PLACE/memory          a tmpfs of its own: what guests are shown in place, see Host::memory_directory()
//   PLACE/vault           see vault.h: "shown", what guests are shown in place where it does not fit into memory, and
//                         "boxes/NAME", one sandbox's files, where it has disk
//   PLACE/shown/NAME-*    a directory of the node's that this sandbox is shown: its environment, its workspace, its
//   /tmp
#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <string>
#include <utility>

#include <sys/types.h>

#include "base/result.h"

namespace hearth::sandbox {

// Who guests are outside of their own user namespace.
struct GuestUser {
  bool drop = false;  // the process is really root: guests run as `uid`
  uid_t uid = 0;
  gid_t gid = 0;
};

// Enters a mount namespace that passes nothing on to the host's; for an ordinary user, in a user namespace in which the
// user stays who he is. The process must have one thread. Errors: kFailedPrecondition with the remedy.
Result<GuestUser> enter_private_namespace();

// A directory to mount PLACE on. The guests' user must be able to walk there, which rules out most home directories; as
// the mount is seen by nobody else, root takes an empty system directory. For an ordinary user it is STATE/run.
Result<std::string> choose_place(const std::filesystem::path& state_directory, const GuestUser& user);

struct Tmpfs {
  std::uint64_t bytes = 0;
  std::uint64_t files = 0;
  unsigned mode = 0700;
  GuestUser owner;
};
// Kept out of swap where the kernel can do that. Errors: of mount().
Result<void> mount_tmpfs(const std::string& where, const Tmpfs& what);

// Takes a mount away, with those beneath it, whoever still uses it.
Result<void> unmount(const std::string& where);

// A tmpfs on a directory of its own; both go with the object.
class Mount {
 public:
  // `where` must not exist yet. Errors: of mkdir and mount.
  static Result<std::unique_ptr<Mount>> make(const std::filesystem::path& where, const Tmpfs& what);
  explicit Mount(std::filesystem::path where) : where_(std::move(where)) {}
  struct Borrowed {};
  Mount(std::filesystem::path where, Borrowed /*tag*/) : where_(std::move(where)), owned_(false) {}  // stays as it is
  ~Mount();
  Mount(const Mount&) = delete;
  Mount& operator=(const Mount&) = delete;

  const std::filesystem::path& where() const { return where_; }

 private:
  std::filesystem::path where_;
  bool owned_ = true;
};

// Fills PLACE/root: what a guest sees of the host.
Result<void> build_root(const std::string& root);

// Shows the directory `source` at `where`, which is made for it: read-only with all that is mounted below, or writable
// and handed to `owner`. Errors: kInvalidArgument if it is no directory, those of mount().
Result<void> show_directory(const std::filesystem::path& source, const std::string& where, const GuestUser* owner);

// Takes it away again.
Result<void> unshow_directory(const std::string& where);

// Shows the regular file `source` at the file `destination` (an open descriptor of it), read-only.
Result<void> bind_file(const std::filesystem::path& source, int destination);

}  // namespace hearth::sandbox
