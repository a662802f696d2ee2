// The short answers that WebDAV's methods share.
#pragma once

#include <string>
#include <string_view>

#include "base/result.h"
#include "net/async.h"
#include "net/server.h"

namespace hearth::drive {

net::Async<void> refuse(net::Exchange& exchange, unsigned status, std::string_view message);

unsigned status_of(Code code);  // as all that serves the drive answers with it

// With the error's status; of a lock in the way, as XML that says so (RFC 4918, section 16).
net::Async<void> refuse(net::Exchange& exchange, const Error& error);

// A body that could not be read.
net::Async<void> refuse_body(net::Exchange& exchange, const Error& error);

net::Async<void> reply_empty(net::Exchange& exchange, unsigned status);
net::Async<void> reply_xml(net::Exchange& exchange, unsigned status, std::string body, net::Headers headers = {});

}  // namespace hearth::drive
