// A disk that is really full: a tmpfs of 1 MiB, mounted by a child in name spaces of its own.
#include <sched.h>
#include <sys/mount.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdio>
#include <fstream>

#include <gtest/gtest.h>

#include "base/sizes.h"
#include "blob/blob_store.h"
#include "blob/local_file.h"
#include "blob/temporary_directory.h"

namespace hearth::blob {
namespace {

namespace fs = std::filesystem;

constexpr int kNoNamespaces = 10;

#define REQUIRE_IN_CHILD(expression)                     \
  do {                                                   \
    const bool is_so = (expression);                     \
    if (!is_so) {                                        \
      std::fprintf(stderr, "not so: %s\n", #expression); \
      return 1;                                          \
    }                                                    \
  } while (false)

bool write_file(const char* path, const std::string& text) {
  std::ofstream file(path);
  return static_cast<bool>(file << text << std::flush);
}

// Name spaces in which this process may mount: root needs no user name space, others become root of their own.
bool enter_namespaces() {
  if (::unshare(CLONE_NEWNS) != 0) {
    const std::string user = std::to_string(::getuid());
    const std::string group = std::to_string(::getgid());
    const bool entered =
        ::unshare(CLONE_NEWUSER | CLONE_NEWNS) == 0 && write_file("/proc/self/uid_map", "0 " + user + " 1") &&
        write_file("/proc/self/setgroups", "deny") && write_file("/proc/self/gid_map", "0 " + group + " 1");
    if (!entered) return false;
  }
  return ::mount("none", "/", nullptr, MS_REC | MS_PRIVATE, nullptr) == 0;
}

// In the child; 0: all is as it should be.
int fill_disk(const fs::path& mount_point) {
  if (!enter_namespaces()) return kNoNamespaces;
  if (::mount("tmpfs", mount_point.c_str(), "tmpfs", 0, "size=1m") != 0) return kNoNamespaces;
  Options options;
  options.keep_free_bytes = 0;
  auto store = BlobStore::open(mount_point / "blobs", options);
  if (!store) std::fprintf(stderr, "%s\n", store.error().message.c_str());
  REQUIRE_IN_CHILD(store.has_value());
  REQUIRE_IN_CHILD((*store)->put("small").has_value());

  // Asked beforehand, and by a writer that did not say how much is coming.
  REQUIRE_IN_CHILD((*store)->create(4 * kMiB).error().code == Code::kResourceExhausted);
  {
    auto writer = (*store)->create(0);
    Result<void> written;
    for (int i = 0; i < 64 && written; ++i) written = writer->write(std::string(64 * kKiB, 'x'));
    REQUIRE_IN_CHILD(!written && written.error().code == Code::kResourceExhausted);
  }
  REQUIRE_IN_CHILD(fs::is_empty(mount_point / "blobs" / "incoming"));

  // The disk fills up behind the store's back, between the promise of room and the writing.
  {
    auto writer = (*store)->create(256 * kKiB);
    REQUIRE_IN_CHILD(writer.has_value());
    std::ofstream(mount_point / "other") << std::string(kMiB, 'x');
    const auto written = writer->write(std::string(256 * kKiB, 'x'));
    REQUIRE_IN_CHILD(!written && written.error().code == Code::kResourceExhausted);
  }
  REQUIRE_IN_CHILD(fs::is_empty(mount_point / "blobs" / "incoming"));
  {
    auto file = NewFile::create(mount_point / "result", false);
    REQUIRE_IN_CHILD(!file || !file->write(std::string(256 * kKiB, 'x')));
  }
  REQUIRE_IN_CHILD(!fs::exists(mount_point / "result"));
  fs::remove(mount_point / "other");
  REQUIRE_IN_CHILD((*store)->put("room again").has_value());
  REQUIRE_IN_CHILD((*store)->bytes() == 15);
  return 0;
}

TEST(DiskFull, IsAClearErrorAndLeavesNothing) {
  const TemporaryDirectory directory;
  const pid_t child = ::fork();
  if (child == 0) ::_exit(fill_disk(directory.path()));
  int status = 0;
  ASSERT_EQ(::waitpid(child, &status, 0), child);
  ASSERT_TRUE(WIFEXITED(status));
  ASSERT_NE(WEXITSTATUS(status), kNoNamespaces)
      << "this machine allows no user and mount namespaces: the test cannot mount its small disk";
  EXPECT_EQ(WEXITSTATUS(status), 0);
}

}  // namespace
}  // namespace hearth::blob
