// What the daemons log, as programs read it.
#include <fstream>
#include <map>
#include <sstream>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "harness/pool.h"

namespace hearth::e2e {
namespace {

using nlohmann::json;

class LogsTest : public PoolFixture {
 protected:
  void SetUp() override { add_pool("home"); }  // each test brings it up by itself

  // Every line is an object; by its message.
  static std::map<std::string, json> objects(const std::string& text) {
    std::map<std::string, json> found;
    std::istringstream lines(text);
    for (std::string line; std::getline(lines, line);) {
      const json object = json::parse(line, nullptr, false);
      EXPECT_TRUE(object.is_object()) << line;
      if (!object.is_object()) continue;
      EXPECT_TRUE(object.contains("time") && object.contains("level")) << line;
      found[object.value("message", "")] = object;
    }
    return found;
  }
};

TEST_F(LogsTest, AreOneObjectALineWhereThatIsAskedFor) {
  const std::vector<std::string> up = {"up",     "--no-invite", "--port",       "0",   "--address", "127.0.0.1",
                                       "--name", "a \"b\" c",   "--log-format", "json"};
  ASSERT_EQ(pool().cli(up).exit_code, 0);
  pool().await_node();
  pool().down();
  std::ifstream file(pool().home() / "log");
  const std::map<std::string, json> log = objects({std::istreambuf_iterator<char>(file), {}});
  ASSERT_TRUE(log.contains("hub listens"));
  EXPECT_EQ(log.at("hub listens").at("address"), "127.0.0.1");
  EXPECT_TRUE(log.at("hub listens").at("port").is_number());
  ASSERT_TRUE(log.contains("node connected"));
  EXPECT_EQ(log.at("node connected").at("level"), "info");
}

TEST_F(LogsTest, AreSoInTheForegroundToo) {
  std::vector<std::string> up = {"up", "--foreground", "--port", "0", "--address", "127.0.0.1", "--log-format", "json"};
  Process process = pool().start_cli(up);
  ASSERT_TRUE(eventually(seconds(60), [&] { return process.err().contains("is up on port"); })) << process.err();
  pool().await_node();
  process.signal(SIGTERM);
  const Ended ended = process.wait(seconds(30));
  EXPECT_EQ(ended.exit_code, 0);
  EXPECT_TRUE(objects(ended.err).contains("hub listens"));
  up.back() = "xml";
  const Ended wrong = pool().cli(up);
  EXPECT_EQ(wrong.exit_code, 2);
  EXPECT_THAT(wrong.err, testing::HasSubstr("--log-format xml: text or json"));
}

}  // namespace
}  // namespace hearth::e2e
