#include "cli/image.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <cstdlib>
#include <fstream>
#include <sstream>

#include <pwd.h>
#include <unistd.h>

#include <fmt/format.h>

#include "base/entries.h"
#include "cli/home.h"
#include "cli/values.h"

namespace hearth::cli {
namespace {

namespace fs = std::filesystem;

constexpr const char* kFirstTime = "1735689600";  // 2025-01-01
constexpr const char* kDateVariable = "SOURCE_DATE_EPOCH";
constexpr const char* kMountPoints =
    "proc sys dev tmp job workspace run run/gpu run/hearth";  // what a sandbox mounts something on
constexpr const char* kSquashfsTools = "squashfs-tools";
constexpr const char* kMergedUsr = "/usr/share/mmdebstrap/hooks/merged-usr";
constexpr std::uint64_t kLeastIds = 65536;

// What nobody reads in a sandbox.
constexpr std::array kLeftOut = {"/usr/share/man/*", "/usr/share/doc/*", "/usr/share/info/*", "/usr/share/locale/*",
                                 "/usr/share/lintian/*"};

std::string date_limit() {
  const char* given = ::getenv(kDateVariable);
  return given != nullptr && *given != '\0' ? given : kFirstTime;
}

std::string date_variable() { return fmt::format("{}={}", kDateVariable, date_limit()); }

Result<std::string> text_of(const fs::path& file) { return read_small_file(file); }

// This system's own package sources, as files for mmdebstrap.
Result<std::vector<std::string>> package_sources(const std::string& codename) {
  std::vector<fs::path> files = {"/etc/apt/sources.list"};
  std::error_code error;
  for (const auto& entry : Entries("/etc/apt/sources.list.d", error)) files.push_back(entry.path());
  std::ranges::sort(files);
  std::vector<std::string> sources;
  for (const fs::path& file : files) {
    if (file.extension() != ".list" && file.extension() != ".sources") continue;
    const Result<std::string> text = text_of(file);
    if (text && is_source_of(*text, codename)) sources.push_back(file);
  }
  if (!sources.empty()) return sources;
  return fail(Code::kFailedPrecondition,
              fmt::format("/etc/apt/sources.list and sources.list.d name no source of packages for {}: add one there",
                          codename.empty() ? "this system" : codename));
}

// What an ordinary user needs so that mmdebstrap works without root.
Result<void> check_rootless() {
  if (::geteuid() == 0) return {};
  const passwd* self = ::getpwuid(::geteuid());
  const std::string user = self == nullptr ? std::to_string(::geteuid()) : self->pw_name;
  if (!has_program("newuidmap")) {
    return fail(Code::kFailedPrecondition, "newuidmap was not found; install it with: apt install uidmap");
  }
  for (const char* file : {"/etc/subuid", "/etc/subgid"}) {
    const Result<std::string> text = text_of(file);
    if (text && has_subordinate_ids(*text, user, ::geteuid())) continue;
    return fail(Code::kFailedPrecondition,
                fmt::format("{} gives {} no range of {} ids; give one with: sudo usermod --add-subuids 100000-165535 "
                            "--add-subgids 100000-165535 {}",
                            file, user, kLeastIds, user));
  }
  return {};
}

// How this PC's apt reaches its sources (proxies and the like), for mmdebstrap's apt. Empty if there is nothing.
fs::path network_options(const Workshop& workshop) {
  const fs::path file = workshop.directory() / "apt.conf";
  std::ofstream out(file);
  bool any = false;
  for (const std::string& line : workshop.lines_of({.argv = {"apt-config", "dump"}, .package = "apt"})) {
    const bool wanted = line.starts_with("Acquire::http") || line.starts_with("Acquire::Check-") ||
                        line.starts_with("Acquire::Retries");
    if (!wanted || line.ends_with(" \"\";")) continue;
    out << line << "\n";
    any = true;
  }
  return any ? file : fs::path();
}

// Directories to mount on, for images that were made without them, and nothing of what a mount would hide.
Result<fs::path> squash_directory(const Workshop& workshop, const fs::path& directory, bool fixed_times) {
  const fs::path image = workshop.directory() / "image.squashfs";
  std::vector<std::string> argv = {"mksquashfs", directory.string(), image.string(), "-comp",          "zstd",
                                   "-all-root",  "-no-xattrs",       "-no-progress", "-exit-on-error", "-noappend"};
  if (fixed_times) argv.insert(argv.end(), {"-mkfs-time", date_limit(), "-all-time", date_limit()});
  std::istringstream names(kMountPoints);
  for (std::string name; names >> name;) {
    std::error_code error;
    const fs::file_status there = fs::symlink_status(directory / name, error);
    if (fs::exists(there) && !fs::is_directory(there)) {
      return fail(Code::kFailedPrecondition, fmt::format("{}/{} must be a directory (or absent): sandboxes mount there",
                                                         plain(directory.string()), name));
    }
    if (!fs::exists(there)) argv.insert(argv.end(), {"-p", fmt::format("{} d 0755 0 0", name)});
  }
  argv.insert(argv.end(), {"-wildcards", "-e", "proc/*", "sys/*", "dev/*"});
  // mksquashfs takes its times from the variable or from its options, never from both.
  const Result<void> packed =
      workshop.run("packing", {{.argv = std::move(argv),
                                .package = kSquashfsTools,
                                .variables = {fixed_times ? std::string(kDateVariable) : date_variable()}}});
  if (!packed) return std::unexpected(packed.error());
  return image;
}

bool archive_has(const Workshop& workshop, const fs::path& archive, const std::string& member) {
  return !workshop.lines_of({.argv = {"tar", "-tf", archive, member}, .package = "tar"}).empty();
}

}  // namespace

bool is_package_name(std::string_view name) {
  const auto allowed = [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '+' || c == '-' || c == '.';
  };
  return name.size() >= 2 && name.size() <= 128 && name[0] != '-' && name[0] != '.' && name[0] != '+' &&
         std::ranges::all_of(name, allowed);
}

std::string codename_of(std::string_view os_release) {
  constexpr std::string_view kKey = "VERSION_CODENAME=";
  std::istringstream lines{std::string(os_release)};
  for (std::string line; std::getline(lines, line);) {
    if (!line.starts_with(kKey)) continue;
    std::string name = line.substr(kKey.size());
    std::erase(name, '"');
    return is_package_name(name) ? name : "";
  }
  return "";
}

bool is_source_of(std::string_view sources, std::string_view codename) {
  std::istringstream lines{std::string(sources)};
  for (std::string line; std::getline(lines, line);) {
    std::istringstream words(line.substr(0, line.find('#')));
    for (std::string word; words >> word;) {
      if (word == codename) return true;
    }
  }
  return false;
}

bool has_subordinate_ids(std::string_view text, std::string_view user, unsigned uid) {
  std::istringstream lines{std::string(text)};
  for (std::string line; std::getline(lines, line);) {
    const std::size_t first = line.find(':');
    const std::size_t second = line.find(':', first + 1);
    if (first == std::string::npos || second == std::string::npos) continue;
    const std::string who = line.substr(0, first);
    std::uint64_t count = 0;
    std::from_chars(line.data() + second + 1, line.data() + line.size(), count);
    if ((who == user || who == std::to_string(uid)) && count >= kLeastIds) return true;
  }
  return false;
}

Result<fs::path> image_of_packages(const Workshop& workshop, const std::vector<std::string>& packages) {
  std::string list;
  for (const std::string& package : packages) {
    if (!is_package_name(package)) {
      return fail(Code::kInvalidArgument, fmt::format("--packages {}: this is no package's name", plain(package)));
    }
    list += (list.empty() ? "" : ",") + package;
  }
  if (list.empty()) return fail(Code::kInvalidArgument, "--packages: at least one package is needed");
  if (Result<void> able = check_rootless(); !able) return std::unexpected(able.error());
  const std::string codename = codename_of(text_of("/etc/os-release").value_or(""));
  const Result<std::vector<std::string>> sources = package_sources(codename);
  if (!sources) return std::unexpected(sources.error());

  const bool root = ::geteuid() == 0;
  std::vector<std::string> argv = {"mmdebstrap", root ? "--mode=root" : "--mode=unshare", "--variant=essential",
                                   "--format=tar", "--include=" + list};
  // Directories are merged from the start; without it a package of perl would do that afterwards.
  std::error_code error;
  if (fs::exists(kMergedUsr, error)) argv.push_back(fmt::format("--hook-dir={}", kMergedUsr));
  argv.emplace_back("--dpkgopt=force-unsafe-io");
  for (const char* path : kLeftOut) argv.push_back(fmt::format("--dpkgopt=path-exclude={}", path));
  if (const fs::path network = network_options(workshop); !network.empty())
    argv.push_back("--aptopt=" + network.string());
  // The way to the packages is this PC's business and stays out of the image.
  argv.push_back(
      fmt::format("--customize-hook=cd \"$1\" && mkdir -p {} && rm -rf etc/apt/sources.list* "
                  "etc/apt/apt.conf.d/99mmdebstrap etc/hostname etc/resolv.conf var/log/* var/cache/* etc/machine-id",
                  kMountPoints));
  argv.insert(argv.end(), {codename, "-"});
  argv.insert(argv.end(), sources->begin(), sources->end());

  const fs::path image = workshop.directory() / "image.squashfs";
  Tool squash{.argv = {"sqfstar", "-comp", "zstd", "-all-root", "-no-xattrs", "-no-progress", "-exit-on-error",
                       image.string(), "dev/*"},
              .package = kSquashfsTools,
              .variables = {date_variable()}};
  const Result<void> made = workshop.run(
      "installing packages",
      {{.argv = std::move(argv), .package = "mmdebstrap", .variables = {date_variable()}}, std::move(squash)});
  if (!made) return std::unexpected(made.error());
  return image;
}

Result<fs::path> image_of_directory(const Workshop& workshop, const fs::path& directory) {
  std::error_code error;
  if (!fs::is_directory(directory, error)) {
    return fail(Code::kInvalidArgument, fmt::format("--from-dir {}: this is no directory", plain(directory.string())));
  }
  return squash_directory(workshop, fs::canonical(directory, error), true);
}

Result<fs::path> image_of_oci(const Workshop& workshop, const fs::path& archive) {
  std::error_code error;
  if (!fs::is_regular_file(archive, error)) {
    return fail(Code::kInvalidArgument, fmt::format("--from-oci {}: there is no such file", plain(archive.string())));
  }
  // A copy of the name without ':', which would be taken for a tag.
  const fs::path link = workshop.directory() / "archive.tar";
  fs::create_symlink(fs::absolute(archive), link, error);
  const bool oci = archive_has(workshop, link, "oci-layout");
  if (!oci && !archive_has(workshop, link, "manifest.json")) {
    return fail(Code::kInvalidArgument, fmt::format("--from-oci {}: this is neither an OCI nor a docker archive (tar)",
                                                    plain(archive.string())));
  }
  const std::string layout = (workshop.directory() / "oci").string();
  const Result<void> copied =
      workshop.run("reading the image",
                   {{.argv = {"skopeo", "--insecure-policy", "copy", "--quiet",
                              (oci ? "oci-archive:" : "docker-archive:") + link.string(), "oci:" + layout + ":image"},
                     .package = "skopeo"}});
  if (!copied) return std::unexpected(copied.error());
  const fs::path bundle = workshop.directory() / "bundle";
  const Result<void> unpacked = workshop.run(
      "unpacking",
      {{.argv = {"umoci", "unpack", "--rootless", "--image", layout + ":image", bundle.string()}, .package = "umoci"}});
  if (!unpacked) return std::unexpected(unpacked.error());
  return squash_directory(workshop, bundle / "rootfs", false);
}

Result<void> export_to_oci(const Workshop& workshop, const fs::path& image, const std::string& name,
                           const fs::path& destination) {
  const std::string tree = (workshop.directory() / "tree").string();
  const std::string here = workshop.directory().string();
  const std::string layer = (workshop.directory() / "layer.tar").string();
  const std::string layout = (workshop.directory() / "oci").string();
  const std::string packed = (workshop.directory() / "packed.tar").string();
  // The image may be somebody else's work: what takes it apart sees nothing that it could harm.
  const Tool unsquash{
      .argv = {"bwrap", "--unshare-all", "--die-with-parent", "--ro-bind", "/", "/", "--dev", "/dev", "--bind", here,
               here, "unsquashfs", "-no-progress", "-no-xattrs", "-dest", tree, image.string()},
      .package = "bubblewrap squashfs-tools"};
  const Tool pack{.argv = {"tar", "--create", "--sort=name", "--owner=0", "--group=0", "--numeric-owner",
                           "--format=posix", "--pax-option=exthdr.name=%d/PaxHeaders/%f,delete=atime,delete=ctime",
                           "--directory", tree, "--file", layer, "."},
                  .package = "tar"};
  const std::vector<std::pair<std::string, Tool>> steps = {
      {"unpacking", unsquash},
      {"making a layer", pack},
      {"making the image", {.argv = {"umoci", "init", "--layout", layout}, .package = "umoci"}},
      {"making the image", {.argv = {"umoci", "new", "--image", layout + ":" + name}, .package = "umoci"}},
      {"making the image",
       {.argv = {"umoci", "raw", "add-layer", "--image", layout + ":" + name, layer}, .package = "umoci"}},
      {"writing the archive",
       {.argv = {"skopeo", "--insecure-policy", "copy", "--quiet", "oci:" + layout + ":" + name,
                 "oci-archive:" + packed + ":" + name},
        .package = "skopeo"}}};
  for (const auto& [what, tool] : steps) {
    if (Result<void> done = workshop.run(what, {tool}); !done) return done;
  }
  std::error_code error;
  const fs::path part = destination.string() + ".part";
  fs::copy_file(packed, part, fs::copy_options::overwrite_existing, error);
  if (!error) fs::rename(part, destination, error);
  if (error) return fail_errno(error.value(), "writing " + destination.string());
  return {};
}

}  // namespace hearth::cli
