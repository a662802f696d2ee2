// An attempt's box, with its inputs in it.
#include <algorithm>
#include <cerrno>

#include <unistd.h>

#include "node/apps.h"
#include "node/command.h"
#include "node/executor.h"
#include "node/rings.h"

namespace hearth::node {
namespace {

constexpr std::uint64_t kCopiedBytes = 1ULL << 20;  // larger inputs are shown in place

}  // namespace

// What the attempt's sandbox stands on. On a worker.
Result<sandbox::Setup> Executor::setup_of(Attempt& attempt) {
  sandbox::Setup setup{.level = attempt.level, .network = network_of(attempt.job->spec, attempt.proxy, world_.loop)};
  if (attempt.overlay) setup.network = {.kind = sandbox::Network::Kind::kOverlay, .overlay = *attempt.overlay};
  if (attempt.level == sandbox::Level::kMicroVm) {
    Result<blob::Reader> image = world_.images.read(attempt.job->environment->sha256());
    if (!image) return std::unexpected(image.error());
    setup.image = image->path();
    attempt.pins.push_back(std::move(*image));
  } else if (attempt.environment) {
    setup.root = attempt.environment->root;
  }
  if (attempt.workspace) setup.workspace = attempt.workspace->directory();
  return setup;
}

// On a worker; nobody else is at the attempt's box.
Result<void> Executor::fill_box(Attempt& attempt, const Layout& layout) {
  Resources needs = needs_of(attempt.job->spec);
  sandbox::Limits limits{.cores = needs.cores, .memory_bytes = needs.memory_bytes, .disk_bytes = needs.disk_bytes};
  constexpr std::uint64_t kBlock = 4096;
  limits.foreground = attempt.job->spec.window() || attempt.job->spec.terminal() || attempt.job->spec.web_port() != 0;
  limits.scratch_bytes = needs.memory_bytes + (1ULL << 20);
  for (const auto& [path, file] : layout) {
    if (file.blob().size() <= kCopiedBytes) limits.scratch_bytes += (file.blob().size() + kBlock - 1) / kBlock * kBlock;
  }
  if (attempt.workspace || needs.disk_bytes > 0) {
    const std::uint64_t workspace = attempt.workspace ? attempt.workspace->bytes() : 0;
    limits.max_file_bytes = std::max({workspace, needs.disk_bytes, limits.scratch_bytes});
  }
  attempt.command.bound_files.clear();
  Result<sandbox::Setup> setup = setup_of(attempt);
  if (!setup) return std::unexpected(setup.error());
  if (Result<void> noted = world_.wipes.begin(attempt.id, attempt.level, attempt.workspace_name()); !noted)
    return noted;
  Result<std::unique_ptr<sandbox::Sandbox>> box = world_.host.prepare(attempt_name(attempt.id), limits, *setup);
  if (!box) {
    static_cast<void>(world_.wipes.end(attempt.id, attempt.level, attempt.workspace_name()));
    return std::unexpected(box.error());
  }
  attempt.box = std::move(*box);
  attempt.disk = attempt.box->disk();
  if (attempt.job->spec.window()) {
    attempt.command.bound_files.push_back({.source = world_.screen_program, .path = kScreenFile});
  }
  if (attempt.job->spec.terminal()) {
    attempt.command.bound_files.push_back({.source = world_.terminal_program, .path = kTerminalFile});
  }
  for (const auto& [path, file] : layout) {
    if (Result<void> placed = place_file(attempt, file); !placed) return fail(placed, "input '" + path + "'");
  }
  return {};
}

Result<void> Executor::place_file(Attempt& attempt, const v1::TreeFile& file) {
  if (file.blob().size() > kCopiedBytes) {
    Result<blob::Reader> reader = world_.inputs.read(file.blob().sha256());
    if (!reader) return std::unexpected(reader.error());
    attempt.command.bound_files.push_back({.source = reader->path(), .path = file.path()});
    attempt.pins.push_back(std::move(*reader));
    return {};
  }
  Result<std::string> bytes = world_.inputs.load(file.blob().sha256(), kCopiedBytes);
  if (!bytes) return std::unexpected(bytes.error());
  Result<int> made = attempt.box->create_file(file.path(), file.executable());
  if (!made) return std::unexpected(made.error());
  Result<void> written;
  for (std::size_t done = 0; done < bytes->size() && written;) {
    ssize_t count = ::write(*made, bytes->data() + done, bytes->size() - done);
    if (count < 0) written = fail_errno(errno, "laying it out");
    if (count > 0) done += static_cast<std::size_t>(count);
  }
  ::close(*made);
  return written;
}

}  // namespace hearth::node
