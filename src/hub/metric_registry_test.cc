#include "hub/metric_registry.h"

#include <array>

#include <gtest/gtest.h>

namespace hearth::hub {
namespace {

TEST(MetricRegistry, WritesCountersAndGaugesWithTheirHelpAndKind) {
  MetricRegistry registry;
  registry.counter("a_total", "All of them.", {{"state", "failed"}}).add();
  registry.counter("a_total", "All of them.", {{"state", "failed"}}).add(2.5);
  registry.counter("a_total", "All of them.", {{"state", "done"}});
  registry.gauge("b_bytes", "Now.").set(1099511627776);
  EXPECT_EQ(registry.text(),
            "# HELP a_total All of them.\n"
            "# TYPE a_total counter\n"
            "a_total{state=\"done\"} 0\n"
            "a_total{state=\"failed\"} 3.5\n"
            "# HELP b_bytes Now.\n"
            "# TYPE b_bytes gauge\n"
            "b_bytes 1099511627776\n");
}

TEST(MetricRegistry, CountsWhatWasObservedUpToEachBound) {
  MetricRegistry registry;
  constexpr std::array kBounds = {0.25, 1.0};
  Histogram& spans = registry.histogram("c_seconds", "How long.", kBounds, {{"of", "x"}});
  for (const double span : {0.25, 0.5, 1.0, 7.0}) spans.observe(span);
  EXPECT_EQ(registry.text(),
            "# HELP c_seconds How long.\n"
            "# TYPE c_seconds histogram\n"
            "c_seconds_bucket{of=\"x\",le=\"0.25\"} 1\n"
            "c_seconds_bucket{of=\"x\",le=\"1\"} 3\n"
            "c_seconds_bucket{of=\"x\",le=\"+Inf\"} 4\n"
            "c_seconds_sum{of=\"x\"} 8.75\n"
            "c_seconds_count{of=\"x\"} 4\n");
}

TEST(MetricRegistry, EscapesWhatWouldEndALabelOrALine) {
  MetricRegistry registry;
  registry.gauge("d", "One\nand \\ \"two\".", {{"x", "a\"b\\c\nd"}}).set(-1);
  EXPECT_EQ(registry.text(),
            "# HELP d One\\nand \\\\ \"two\".\n"
            "# TYPE d gauge\n"
            "d{x=\"a\\\"b\\\\c\\nd\"} -1\n");
}

TEST(MetricRegistryDeathTest, RefusesNamesThatPrometheusWouldNot) {
  MetricRegistry registry;
  EXPECT_DEATH(registry.gauge("a-b", ""), "");
  EXPECT_DEATH(registry.gauge("", ""), "");
  EXPECT_DEATH(registry.counter("a", ""), "");
  EXPECT_DEATH(registry.gauge("a_total", ""), "");
  EXPECT_DEATH(registry.gauge("a", "", {{"le", "1"}}), "");
}

}  // namespace
}  // namespace hearth::hub
