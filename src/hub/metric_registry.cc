#include "hub/metric_registry.h"

#include <algorithm>
#include <array>
#include <cmath>

#include <fmt/format.h>

#include "base/check.h"

namespace hearth::hub {
namespace {

bool is_name(std::string_view name) {
  const auto is_letter = [](char c) { return (c >= 'a' && c <= 'z') || c == '_'; };
  return !name.empty() && is_letter(name.front()) &&
         std::ranges::all_of(name, [&](char c) { return is_letter(c) || (c >= '0' && c <= '9'); });
}

// Backslashes and line breaks, and in label values quotes, would end what they stand in.
std::string escaped(std::string_view text, bool is_label) {
  std::string out;
  for (const char c : text) {
    if (c == '\n') {
      out += "\\n";
    } else {
      if (c == '\\' || (is_label && c == '"')) out += '\\';
      out += c;
    }
  }
  return out;
}

std::string number(double value) {
  constexpr double kWhole = 9007199254740992.0;  // 2^53: below it every whole number is exact
  if (std::abs(value) < kWhole && std::trunc(value) == value) return fmt::format("{:.0f}", value);
  return fmt::format("{}", value);
}

std::string joined(const std::string& labels, const std::string& more) {
  return labels.empty() || more.empty() ? labels + more : labels + "," + more;
}

void add_sample(std::string& text, std::string_view name, std::string_view suffix, const std::string& labels,
                const std::string& value) {
  text += name;
  text += suffix;
  if (!labels.empty()) text += "{" + labels + "}";
  text += " " + value + "\n";
}

void add_histogram(std::string& text, std::string_view name, const std::string& labels, const Histogram& histogram) {
  std::uint64_t total = 0;
  for (std::size_t i = 0; i < histogram.counts().size(); ++i) {
    total += histogram.counts()[i];
    const std::string bound = i < histogram.bounds().size() ? number(histogram.bounds()[i]) : "+Inf";
    add_sample(text, name, "_bucket", joined(labels, "le=\"" + bound + "\""), fmt::format("{}", total));
  }
  add_sample(text, name, "_sum", labels, number(histogram.sum()));
  add_sample(text, name, "_count", labels, fmt::format("{}", total));
}

}  // namespace

void Histogram::observe(double value) {
  const auto bound = std::ranges::lower_bound(bounds_, value);
  ++counts_[static_cast<std::size_t>(bound - bounds_.begin())];
  sum_ += value;
}

MetricRegistry::Series& MetricRegistry::series(std::string_view name, Kind kind, std::string_view help,
                                               const Labels& labels) {
  CHECK(is_name(name) && name.ends_with("_total") == (kind == Kind::kCounter));
  const auto [entry, added] = families_.try_emplace(std::string(name), Family{kind, std::string(help), {}});
  Family& family = entry->second;
  CHECK(family.kind == kind && family.help == help);
  std::string text;
  for (const auto& [label, value] : labels) {
    CHECK(is_name(label) && label != "le");
    text = joined(text, fmt::format("{}=\"{}\"", label, escaped(value, true)));
  }
  return family.series[text];
}

Counter& MetricRegistry::counter(std::string_view name, std::string_view help, const Labels& labels) {
  return series(name, Kind::kCounter, help, labels).counter;
}

Gauge& MetricRegistry::gauge(std::string_view name, std::string_view help, const Labels& labels) {
  return series(name, Kind::kGauge, help, labels).gauge;
}

Histogram& MetricRegistry::histogram(std::string_view name, std::string_view help, std::span<const double> bounds,
                                     const Labels& labels) {
  Series& one = series(name, Kind::kHistogram, help, labels);
  if (!one.histogram) one.histogram = std::make_unique<Histogram>(bounds);
  return *one.histogram;
}

std::string MetricRegistry::text() const {
  constexpr std::array<std::string_view, 3> kKinds = {"counter", "gauge", "histogram"};
  std::string text;
  for (const auto& [name, family] : families_) {
    text += fmt::format("# HELP {} {}\n", name, escaped(family.help, false));
    text += fmt::format("# TYPE {} {}\n", name, kKinds[static_cast<std::size_t>(family.kind)]);
    for (const auto& [labels, one] : family.series) {
      if (family.kind == Kind::kHistogram) {
        add_histogram(text, name, labels, *one.histogram);
      } else {
        add_sample(text, name, "", labels,
                   number(family.kind == Kind::kCounter ? one.counter.value() : one.gauge.value()));
      }
    }
  }
  return text;
}

}  // namespace hearth::hub
