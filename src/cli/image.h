// Makes an environment's image: one squashfs with a whole root file system, everything in it root's. The same input
// gives the same bytes as far as the tools that make it do: sorted, with times that are fixed or the packages' own,
// none after SOURCE_DATE_EPOCH (2025-01-01 if it is not set).
#pragma once

#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "cli/tools.h"

namespace hearth::cli {

// From Debian packages with what they need, by mmdebstrap and the package sources of this PC. Errors: besides those of
// tools.h, kFailedPrecondition (what an ordinary user lacks, and the remedy), kInvalidArgument (no name of a package).
Result<std::filesystem::path> image_of_packages(const Workshop& workshop, const std::vector<std::string>& packages);

// From a directory that holds a root file system.
Result<std::filesystem::path> image_of_directory(const Workshop& workshop, const std::filesystem::path& directory);

// From a container image in one file, an OCI or docker archive.
Result<std::filesystem::path> image_of_oci(const Workshop& workshop, const std::filesystem::path& archive);

// The other way: an OCI archive that any container tool takes.
Result<void> export_to_oci(const Workshop& workshop, const std::filesystem::path& image, const std::string& name,
                           const std::filesystem::path& destination);

// --- the parts of it that can be told wrong from right without making anything

bool is_package_name(std::string_view name);

// "bookworm", from the text of os-release; empty if it names none.
std::string codename_of(std::string_view os_release);

// Whether a file of package sources (either format) is about that release of the system itself.
bool is_source_of(std::string_view sources, std::string_view codename);

// Whether /etc/subuid's text gives the user a range that a system's own users fit into.
bool has_subordinate_ids(std::string_view text, std::string_view user, unsigned uid);

}  // namespace hearth::cli
