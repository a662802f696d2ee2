#include "slurm/text.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <limits>

#include "base/sizes.h"

namespace hearth::slurm {
namespace {

constexpr std::size_t kMaxLine = 8192;
constexpr double kMostMemory = 1e15;  // bytes; no cluster has more

std::vector<std::string_view> split(std::string_view text, char separator) {
  std::vector<std::string_view> parts;
  for (std::size_t end = 0; end != std::string_view::npos;) {
    end = text.find(separator);
    parts.push_back(text.substr(0, end));
    if (end != std::string_view::npos) text.remove_prefix(end + 1);
  }
  return parts;
}

std::vector<std::string_view> words_of(std::string_view line) {
  std::vector<std::string_view> words = split(line, ' ');
  std::erase_if(words, [](std::string_view word) { return word.empty(); });
  return words;
}

std::unexpected<Error> refuse(const char* program, std::string_view line) {
  return fail(Code::kDataLoss,
              std::string(program) + " prints what is not understood: '" + std::string(line.substr(0, 200)) + "'");
}

template <class Number>
bool read_number(std::string_view text, Number& out) {
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), out);
  return error == std::errc() && end == text.data() + text.size();
}

// "4000", "4000M", "4G", "1.50T": MiB where it has no unit; "N/A" and the like are nothing.
std::uint64_t memory_of(std::string_view text) {
  constexpr std::string_view kUnits = "KMGT";
  std::size_t power = 1;
  if (!text.empty() && kUnits.contains(text.back())) {
    power = kUnits.find(text.back());
    text.remove_suffix(1);
  }
  double number = 0;
  if (!read_number(text, number) || !(number >= 0)) return 0;
  const double bytes = number * static_cast<double>(kKiB << (10 * power));
  return bytes <= kMostMemory ? static_cast<std::uint64_t>(bytes) : 0;
}

// "gpu:a100:4(S:0-1),gpu:2,nic:1", "gres/gpu:1", "gres:gpu:a100:2": how many GPUs that is.
std::uint32_t gpus_of(std::string_view text) {
  std::uint64_t sum = 0;
  for (std::string_view item : split(text, ',')) {
    for (const std::string_view prefix : {"gres:", "gres/"}) {
      if (item.starts_with(prefix)) item.remove_prefix(prefix.size());
    }
    item = item.substr(0, item.find('('));
    if (item == "gpu") ++sum;
    if (!item.starts_with("gpu:")) continue;
    std::uint32_t count = 1;  // "gpu:a100"
    static_cast<void>(read_number(item.substr(item.rfind(':') + 1), count));
    sum += count;
  }
  return static_cast<std::uint32_t>(std::min<std::uint64_t>(sum, 1'000'000));
}

// Marks after the state: '*' silent, '$' and '@' about to be maintained or restarted, '!' and '%' being switched off.
bool is_usable(std::string_view state) {
  if (state.find_first_of("*$@!%") != std::string_view::npos) return false;
  return std::ranges::any_of(std::array{"idle", "mixed", "allocated", "completing", "planned"},
                             [state](const char* good) { return state.starts_with(good); });
}

