#include "hub/audit_log.h"

#include "account/audit_chain.h"
#include "base/bytes.h"
#include "hearth/v1/audit.pb.h"
#include "hub/convert.h"

namespace hearth::hub {
namespace {

constexpr std::size_t kMaxObjectBytes = 256;
constexpr std::size_t kMaxDetailBytes = 512;

}  // namespace

AuditLog::AuditLog(Engine& engine, const store::AuditRow& last)
    : engine_(engine), number_(last.number), hash_(last.hash) {}

void AuditLog::note(const net::Caller& who, std::string_view action, std::string_view object,
                    std::string_view details) {
  const WallTime now = wall_now();
  v1::AuditStatement statement;
  statement.set_number(++number_);
  *statement.mutable_at() = moment(now);
  statement.set_device_id(who.device.value);
  statement.set_device(who.device_name);
  statement.set_address(who.address);
  statement.set_action(std::string(action));
  statement.set_object(std::string(utf8_prefix(object, kMaxObjectBytes)));
  statement.set_details(std::string(utf8_prefix(details, kMaxDetailBytes)));
  store::AuditRow row{.number = number_, .at = now, .hash = {}, .statement = statement.SerializeAsString()};
  row.hash = hash_ = account::audit_hash(hash_, row.statement);
  engine_.keep(std::move(row));
}

}  // namespace hearth::hub
