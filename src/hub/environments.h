// The environments of the pool by name, held in memory as the store has them. Changes: environment_api.cc.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "hearth/v1/environments.pb.h"
#include "hearth/v1/jobs.pb.h"
#include "store/store.h"

namespace hearth::hub {

// A node's own /usr, which is no image.
inline constexpr std::string_view kHostEnvironment = "host";

bool is_environment_name(std::string_view name);

class Environments {
 public:
  static constexpr std::size_t kMost = 1'000;

  explicit Environments(std::vector<store::EnvironmentRow> rows);

  const store::EnvironmentRow* find(const std::string& name) const;
  bool holds_image(const std::string& sha256) const;
  const std::map<std::string, store::EnvironmentRow>& all() const { return rows_; }

  // What a job that is submitted now runs in; nothing: "host". Errors: kNotFound, with the names that there are.
  Result<std::optional<v1::Blob>> resolve(const v1::JobSpec& spec) const;

  // What the store has committed.
  void put(const store::EnvironmentRow& row) { rows_[row.name] = row; }
  void remove(const std::string& name) { rows_.erase(name); }

 private:
  std::map<std::string, store::EnvironmentRow> rows_;
};

v1::Environment to_proto(const store::EnvironmentRow& row);

}  // namespace hearth::hub
