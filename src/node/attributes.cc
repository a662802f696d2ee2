#include "node/attributes.h"

#include <algorithm>
#include <chrono>

#include <nlohmann/json.hpp>

#include "base/bytes.h"
#include "base/sizes.h"
#include "net/crypto.h"
#include "node/words.h"

namespace hearth::node {
namespace {

using Json = nlohmann::json;

constexpr std::size_t kMaxLabels = 64;
constexpr std::size_t kMaxLabelText = 256;
constexpr double kMaxWatts = 100'000;
constexpr std::string_view kLabelPrefix = "label.";

std::unexpected<Error> refuse(std::string_view field, std::string_view allowed) {
  return fail(Code::kInvalidArgument, "policy.json: \"" + std::string(field) + "\" must be " + std::string(allowed));
}

Result<LabelValue> value_of(const std::string& name, const Json& value) {
  if (value.is_boolean()) return value.get<bool>();
  if (value.is_number()) return value.get<double>();
  if (!value.is_string() || value.get_ref<const std::string&>().size() > kMaxLabelText) {
    return refuse("labels." + name, "true, false, a number or a text of at most 256 bytes");
  }
  return value.get<std::string>();
}

void add(AttributeList& list, std::string_view name, const LabelValue& value) {
  v1::Attribute& attribute = *list.Add();
  attribute.set_name(std::string(name));
  if (const auto* text = std::get_if<std::string>(&value)) {
    attribute.set_text(*text);
  } else if (const auto* number = std::get_if<double>(&value)) {
    attribute.set_number(*number);
  } else {
    attribute.set_flag(std::get<bool>(value));
  }
}

}  // namespace

Result<OwnersWords> parse_owners_words(std::string_view json) {
  const Json object = Json::parse(json, nullptr, false);
  OwnersWords words;
  if (!object.is_object()) return words;
  if (const auto watts = object.find("watts"); watts != object.end() && !watts->is_null()) {
    if (!watts->is_number() || watts->get<double>() < 0 || watts->get<double>() > kMaxWatts) {
      return refuse("watts", "a number from 0 to 100000");
    }
    words.watts = watts->get<double>();
  }
  const auto labels = object.find("labels");
  if (labels == object.end() || labels->is_null()) return words;
  if (!labels->is_object() || labels->size() > kMaxLabels) return refuse("labels", "an object of at most 64 fields");
  for (const auto& [name, value] : labels->items()) {
    if (!is_short_name(name) || name.size() + kLabelPrefix.size() > 64) {
      return refuse("labels", "named by at most 58 of a-z, 0-9, '.', '_' and '-', a letter or digit first");
    }
    Result<LabelValue> taken = value_of(name, value);
    if (!taken) return std::unexpected(taken.error());
    words.labels[name] = std::move(*taken);
  }
  return words;
}

AttributeList make_attributes(const sandbox::Machine& machine, std::string_view isolation, const Standing& now,
                              const OwnersWords& words) {
  AttributeList list;
  const auto add_text = [&](std::string_view name, const std::string& text) {
    if (!text.empty()) add(list, name, plain_words(text, kMaxLabelText));
  };
  const auto add_number = [&](std::string_view name, double number) {
    if (number > 0) add(list, name, number);
  };
  add_text("arch", machine.architecture);
  add_number("cores", machine.cores);
  add_text("cpu", machine.cpu_model);
  if (!machine.gpus.empty()) {
    add_text("gpu", machine.gpus.front().name);
    const auto smallest = std::ranges::min_element(machine.gpus, {}, &sandbox::Gpu::memory_bytes);
    add_number("gpu.memory", static_cast<double>(smallest->memory_bytes));
  }
  add(list, "gpus", static_cast<double>(machine.gpus.size()));
  add_text("isolation", std::string(isolation));
  add_text("kernel", machine.kernel);
  add_number("memory", static_cast<double>(machine.memory_bytes));
  add_text("os", machine.os);
  add_text("os.version", machine.os_version);
  if (now.price) add(list, "price", static_cast<double>(*now.price) / 1000);
  if (now.screen) add(list, "screen", true);
  add_number("speed", now.speed);
  if (now.terminal) add(list, "terminal", true);
  add_number("watts", words.watts);
  for (const auto& [name, value] : words.labels) add(list, std::string(kLabelPrefix) + name, value);
  return list;
}

double measure_speed() {
  using Clock = std::chrono::steady_clock;
  constexpr auto kRound = std::chrono::milliseconds(20);
  const std::string block(256 * kKiB, 'h');
  double best = 0;
  for (int round = 0; round < 3; ++round) {
    const Clock::time_point start = Clock::now();
    std::size_t bytes = 0;
    while (Clock::now() - start < kRound) {
      net::sha256(block);
      bytes += block.size();
    }
    const double spent = std::chrono::duration<double>(Clock::now() - start).count();
    best = std::max(best, static_cast<double>(bytes) / spent / 1e6);
  }
  return best;
}

}  // namespace hearth::node
