// GET /metrics: every line of it by the format's rules, who may read it, and that the dashboard asks for nothing else.
#include <algorithm>
#include <cmath>
#include <fstream>
#include <map>
#include <regex>
#include <set>
#include <sstream>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "harness/api.h"
#include "harness/raw.h"

namespace hearth::e2e {
namespace {

using testing::HasSubstr;
using testing::Not;

struct Family {
  std::string kind;
  bool has_help = false;
  std::map<std::string, double> samples;  // by name and labels, as written
};

using Families = std::map<std::string, Family>;

// Reads text format 0.0.4 and takes nothing that its specification does not describe.
class StrictReader {
 public:
  explicit StrictReader(const std::string& text) {
    EXPECT_TRUE(text.ends_with('\n'));
    std::istringstream lines(text);
    for (std::string line; std::getline(lines, line);) read(line);
    for (const auto& [name, family] : families_) check(name, family);
  }
  const Families& families() const { return families_; }

 private:
  void read(const std::string& line) {
    static const std::regex comment(R"(# (HELP|TYPE) ([a-zA-Z_:][a-zA-Z0-9_:]*) (.+))");
    static const std::regex sample(
        R"RE(([a-zA-Z_:][a-zA-Z0-9_:]*)(\{([a-zA-Z_][a-zA-Z0-9_]*="(\\[\\n"]|[^\\"\n])*",?)+\})? (\+Inf|-?[0-9.e+-]+))RE");
    std::smatch match;
    if (std::regex_match(line, match, comment)) {
      current_ = match[2];
      Family& family = families_[current_];
      EXPECT_TRUE(family.samples.empty()) << "a family's lines stand together: " << line;
      if (match[1] == "HELP") {
        EXPECT_FALSE(family.has_help) << line;
        family.has_help = true;
      } else {
        EXPECT_EQ(family.kind, "") << line;
        family.kind = match[3];
      }
      return;
    }
    ASSERT_TRUE(std::regex_match(line, match, sample)) << line;
    const std::string name = match[1];
    Family& family = families_[current_];
    if (family.kind == "histogram") {
      EXPECT_TRUE(name == current_ + "_bucket" || name == current_ + "_sum" || name == current_ + "_count") << line;
    } else {
      EXPECT_EQ(name, current_) << line;
    }
    EXPECT_FALSE(match[2].str().ends_with(",}")) << line;
    std::size_t used = 0;
    const std::string value = match[5];
    const double number = value == "+Inf" ? INFINITY : std::stod(value, &used);
    EXPECT_TRUE(value == "+Inf" || used == value.size()) << line;
    EXPECT_TRUE(family.samples.emplace(name + match[2].str(), number).second) << "twice: " << line;
  }

  static void check(const std::string& name, const Family& family) {
    EXPECT_TRUE(name.starts_with("hearth_")) << name;
    EXPECT_TRUE(family.has_help) << name;
    EXPECT_THAT(family.kind, testing::AnyOf("counter", "gauge", "histogram")) << name;
    EXPECT_EQ(name.ends_with("_total"), family.kind == "counter") << name;
    EXPECT_FALSE(family.samples.empty()) << name;
    EXPECT_LT(family.samples.size(), 200U) << name;
    if (family.kind == "histogram") check_buckets(name, family);
  }

  // Cumulative, and the last one counts everything. No histogram here has labels of its own.
  static void check_buckets(const std::string& name, const Family& family) {
    std::vector<std::pair<double, double>> buckets;
    for (const auto& [series, count] : family.samples) {
      const std::size_t at = series.find("{le=\"");
      if (at == std::string::npos) continue;
      const std::string bound = series.substr(at + 5, series.size() - at - 7);
      buckets.emplace_back(bound == "+Inf" ? INFINITY : std::stod(bound), count);
    }
    std::ranges::sort(buckets);
    ASSERT_FALSE(buckets.empty()) << name;
    EXPECT_TRUE(std::ranges::is_sorted(buckets, {}, [](const auto& bucket) { return bucket.second; })) << name;
    EXPECT_TRUE(std::isinf(buckets.back().first)) << name;
    EXPECT_EQ(buckets.back().second, family.samples.at(name + "_count")) << name;
    EXPECT_TRUE(family.samples.contains(name + "_sum")) << name;
  }

