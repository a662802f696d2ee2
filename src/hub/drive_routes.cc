// Who may use the drive.
#include "hub/drive_scope.h"
#include "hub/parts.h"

namespace hearth::hub {
namespace {

// Serves it by `answer`, a function of who asks and into what he is let, if the drive is for him.
template <class Answer>
net::Async<void> serve(net::Exchange& exchange, Parts& parts, Answer answer) {
  const net::RequestHead& head = exchange.head();
  const Result<net::Caller> caller = authorize_machine(parts, head, exchange.peer_address());
  if (!caller) {
    net::Response response = net::text_response(401, caller.error().message);
    // A browser would ask a person for a password that he has not, where the page is to prove its key again.
    if (!head.headers.has("sec-fetch-site")) {
      response.headers.add("WWW-Authenticate", "Basic realm=\"Hearth\", charset=\"UTF-8\"");
    }
    co_return (void) co_await exchange.reply(std::move(response));
  }
  Result<drive::Scope> scope = drive_scope(parts, caller->device);
  if (caller->level < net::AccessLevel::kMember || !scope) {
    co_return (void) co_await exchange.reply(
        net::text_response(scope || scope.error().code == Code::kPermissionDenied ? 403 : 500,
                           scope ? "the drive is for no node" : scope.error().message));
  }
  const Entered entered(parts.sessions, caller->device, exchange.connection());
  co_await answer(drive::Holder{.device = caller->device, .name = caller->device_name, .tokens = {}},
                  *std::move(scope));
}

}  // namespace

net::Async<void> serve_drive(net::Exchange& exchange, Parts& parts, drive::WebDav& webdav) {
  co_await serve(exchange, parts, [&](drive::Holder caller, drive::Scope scope) {
    return webdav.serve(exchange, std::move(caller), std::move(scope));
  });
}

net::Async<void> serve_drive(net::Exchange& exchange, Parts& parts, drive::Tus& tus) {
  co_await serve(exchange, parts, [&](drive::Holder caller, drive::Scope scope) {
    return tus.serve(exchange, std::move(caller), std::move(scope));
  });
}

net::Async<void> serve_drive(net::Exchange& exchange, Parts& parts, drive::Thumbnails& thumbnails) {
  co_await serve(exchange, parts, [&](const drive::Holder&, drive::Scope scope) {
    return thumbnails.serve(exchange, std::move(scope));
  });
}

net::Async<void> serve_drive(net::Exchange& exchange, Parts& parts, drive::SyncServer& sync) {
  co_await serve(exchange, parts, [&](drive::Holder caller, drive::Scope scope) {
    return sync.serve(exchange, std::move(caller), std::move(scope));
  });
}

}  // namespace hearth::hub
