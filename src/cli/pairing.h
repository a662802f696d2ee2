// Pairing in a terminal. The owner's side, for `hearth up` and `hearth invite`: shows an invitation and asks whether
// the device that presents itself may come in. The device's side, for `hearth pair` and `hearth join`.
#pragma once

#include "cli/client.h"
#include "cli/commands.h"
#include "hearth/v1/devices.pb.h"

namespace hearth::cli {

// Links, code and QR code on standard output (as text, or the InviteReply as JSON).
void show_invitation(const Context& context, const v1::InviteReply& invitation);

// Waits for the invitation's life until a device presents itself, asks on the terminal, answers the hub. Gives 0 if a
// device was let in, else 1. A device that waits already is asked about too.
Result<int> wait_for_device(Client& client, Duration limit);

// Pairs the key in `directory` by a link, shows the digits meanwhile and saves the account there. An empty name is this
// host's.
Result<account::Account> pair_device(const std::filesystem::path& directory, const std::string& link_text,
                                     const std::string& name, bool as_node);

// "123 456"
std::string spaced_digits(std::string_view digits);

}  // namespace hearth::cli
