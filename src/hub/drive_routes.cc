// Who may use the drive.
#include "hub/parts.h"

namespace hearth::hub {

net::Async<void> serve_drive(net::Exchange& exchange, Parts& parts, drive::WebDav& drive) {
  const Result<net::Caller> caller = authorize_machine(parts, exchange.head(), exchange.peer_address());
  if (!caller) {
    net::Response response = net::text_response(401, caller.error().message);
    response.headers.add("WWW-Authenticate", "Basic realm=\"Hearth\", charset=\"UTF-8\"");
    co_return (void) co_await exchange.reply(std::move(response));
  }
  if (caller->level < net::AccessLevel::kMember || !parts.devices.visible_to(caller->device).is_whole()) {
    co_return (void) co_await exchange.reply(
        net::text_response(403, "the drive is for a person's device or a token, of ring home"));
  }
  const Entered entered(parts.sessions, caller->device, exchange.connection());
  co_await drive.serve(exchange, {.device = caller->device, .name = caller->device_name, .tokens = {}});
}

}  // namespace hearth::hub
