// A node's signed word that nothing of an attempt remains on it: who was wiped, at which level, off which kinds of
// storage, when. Owner and guest both keep it, and either can check it without the other (WipeRecord in types.proto).
#pragma once

#include <string>

#include "base/result.h"
#include "hearth/v1/types.pb.h"
#include "net/crypto.h"

namespace hearth::account {

v1::WipeRecord sign_wipe(const net::IdentityKey& key, const v1::WipeStatement& statement);

// The statement, if the signature is the key's. Errors: kDataLoss (malformed, or not what was signed).
Result<v1::WipeStatement> verify_wipe(const v1::WipeRecord& record);

// How people name the key that signed, to compare it with the node's own: SHA-256 of it, the first 8 bytes in
// hexadecimal, in groups of four.
std::string key_name(std::string_view spki);

// One line of text for a record, and back: JSON, as protobuf writes it. Errors: kInvalidArgument.
std::string wipe_to_line(const v1::WipeRecord& record);
Result<v1::WipeRecord> wipe_from_line(std::string_view line);

}  // namespace hearth::account
