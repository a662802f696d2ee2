#include "account/wipe_record.h"

#include <google/protobuf/util/json_util.h>

#include "base/bytes.h"
#include "base/check.h"

namespace hearth::account {
namespace {

constexpr std::string_view kContext = "hearth-wipe/1";
constexpr std::size_t kNamedBytes = 8;

std::string signed_bytes(std::string_view statement) { return std::string(kContext).append(statement); }

}  // namespace

v1::WipeRecord sign_wipe(const net::IdentityKey& key, const v1::WipeStatement& statement) {
  v1::WipeRecord record;
  record.set_statement(statement.SerializeAsString());
  record.set_node_key(key.public_key_spki());
  record.set_signature(key.sign(signed_bytes(record.statement())));
  return record;
}

Result<v1::WipeStatement> verify_wipe(const v1::WipeRecord& record) {
  v1::WipeStatement statement;
  if (!statement.ParseFromString(record.statement())) return fail(Code::kDataLoss, "the record is malformed");
  if (!net::verify_signature(net::KeyKind::kEd25519, record.node_key(), signed_bytes(record.statement()),
                             record.signature())) {
    return fail(Code::kDataLoss, "the signature is not the node's: the record was changed, or made by somebody else");
  }
  return statement;
}

std::string key_name(std::string_view spki) {
  const std::string digits = to_hex(net::sha256(spki).substr(0, kNamedBytes));
  std::string name;
  for (std::size_t i = 0; i < digits.size(); ++i) {
    if (i > 0 && i % 4 == 0) name += ' ';
    name += digits[i];
  }
  return name;
}

std::string wipe_to_line(const v1::WipeRecord& record) {
  std::string line;
  CHECK(google::protobuf::util::MessageToJsonString(record, &line).ok());
  return line;
}

Result<v1::WipeRecord> wipe_from_line(std::string_view line) {
  v1::WipeRecord record;
  const auto read = google::protobuf::util::JsonStringToMessage(std::string(line), &record);
  if (!read.ok()) return fail(Code::kInvalidArgument, "it is no record of a wipe: " + std::string(read.message()));
  return record;
}

}  // namespace hearth::account
