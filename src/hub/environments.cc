#include "hub/environments.h"

#include <algorithm>

#include <fmt/format.h>

#include "base/bytes.h"
#include "hub/views.h"

namespace hearth::hub {
namespace {

constexpr std::size_t kMostNamed = 20;  // in an error

}  // namespace

bool is_environment_name(std::string_view name) { return is_short_name(name) && name != kHostEnvironment; }

Environments::Environments(std::vector<store::EnvironmentRow> rows) {
  for (store::EnvironmentRow& row : rows) rows_.emplace(row.name, row);
}

const store::EnvironmentRow* Environments::find(const std::string& name) const {
  const auto found = rows_.find(name);
  return found == rows_.end() ? nullptr : &found->second;
}

bool Environments::holds_image(const std::string& sha256) const {
  return std::ranges::any_of(rows_, [&](const auto& entry) { return entry.second.sha256 == sha256; });
}

Result<std::optional<v1::Blob>> Environments::resolve(const v1::JobSpec& spec) const {
  const std::string& name = spec.environment();
  if (name.empty() || name == kHostEnvironment) return std::nullopt;
  const store::EnvironmentRow* row = find(name);
  if (row != nullptr) return to_proto(*row).image();
  std::string names(kHostEnvironment);
  std::size_t named = 0;
  for (const auto& [known, unused] : rows_) {
    if (++named > kMostNamed) break;
    names += ", " + known;
  }
  if (rows_.size() > kMostNamed) names += fmt::format(" and {} more", rows_.size() - kMostNamed);
  return fail(Code::kNotFound, fmt::format("environment: there is no '{}'; there are: {}", name, names));
}

v1::Environment to_proto(const store::EnvironmentRow& row) {
  v1::Environment environment;
  environment.set_name(row.name);
  environment.mutable_image()->set_sha256(row.sha256);
  environment.mutable_image()->set_size(row.size);
  environment.set_description(row.description);
  *environment.mutable_made() = moment(row.made);
  return environment;
}

}  // namespace hearth::hub
