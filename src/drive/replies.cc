#include "drive/replies.h"

#include <utility>

#include "drive/multistatus.h"

namespace hearth::drive {
unsigned status_of(Code code) {
  switch (code) {
    case Code::kInvalidArgument:
      return 400;
    case Code::kPermissionDenied:
      return 403;
    case Code::kNotFound:
      return 404;
    case Code::kAlreadyExists:
    case Code::kFailedPrecondition:
      return 412;
    case Code::kOutOfRange:
      return 413;
    case Code::kAborted:
      return 423;
    case Code::kResourceExhausted:
    case Code::kUnimplemented:
      return 507;
    case Code::kUnavailable:
    case Code::kDeadlineExceeded:
      return 408;
    default:
      return 500;
  }
}

net::Async<void> refuse(net::Exchange& exchange, unsigned status, std::string_view message) {
  co_await exchange.reply(net::text_response(status, message));
}

net::Async<void> refuse(net::Exchange& exchange, const Error& error) {
  if (error.code != Code::kAborted) co_return co_await refuse(exchange, status_of(error.code), error.message);
  co_await reply_xml(exchange, 423, error_answer("lock-token-submitted", exchange.head().path, error.message));
}

net::Async<void> refuse_body(net::Exchange& exchange, const Error& error) {
  co_await refuse(exchange, error.code == Code::kResourceExhausted ? 413 : 400, error.message);
}

net::Async<void> reply_empty(net::Exchange& exchange, unsigned status) {
  co_await exchange.reply({.status = status, .headers = {}, .body = {}});
}

net::Async<void> reply_xml(net::Exchange& exchange, unsigned status, std::string body, net::Headers headers) {
  headers.add("Content-Type", "application/xml; charset=utf-8");
  co_await exchange.reply({.status = status, .headers = std::move(headers), .body = std::move(body)});
}

}  // namespace hearth::drive