  Families families_;
  std::string current_;
};

class MetricsTest : public PoolFixture {
 protected:
  HttpAnswer get(const std::string& bearer, const std::string& method = "GET") {
    HeaderList headers;
    if (!bearer.empty()) headers.emplace_back("Authorization", "Bearer " + bearer);
    return https(pool().endpoint().port, method, "/metrics", headers, "");
  }
  std::string new_token(const std::string& name, const std::string& ring) {
    const Ended made = pool().cli({"token", "new", name, "--ring", ring});
    EXPECT_EQ(made.exit_code, 0) << made.err;
    return made.out.substr(0, made.out.find('\n'));
  }
};

TEST_F(MetricsTest, AreWhatPrometheusReadsAndCountWhatHappens) {
  ASSERT_EQ(pool().cli({"run", "-n", "3", "--name", "secret-name", "--", "true"}).exit_code, 0);
  ASSERT_EQ(pool().cli({"run", "--", "false"}).exit_code, 1);
  const HttpAnswer answer = get(new_token("prometheus", "home"));
  ASSERT_EQ(answer.status, 200U) << answer.body;
  EXPECT_THAT(answer.head, HasSubstr("text/plain; version=0.0.4; charset=utf-8"));
  EXPECT_THAT(answer.body, Not(HasSubstr("secret-name")));
  const StrictReader reader(answer.body);
  const auto value = [&](const std::string& family, const std::string& series) {
    return reader.families().at(family).samples.at(series);
  };
  EXPECT_EQ(value("hearth_attempts_ended_total", "hearth_attempts_ended_total{reason=\"succeeded\"}"), 3);
  EXPECT_EQ(value("hearth_attempts_ended_total", "hearth_attempts_ended_total{reason=\"exit_code\"}"), 1);
  EXPECT_EQ(value("hearth_jobs_ended_total", "hearth_jobs_ended_total{state=\"failed\"}"), 1);
  EXPECT_EQ(value("hearth_jobs", "hearth_jobs{state=\"running\"}"), 0);
  EXPECT_EQ(value("hearth_nodes", "hearth_nodes{state=\"open\"}"), 1);
  EXPECT_EQ(value("hearth_requests_total", "hearth_requests_total{method=\"hearth.v1.JobService.Submit\",code=\"ok\"}"),
            2);
  EXPECT_GT(value("hearth_offered_cores", "hearth_offered_cores"), 0);
  EXPECT_GT(value("hearth_commit_rows", "hearth_commit_rows_count"), 0);
}

TEST_F(MetricsTest, AreForThoseWhoAreShownTheWholePool) {
  const std::string token = new_token("prometheus", "home");
  EXPECT_EQ(get("").status, 401U);
  EXPECT_EQ(get("nonsense").status, 401U);
  EXPECT_EQ(get(token + "x").status, 401U);
  const std::size_t secret = token.find('.', token.find("#token=1.") + 9) + 1;
  std::string wrong = token;
  wrong[secret] = wrong[secret] == 'A' ? 'B' : 'A';
  EXPECT_EQ(get(wrong).status, 401U);
  EXPECT_EQ(get(new_token("a friend's", "friend")).status, 403U);
  EXPECT_EQ(get(Api(pool().home() / "node").token()).status, 403U);
  EXPECT_EQ(get(Api(pool()).token()).status, 200U);
  EXPECT_EQ(get(token).status, 200U);
  EXPECT_EQ(get(token, "POST").status, 405U);
  ASSERT_EQ(pool().cli({"devices", "revoke", "prometheus"}).exit_code, 0);
  EXPECT_EQ(get(token).status, 401U);
}

TEST_F(MetricsTest, TheDashboardAsksForWhatThereIsAndForAllOfIt) {
  ASSERT_EQ(pool().cli({"run", "--", "true"}).exit_code, 0);
  const StrictReader reader(get(new_token("prometheus", "home")).body);
  std::ifstream file(HEARTH_PACKAGING_DIRECTORY "/grafana/hearth.json");
  const nlohmann::json dashboard = nlohmann::json::parse(file, nullptr, false);
  ASSERT_FALSE(dashboard.is_discarded());
  std::set<std::string> asked;
  static const std::regex metric("hearth_[a-z0-9_]+");
  for (const nlohmann::json& panel : dashboard.at("panels")) {
    for (const nlohmann::json& target : panel.at("targets")) {
      const std::string expression = target.at("expr");
      for (std::sregex_iterator it(expression.begin(), expression.end(), metric), end; it != end; ++it) {
        std::string name = it->str();
        for (const std::string& suffix : {"_bucket", "_sum", "_count"}) {
          const std::string family = name.substr(0, name.size() - std::min(name.size(), suffix.size()));
          if (name.ends_with(suffix) && reader.families().contains(family)) name = family;
        }
        EXPECT_TRUE(reader.families().contains(name)) << name << " in " << panel.at("title");
        asked.insert(name);
      }
    }
  }
  for (const auto& [name, family] : reader.families()) EXPECT_TRUE(asked.contains(name)) << name << " is in no panel";
}

// As packaging/grafana/README.md says it.
TEST_F(MetricsTest, CanBeReadByACurlThatPinsTheCertificate) {
  const std::string url = "https://127.0.0.1:" + std::to_string(pool().endpoint().port) + "/metrics";
  const std::string bearer = "Authorization: Bearer " + new_token("prometheus", "home");
  const Ended read =
      run_program({"curl", "-sSf", "--cacert", pool().home() / "hub" / "certificate.pem", "-H", bearer, url});
  EXPECT_EQ(read.exit_code, 0) << read.err;
  EXPECT_THAT(read.out, HasSubstr("hearth_build_info"));
}

}  // namespace
}  // namespace hearth::e2e
