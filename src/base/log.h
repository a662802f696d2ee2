// What the daemons tell the owner's log: one line an event, on standard error, with the time.
// Never a guest's data, a secret or a token. A message is a sentence; facts follow as fields.
//
//   log_info("node connected", {{"name", name}, {"cores", cores}});
#pragma once

#include <initializer_list>
#include <string_view>

#include "base/log_line.h"

namespace hearth {

// Lines below the level are dropped. The default is kInfo. Call before threads start.
void set_log_level(LogLevel level);

// The default is kText. Call before threads start.
void set_log_format(LogFormat format);

// Any thread; a line is written whole.
void log_debug(std::string_view message, std::initializer_list<LogField> fields = {});
void log_info(std::string_view message, std::initializer_list<LogField> fields = {});
void log_warning(std::string_view message, std::initializer_list<LogField> fields = {});
void log_error(std::string_view message, std::initializer_list<LogField> fields = {});

}  // namespace hearth
