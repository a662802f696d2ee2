#include "node/status.h"

#include <cerrno>
#include <cstdio>
#include <fstream>

#include <nlohmann/json.hpp>

namespace hearth::node {

std::string format_status(const Status& status) {
  nlohmann::ordered_json tasks = nlohmann::ordered_json::array();
  for (const RunningTask& task : status.tasks) {
    tasks.push_back({{"job", task.job},
                     {"task", task.task},
                     {"owner", task.owner},
                     {"since_unix_millis", task.since_unix_millis},
                     {"frozen", task.frozen}});
  }
  const nlohmann::ordered_json object = {{"connected", status.connected},
                                         {"hub", status.hub},
                                         {"running", status.running},
                                         {"held", status.held},
                                         {"closed_reason", status.closed_reason},
                                         {"drained", status.drained},
                                         {"revoked", status.revoked},
                                         {"heeds_owner", status.heeds_owner},
                                         {"frozen", status.frozen},
                                         {"stopped", status.stopped},
                                         {"freeze_millis", status.freeze_millis},
                                         {"swarm_port", status.swarm_port},
                                         {"tasks", tasks}};
  return object.dump(2, ' ', false, nlohmann::ordered_json::error_handler_t::replace) + "\n";
}

Result<void> write_status(const std::filesystem::path& file, const Status& status) {
  std::filesystem::path fresh = file.string() + ".new";
  {
    std::ofstream out(fresh, std::ios::trunc);
    out << format_status(status) << std::flush;
    if (!out) return fail_errno(errno, "writing " + fresh.string());
  }
  if (std::rename(fresh.c_str(), file.c_str()) != 0) return fail_errno(errno, "writing " + file.string());
  return {};
}

}  // namespace hearth::node
