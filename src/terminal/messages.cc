#include "terminal/messages.h"

#include <algorithm>

namespace hearth::terminal {

Result<v1::FromTerminalViewer> parse_from_viewer(const std::string& bytes) {
  v1::FromTerminalViewer message;
  if (!message.ParseFromString(bytes)) return fail(Code::kInvalidArgument, "that is no message of a viewer");
  if (message.input().size() > kMaxInputBytes) return fail(Code::kInvalidArgument, "input is at most 16 KiB");
  if (message.has_size()) {
    v1::TerminalSize& size = *message.mutable_size();
    size.set_rows(std::clamp(size.rows(), 1U, kMostRows));
    size.set_columns(std::clamp(size.columns(), kLeastColumns, kMostColumns));
  }
  return message;
}

Result<v1::ToTerminalViewer> parse_to_viewer(const std::string& bytes) {
  v1::ToTerminalViewer message;
  if (!message.ParseFromString(bytes)) return fail(Code::kInvalidArgument, "that is no message of hearth-terminal");
  return message;
}

}  // namespace hearth::terminal
