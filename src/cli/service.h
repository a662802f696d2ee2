// Starting and finding this PC's daemons: what `hearth up` and `hearth join` share.
#pragma once

#include <memory>
#include <optional>

#include "base/log_line.h"
#include "cli/client.h"
#include "cli/commands.h"
#include "cli/documents.h"
#include "cli/home.h"

namespace hearth::cli {

// Whether this PC has joined another's pool.
bool has_joined(const Home& home, const Config& config);

// Errors: kAlreadyExists (somebody listens there already), kInvalidArgument (no address of this PC).
Result<void> check_port_is_free(const std::string& address, std::uint16_t port);

// The supervisor of what `config` says, until it ends; in a process that holds the lock.
int run_supervisor(const Home& home, const Config& config, LogFormat format, const Lock& lock);

// Runs it in the background. The lock passes to it.
Result<void> start_service(const Home& home, const Config& config, LogFormat format, Lock lock);

// Waits until the hub answers this PC's command line. Errors: kDeadlineExceeded, kUnavailable (the supervisor ended);
// with the log's last lines.
Result<std::unique_ptr<Client>> await_hub(const Home& home, Duration limit);

// Waits until the node is connected; whether it is.
bool await_node(const Home& home, Duration limit);

}  // namespace hearth::cli
