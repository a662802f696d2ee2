// Result<T>: a value, or an Error that says to a person what failed, why, and what to do about it.
//
//   Result<Config> config = read_config(path);
//   if (!config) return fail(config, "starting the hub");   // adds context on the way up
#pragma once

#include <cstdint>
#include <expected>
#include <string>
#include <string_view>
#include <utility>

namespace hearth {

// The 16 codes of the Connect protocol, so that an error reaches the user unchanged.
enum class Code : std::uint8_t {
  kCanceled = 1,
  kUnknown = 2,
  kInvalidArgument = 3,
  kDeadlineExceeded = 4,
  kNotFound = 5,
  kAlreadyExists = 6,
  kPermissionDenied = 7,
  kResourceExhausted = 8,
  kFailedPrecondition = 9,
  kAborted = 10,
  kOutOfRange = 11,
  kUnimplemented = 12,
  kInternal = 13,
  kUnavailable = 14,
  kDataLoss = 15,
  kUnauthenticated = 16,
};

// "invalid_argument", as the Connect protocol spells it.
std::string_view code_name(Code code);

// The inverse; kUnknown for a name that is none of the 16.
Code code_from_name(std::string_view name);

struct Error {
  Code code = Code::kUnknown;
  std::string message;  // a sentence for a person, without a full stop

  bool operator==(const Error&) const = default;
};

template <class T>
using Result = std::expected<T, Error>;

inline std::unexpected<Error> fail(Code code, std::string message) {
  return std::unexpected(Error{code, std::move(message)});
}

// The same error seen from further up: "CONTEXT: MESSAGE".
inline std::unexpected<Error> fail(const Error& error, std::string_view context) {
  return std::unexpected(Error{error.code, std::string(context) + ": " + error.message});
}

template <class T>
std::unexpected<Error> fail(const Result<T>& failed, std::string_view context) {
  return fail(failed.error(), context);
}

// An error from errno, with the code that fits: ENOENT is kNotFound, ENOSPC kResourceExhausted, and so on.
std::unexpected<Error> fail_errno(int error_number, std::string_view what);

}  // namespace hearth
