#include "base/log.h"

#include <memory>
#include <span>

#include <spdlog/sinks/stdout_sinks.h>
#include <spdlog/spdlog.h>

#include "base/wall_clock.h"

namespace hearth {
namespace {

struct Log {
  spdlog::logger logger{"hearth", std::make_shared<spdlog::sinks::stderr_sink_mt>()};
  LogFormat format = LogFormat::kText;

  Log() {
    set_format(LogFormat::kText);
    logger.flush_on(spdlog::level::trace);
  }
  void set_format(LogFormat wanted) {
    format = wanted;
    logger.set_pattern(wanted == LogFormat::kJson ? "%v" : "%Y-%m-%dT%H:%M:%S.%e %l %v");
  }
};

Log& log() {
  static Log instance;
  return instance;
}

spdlog::level::level_enum to_spdlog(LogLevel level) {
  switch (level) {
    case LogLevel::kDebug:
      return spdlog::level::debug;
    case LogLevel::kInfo:
      return spdlog::level::info;
    case LogLevel::kWarning:
      return spdlog::level::warn;
    case LogLevel::kError:
      return spdlog::level::err;
  }
  return spdlog::level::info;
}

void write(LogLevel level, std::string_view message, std::span<const LogField> fields) {
  const spdlog::level::level_enum as = to_spdlog(level);
  if (!log().logger.should_log(as)) return;
  log().logger.log(as, "{}",
                   log().format == LogFormat::kJson ? json_log_line(level, wall_now(), message, fields)
                                                    : text_log_line(message, fields));
}

}  // namespace

void set_log_level(LogLevel level) { log().logger.set_level(to_spdlog(level)); }

void set_log_format(LogFormat format) { log().set_format(format); }

void log_debug(std::string_view message, std::initializer_list<LogField> fields) {
  write(LogLevel::kDebug, message, fields);
}
void log_info(std::string_view message, std::initializer_list<LogField> fields) {
  write(LogLevel::kInfo, message, fields);
}
void log_warning(std::string_view message, std::initializer_list<LogField> fields) {
  write(LogLevel::kWarning, message, fields);
}
void log_error(std::string_view message, std::initializer_list<LogField> fields) {
  write(LogLevel::kError, message, fields);
}

}  // namespace hearth
