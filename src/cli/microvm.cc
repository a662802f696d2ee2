// `hearth microvm fetch`: the kernel under which microVMs run.
#include <fmt/format.h>

#include "cli/commands.h"
#include "cli/documents.h"
#include "cli/output.h"
#include "cli/tools.h"

namespace hearth::cli {
namespace {

namespace fs = std::filesystem;

// The package that Debian's newest kernel for virtual machines is in: "linux-image-6.1.0-25-cloud-amd64".
Result<std::string> kernel_package(const Workshop& workshop) {
  constexpr std::string_view kDepends = "  Depends: ";
  const std::vector<std::string> architecture =
      workshop.lines_of({.argv = {"dpkg", "--print-architecture"}, .package = "dpkg"});
  const std::string name = "linux-image-cloud-" + (architecture.empty() ? "amd64" : architecture.front());
  for (const std::string& line : workshop.lines_of({.argv = {"apt-cache", "depends", name}, .package = "apt"})) {
    if (line.starts_with(kDepends)) return line.substr(kDepends.size());
  }
  return fail(Code::kNotFound,
              fmt::format("apt knows no {}: this needs Debian and its package lists; try: apt-get update", name));
}

}  // namespace

Result<int> fetch_kernel(const Context& context, const std::string& into) {
  const fs::path directory = into.empty() ? context.home.node() / "microvm" : fs::path(into);
  std::error_code error;
  if (!into.empty() && fs::exists(directory, error) && !fs::is_empty(directory, error)) {
    return fail(Code::kInvalidArgument,
                fmt::format("--into {}: a directory that is empty or does not exist is needed", plain(into)));
  }
  const Result<Workshop> workshop = Workshop::open(context.home.cli());
  if (!workshop) return std::unexpected(workshop.error());
  const Result<std::string> package = kernel_package(*workshop);
  if (!package) return std::unexpected(package.error());
  const std::string work = workshop->directory().string();
  const std::string unpacked = work + "/kernel";
  Result<void> done = workshop->run(
      "fetching " + *package,
      {{.argv = {"sh", "-c", R"(cd "$1" && apt-get download "$2")", "sh", work, *package}, .package = "apt"}});
  if (done) {
    done = workshop->run(
        "unpacking " + *package,
        {{.argv = {"sh", "-c", R"(dpkg-deb -x "$1"/*.deb "$2")", "sh", work, unpacked}, .package = "dpkg"}});
  }
  if (!done) return std::unexpected(done.error());
  if (into.empty()) fs::remove_all(directory, error);  // an older one; in HOME it can be nothing else
  if (Result<void> made = make_directory(directory); !made) return std::unexpected(made.error());
  fs::copy(unpacked, directory, fs::copy_options::recursive | fs::copy_options::copy_symlinks, error);
  if (error) return fail_errno(error.value(), "putting the kernel into " + directory.string());
  say(fmt::format("{} is in {}; this PC's node tries it when it starts: hearth down, then hearth up", *package,
                  directory.string()));
  if (context.json) print(object_json({{"package", *package}, {"directory", directory.string()}}));
  return 0;
}

}  // namespace hearth::cli
