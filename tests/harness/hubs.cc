#include "harness/hubs.h"

#include <chrono>

#include <signal.h>

#include <nlohmann/json.hpp>

#include "harness/api.h"
#include "harness/pairing.h"

namespace hearth::e2e {

using nlohmann::json;

bool stands_by(const Pool& pool) {
  const json file = json::parse(read_text(pool.home() / "hub" / "endpoint.json"), nullptr, false);
  return !file.is_object() || file.value("stands_by", true) || !alive(file.value("pid", 0));
}

bool is_whole(const Pool& pool) {
  const Ended ended = pool.cli({"status", "--json"});
  const json status = json::parse(ended.out, nullptr, false);
  if (ended.exit_code != 0 || !status.is_object()) return false;
  int holders = 0;
  int in_step = 0;
  for (const json& hub : status.value("hubs", json::array())) {
    holders += hub.value("holds", false) && hub.value("alive", false) ? 1 : 0;
    in_step += hub.value("inStep", hub.value("in_step", false)) ? 1 : 0;
  }
  return holders == 1 && in_step == 1;
}

std::int64_t await_holder(const Pool& pool) {
  const auto begun = std::chrono::steady_clock::now();
  EXPECT_TRUE(eventually(seconds(60), [&] { return !stands_by(pool); })) << read_text(pool.home() / "log");
  return std::chrono::duration_cast<std::chrono::milliseconds>(std::chrono::steady_clock::now() - begun).count();
}

void lose_hub(const Pool& pool, int signal) {
  const pid_t hub = pool.hub_process();
  ::kill(pool.supervisor(), SIGSTOP);
  ::kill(hub, signal);
}

void bring_back_hub(const Pool& pool, pid_t hub) {
  ::kill(hub, SIGCONT);
  ::kill(pool.supervisor(), SIGCONT);
}

std::string drive_copy(const Pool& pool) {
  const json status = json::parse(pool.cli({"status", "--json"}).out, nullptr, false);
  if (!status.is_object()) return "";
  for (const json& hub : status.value("hubs", json::array())) {
    const json copy = hub.value("drive_copy", json());
    if (!copy.is_object()) continue;
    if (copy.value("whole", false)) return "whole";
    return copy.value("files_behind", "0") + " behind";
  }
  return "";
}

bool has_whole_drive(const Pool& pool) { return drive_copy(pool) == "whole"; }

void stand_by(Pool& holder, Pool& other, const std::string& address, const std::vector<std::string>& options) {
  Api owner(holder);
  std::vector<std::string> words = {"up", "--address",   address,        "--port",
                                    "0",  "--no-invite", "--standby-of", invite(owner, v1::ROLE_OWNER).links(0)};
  words.insert(words.end(), options.begin(), options.end());
  Process coming = other.start_cli(words);
  ASSERT_TRUE(eventually(seconds(20), [&] { return coming.err().find("shows") != std::string::npos; })) << coming.err();
  const auto pending = owner.call<v1::ListDevicesReply>("hearth.v1.DeviceService/List", v1::ListDevicesRequest());
  ASSERT_TRUE(pending && pending->pending_size() == 1);
  ASSERT_EQ(holder.cli({"devices", "allow", pending->pending(0).name()}).exit_code, 0);
  const Ended up = coming.wait(seconds(60));
  ASSERT_EQ(up.exit_code, 0) << up.err << read_text(other.home() / "log");
  ASSERT_TRUE(eventually(seconds(60), [&] { return is_whole(holder); }))
      << holder.cli({"status"}).out << read_text(holder.home() / "log") << read_text(other.home() / "log");
}

}  // namespace hearth::e2e
