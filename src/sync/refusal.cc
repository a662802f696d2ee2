#include "sync/refusal.h"

#include <fmt/format.h>

namespace hearth::sync {
namespace {

Code code_of(unsigned status) {
  switch (status) {
    case 400:
      return Code::kInvalidArgument;
    case 401:
      return Code::kUnauthenticated;
    case 403:
      return Code::kPermissionDenied;
    case 404:
    case 409:
      return Code::kNotFound;
    case 405:
      return Code::kAlreadyExists;
    case 412:
      return Code::kFailedPrecondition;
    case 423:
      return Code::kAborted;
    case 413:
    case 507:
      return Code::kResourceExhausted;
    case 408:
    case 503:
      return Code::kUnavailable;
    default:
      return Code::kUnknown;
  }
}

}  // namespace

std::unexpected<Error> fail_refused(const net::Response& response, const std::string& path, std::string_view unmet) {
  constexpr std::size_t kShown = 500;
  std::string text = response.body.substr(0, kShown);
  if (const std::size_t colon = text.find(": "); colon != std::string::npos) text.erase(0, colon + 2);
  while (text.ends_with('\n')) text.pop_back();
  if (text.empty()) text = fmt::format("HTTP status {}", response.status);
  if (response.status == 423) {
    text = "a program that has it open by WebDAV holds a lock there: try again when it is done";
  }
  if (response.status == 412) text = unmet;
  return fail(code_of(response.status), fmt::format("{}: {}", path, text));
}

}  // namespace hearth::sync
