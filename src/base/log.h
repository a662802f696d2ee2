// What the daemons tell the owner's log: one line an event, on standard error, with the time.
// Never a guest's data, a secret or a token. A message is a sentence; facts follow as key=value.
//
//   log_info(fmt::format("node connected name={} cores={}", name, cores));
#pragma once

#include <string_view>

namespace hearth {

enum class LogLevel { kDebug, kInfo, kWarning, kError };

// Lines below the level are dropped. The default is kInfo. Call before threads start.
void set_log_level(LogLevel level);

// Any thread; a line is written whole.
void log_debug(std::string_view message);
void log_info(std::string_view message);
void log_warning(std::string_view message);
void log_error(std::string_view message);

}  // namespace hearth
