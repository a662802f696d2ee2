#include "slurm/attempt_files.h"

#include <algorithm>
#include <cerrno>

#include <fcntl.h>
#include <unistd.h>

#include <nlohmann/json.hpp>

#include "sandbox/fd.h"

namespace hearth::slurm {
namespace {

using nlohmann::json;
using sandbox::Network;

constexpr std::size_t kHeader = 5;

json limits_json(const sandbox::Limits& limits) {
  return {{"cores", limits.cores},
          {"memory", limits.memory_bytes},
          {"scratch", limits.scratch_bytes},
          {"processes", limits.max_processes},
          {"open_files", limits.max_open_files},
          {"cpu_seconds", limits.cpu_seconds},
          {"file_bytes", limits.max_file_bytes}};
}

sandbox::Limits limits_of(const json& object) {
  sandbox::Limits limits;
  object.at("cores").get_to(limits.cores);
  object.at("memory").get_to(limits.memory_bytes);
  object.at("scratch").get_to(limits.scratch_bytes);
  object.at("processes").get_to(limits.max_processes);
  object.at("open_files").get_to(limits.max_open_files);
  object.at("cpu_seconds").get_to(limits.cpu_seconds);
  object.at("file_bytes").get_to(limits.max_file_bytes);
  return limits;
}

json setup_json(const sandbox::Setup& setup) {
  return {{"level", sandbox::name_of(setup.level)},
          {"root", setup.root.string()},
          {"workspace", setup.workspace.string()},
          {"full_network", setup.network.kind == Network::Kind::kFull},
          {"refused", setup.network.refused}};
}

sandbox::Setup setup_of(const json& object) {
  sandbox::Setup setup;
  setup.level = sandbox::level_named(object.at("level").get<std::string>()).value();
  setup.root = object.at("root").get<std::string>();
  setup.workspace = object.at("workspace").get<std::string>();
  if (object.at("full_network").get<bool>()) setup.network.kind = Network::Kind::kFull;
  object.at("refused").get_to(setup.network.refused);
  return setup;
}

json command_json(const sandbox::Command& command) {
  json bound = json::array();
  for (const sandbox::BoundFile& file : command.bound_files) {
    bound.push_back({{"source", file.source.string()}, {"path", file.path}});
  }
  return {{"argv", command.argv},
          {"variables", command.variables},
          {"bound", bound},
          {"gpus", command.gpus.size()},
          {"outputs", command.outputs},
          {"outputs_may_lack", command.outputs_may_lack},
          {"time_limit_micros", command.time_limit.micros}};
}

sandbox::Command command_of(const json& object) {
  constexpr std::size_t kMostGpus = 64;
  sandbox::Command command;
  object.at("argv").get_to(command.argv);
  object.at("variables").get_to(command.variables);
  for (const json& file : object.at("bound")) {
    command.bound_files.push_back(
        {.source = file.at("source").get<std::string>(), .path = file.at("path").get<std::string>()});
  }
  command.gpus.resize(std::min(object.at("gpus").get<std::size_t>(), kMostGpus));
  object.at("outputs").get_to(command.outputs);
  object.at("outputs_may_lack").get_to(command.outputs_may_lack);
  object.at("time_limit_micros").get_to(command.time_limit.micros);
  return command;
}

// In ASCII.
std::string dump(const json& value) { return value.dump(-1, ' ', true, json::error_handler_t::replace); }

template <class Value, class Read>
Result<Value> parse(std::string_view text, const char* what, Read read) {
  const json value = json::parse(text, nullptr, false);
  try {
    if (value.is_object()) return read(value);
  } catch (const std::exception&) {  // a field is missing or of another kind
  }
  return fail(Code::kDataLoss, std::string(what) + " on the cluster's shared file system is damaged");
}

}  // namespace

std::string format_order(const Order& order) {
  return dump({{"name", order.name},
               {"limits", limits_json(order.limits)},
               {"setup", setup_json(order.setup)},
               {"command", command_json(order.command)}});
}

Result<Order> parse_order(std::string_view text) {
  return parse<Order>(text, "an order", [](const json& value) {
    return Order{.name = value.at("name").get<std::string>(),
                 .limits = limits_of(value.at("limits")),
                 .setup = setup_of(value.at("setup")),
                 .command = command_of(value.at("command"))};
  });
}

std::string format_end(const End& end) {
  json outputs = json::array();
  for (const sandbox::Output& output : end.outputs) {
    outputs.push_back({{"path", output.path}, {"size", output.size}, {"executable", output.executable}});
  }
  const sandbox::Exit& exit = end.exit;
  return dump({{"fate", static_cast<int>(exit.fate)},
               {"started", exit.started},
               {"exit_code", exit.exit_code},
               {"signalled", exit.signalled},
               {"out_of_memory", exit.out_of_memory},
               {"message", exit.message},
               {"wall_micros", exit.wall_micros},
               {"cpu_micros", exit.cpu_micros},
               {"peak_memory_bytes", exit.peak_memory_bytes},
               {"outputs", outputs},
               {"refusal", end.refusal},
               {"refusal_code", end.refusal_code}});
}

Result<End> parse_end(std::string_view text) {
  return parse<End>(text, "the end of a task", [](const json& value) -> Result<End> {
    End end;
    const int fate = value.at("fate").get<int>();
    if (fate < 0 || fate > static_cast<int>(sandbox::Fate::kTakenBack)) {
      return fail(Code::kDataLoss, "the end of a task is of an unknown kind");
    }
    end.exit.fate = static_cast<sandbox::Fate>(fate);
    value.at("started").get_to(end.exit.started);
    value.at("exit_code").get_to(end.exit.exit_code);
    value.at("signalled").get_to(end.exit.signalled);
    value.at("out_of_memory").get_to(end.exit.out_of_memory);
    value.at("message").get_to(end.exit.message);
    value.at("wall_micros").get_to(end.exit.wall_micros);
    value.at("cpu_micros").get_to(end.exit.cpu_micros);
    value.at("peak_memory_bytes").get_to(end.exit.peak_memory_bytes);
    for (const json& output : value.at("outputs")) {
      end.outputs.push_back({.path = output.at("path").get<std::string>(),
                             .size = output.at("size").get<std::uint64_t>(),
                             .executable = output.at("executable").get<bool>()});
      if (!sandbox::is_safe_relative_path(end.outputs.back().path)) {
        return fail(Code::kDataLoss, "an output has an unsafe name");
      }
    }
    value.at("refusal").get_to(end.refusal);
    value.at("refusal_code").get_to(end.refusal_code);
    return end;
  });
}

Result<void> write_whole(const std::filesystem::path& file, std::string_view content) {
  const std::string part = file.string() + ".part";
  const Fd fd(::open(part.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600));
  if (!fd) return fail_errno(errno, "writing " + part);
  while (!content.empty()) {
    const ssize_t count = ::write(fd.get(), content.data(), content.size());
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) return fail_errno(errno, "writing " + part);
    content.remove_prefix(static_cast<std::size_t>(count));
  }
  if (::fsync(fd.get()) != 0 || ::rename(part.c_str(), file.c_str()) != 0) {
    return fail_errno(errno, "writing " + file.string());
  }
  return {};
}