// "infinite", "30:00", "1:00:00", "2-12:00:00": the fields from the right are seconds, minutes, hours.
std::optional<Duration> span_of(std::string_view text) {
  std::int64_t days = 0;
  if (const std::size_t dash = text.find('-'); dash != std::string_view::npos) {
    if (!read_number(text.substr(0, dash), days)) return std::nullopt;
    text.remove_prefix(dash + 1);
  }
  std::int64_t sum = 0;
  for (const std::string_view part : split(text, ':')) {
    std::int64_t number = 0;
    if (!read_number(part, number) || number < 0 || number > 100'000) return std::nullopt;
    sum = sum * 60 + number;
    if (sum > 1'000'000'000) return std::nullopt;
  }
  if (days < 0 || days > 100'000) return std::nullopt;
  return seconds(days * 86'400 + sum);
}

template <class Take>
Result<void> each_line(std::string_view text, const char* program, Take take) {
  for (const std::string_view line : split(text, '\n')) {
    if (words_of(line).empty()) continue;
    if (line.size() > kMaxLine || !take(line)) return refuse(program, line);
  }
  return {};
}

}  // namespace

Result<std::vector<Machine>> parse_machines(std::string_view text) {
  std::vector<Machine> machines;
  Result<void> read = each_line(text, "sinfo", [&](std::string_view line) {
    const std::vector<std::string_view> words = words_of(line);
    if (words.size() != 7) return false;
    const std::vector<std::string_view> cpus = split(words[2], '/');  // allocated, idle, other, all
    Machine machine{.name = std::string(words[0]), .usable = is_usable(words[1]), .has = {}, .used = {}};
    if (cpus.size() != 4 || !read_number(cpus[0], machine.used.cores) || !read_number(cpus[3], machine.has.cores)) {
      return false;
    }
    machine.has.memory_bytes = memory_of(words[3]);
    machine.used.memory_bytes = memory_of(words[4]);
    machine.has.gpus = gpus_of(words[5]);
    machine.used.gpus = gpus_of(words[6]);
    machines.push_back(std::move(machine));
    return true;
  });
  return read ? Result<std::vector<Machine>>(std::move(machines)) : std::unexpected(read.error());
}

Result<std::vector<Partition>> parse_partitions(std::string_view text) {
  std::vector<Partition> partitions;
  Result<void> read = each_line(text, "sinfo", [&](std::string_view line) {
    const std::vector<std::string_view> fields = split(line, '|');
    if (fields.size() != 3 || fields[0].empty()) return false;
    Partition partition{.name = std::string(fields[0]), .is_up = fields[1] == "up", .time_limit = span_of(fields[2])};
    partition.is_default = partition.name.ends_with('*');
    if (partition.is_default) partition.name.pop_back();
    if (std::ranges::find(partitions, partition) == partitions.end()) partitions.push_back(std::move(partition));
    return true;
  });
  return read ? Result<std::vector<Partition>>(std::move(partitions)) : std::unexpected(read.error());
}

Result<std::map<std::uint64_t, JobLine>> parse_jobs(std::string_view text) {
  std::map<std::uint64_t, JobLine> jobs;
  Result<void> read = each_line(text, "squeue", [&](std::string_view line) {
    const std::vector<std::string_view> fields = split(line, '|');
    std::uint64_t id = 0;
    JobLine job;
    if (fields.size() < 6 || !read_number(fields[0], id) || !read_number(fields[2], job.holds.cores)) return false;
    job.state = std::string(fields[1]);
    job.holds.memory_bytes = memory_of(fields[3]);
    job.holds.gpus = gpus_of(fields[4]);
    job.reason = std::string(fields[5]);
    jobs[id] = std::move(job);
    return true;
  });
  return read ? Result<std::map<std::uint64_t, JobLine>>(std::move(jobs)) : std::unexpected(read.error());
}

Result<std::uint64_t> parse_job_id(std::string_view text) {
  while (text.ends_with('\n')) text.remove_suffix(1);
  text = text.substr(text.rfind('\n') + 1);  // what site plugins print comes before
  std::uint64_t id = 0;
  if (!read_number(text.substr(0, text.find(';')), id) || id == 0) return refuse("sbatch", text);
  return id;
}

bool is_running(std::string_view state) {
  return std::ranges::any_of(std::array{"RUNNING", "COMPLETING", "CONFIGURING", "STAGE_OUT", "SUSPENDED", "STOPPED"},
                             [state](const char* name) { return state == name; });
}

bool has_ended(std::string_view state) {
  return std::ranges::any_of(std::array{"COMPLETED", "CANCELLED", "FAILED", "TIMEOUT", "NODE_FAIL", "PREEMPTED",
                                        "BOOT_FAIL", "DEADLINE", "OUT_OF_MEMORY", "REVOKED", "SPECIAL_EXIT"},
                             [state](const char* name) { return state == name; });
}

std::string minutes_text(Duration span) {
  constexpr std::int64_t kMinute = 60'000'000;
  return std::to_string(std::max<std::int64_t>(1, (span.micros + kMinute - 1) / kMinute));
}

}  // namespace hearth::slurm
