// Counters, gauges and histograms, and their text as Prometheus reads it (text exposition format 0.0.4,
// prometheus.io/docs/instrumenting/exposition_formats).
//
//   MetricRegistry registry;
//   Counter& failed = registry.counter("hearth_jobs_ended_total", "Jobs that have ended.", {{"state", "failed"}});
//   failed.add();
//   std::string page = registry.text();
//
// A series lives as long as its registry, so a label's values must be few and known beforehand: never a name that
// somebody chose. Names follow Prometheus' conventions, the unit last but for a counter's _total.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace hearth::hub {

// What only grows.
class Counter {
 public:
  void add(double amount = 1) { value_ += amount; }
  double value() const { return value_; }

 private:
  double value_ = 0;
};

class Gauge {
 public:
  void set(double value) { value_ = value; }
  double value() const { return value_; }

 private:
  double value_ = 0;
};

// How often what was observed was at most each bound.
class Histogram {
 public:
  explicit Histogram(std::span<const double> bounds)
      : bounds_(bounds.begin(), bounds.end()), counts_(bounds.size() + 1) {}
  void observe(double value);

  const std::vector<double>& bounds() const { return bounds_; }
  const std::vector<std::uint64_t>& counts() const { return counts_; }  // one for each bound and one for what is above
  double sum() const { return sum_; }

 private:
  std::vector<double> bounds_;  // ascending
  std::vector<std::uint64_t> counts_;
  double sum_ = 0;
};

using Labels = std::vector<std::pair<std::string_view, std::string_view>>;

class MetricRegistry {
 public:
  // The same series when asked for again; its family's kind and help must be the same (CHECKed), as must the form of
  // the names. References stay valid.
  Counter& counter(std::string_view name, std::string_view help, const Labels& labels = {});
  Gauge& gauge(std::string_view name, std::string_view help, const Labels& labels = {});
  Histogram& histogram(std::string_view name, std::string_view help, std::span<const double> bounds,
                       const Labels& labels = {});

  std::string text() const;

 private:
  enum class Kind : std::uint8_t { kCounter, kGauge, kHistogram };
  struct Series {
    Counter counter;
    Gauge gauge;
    std::unique_ptr<Histogram> histogram;
  };
  struct Family {
    Kind kind = Kind::kCounter;
    std::string help;
    std::map<std::string, Series> series;  // by their labels as they are written: a="b",c="d"
  };

  Series& series(std::string_view name, Kind kind, std::string_view help, const Labels& labels);

  std::map<std::string, Family, std::less<>> families_;
};

}  // namespace hearth::hub