Result<std::string> read_file(const std::filesystem::path& file, std::size_t limit) {
  const Fd fd(::open(file.c_str(), O_RDONLY | O_CLOEXEC));
  if (!fd) return fail_errno(errno, "reading " + file.string());
  std::string text;
  std::string piece(std::min<std::size_t>(limit, 64 << 10), '\0');
  while (text.size() < limit) {
    const ssize_t count = ::read(fd.get(), piece.data(), std::min(piece.size(), limit - text.size()));
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) return fail_errno(errno, "reading " + file.string());
    if (count == 0) break;
    text.append(piece, 0, static_cast<std::size_t>(count));
  }
  return text;
}

std::string format_frame(sandbox::Stream stream, std::string_view text) {
  std::string frame(1, static_cast<char>(stream));
  for (unsigned shift = 0; shift < 32; shift += 8) frame.push_back(static_cast<char>(text.size() >> shift & 0xff));
  return frame.append(text);
}

bool LogReader::feed(std::string_view bytes, const Take& take) {
  if (broken_) return false;
  rest_.append(bytes);
  std::string_view left = rest_;
  while (left.size() >= kHeader && !broken_) {
    const auto stream = static_cast<unsigned char>(left[0]);
    std::size_t size = 0;
    for (std::size_t i = 0; i < 4; ++i)
      size |= static_cast<std::size_t>(static_cast<unsigned char>(left[i + 1])) << (8 * i);
    broken_ = stream < 1 || stream > 2 || size > kMaxFrameText;
    if (broken_ || left.size() < kHeader + size) break;
    take(static_cast<sandbox::Stream>(stream), left.substr(kHeader, size));
    left.remove_prefix(kHeader + size);
  }
  rest_.erase(0, rest_.size() - left.size());
  return !broken_;
}

}  // namespace hearth::slurm
