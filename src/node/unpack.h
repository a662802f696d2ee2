// A stranger's root file system image becomes a directory that tasks can be shown. All functions block; on a worker.
#pragma once

#include <atomic>
#include <filesystem>

#include "base/result.h"
#include "base/time.h"
#include "sandbox/directory_tree.h"
#include "sandbox/sandbox.h"

namespace hearth::node {

// Unpacks a squashfs into `directory`/root, which must not exist yet, with a program that runs in the fence: what can
// be done to that program by a crafted image stays there. The result has no device, no set-user-ID bit and every
// directory that a sandbox mounts on; it belongs to the guests' user. `most` bounds it, looked at twice a second, as is
// `ending`, once which is true it is given up, as it is after `limit`. Errors: kCanceled, kInvalidArgument (no
// squashfs, or one that is no root file system), kResourceExhausted (larger than `most`, or the disk is full),
// kDeadlineExceeded, kFailedPrecondition (unsquashfs is missing).
Result<sandbox::TreeSize> unpack_image(sandbox::Host& host, const std::filesystem::path& image,
                                       const std::filesystem::path& directory, const sandbox::TreeSize& most,
                                       Duration limit, const std::atomic<bool>& ending);

}  // namespace hearth::node
