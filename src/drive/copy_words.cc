#include "drive/copy_words.h"

#include "base/bytes.h"
#include "core/drive/path.h"
#include "drive/files.h"
#include "net/crypto.h"

namespace hearth::drive {
namespace {

constexpr std::size_t kMaxEtag = 128;
constexpr std::uint32_t kPermissions = 0777;
constexpr std::size_t kSourceBytes = 8;

}  // namespace

v1::DriveCopyEntry message_of(const CopyEntry& entry) {
  v1::DriveCopyEntry message;
  message.set_name(entry.name);
  message.set_folder(entry.is_folder);
  message.set_etag(entry.etag);
  message.set_bytes(entry.bytes);
  message.set_modified_seconds(entry.modified_seconds);
  message.set_modified_nanos(entry.modified_nanos);
  message.set_mode(entry.mode);
  for (const auto& [name, value] : entry.attributes) (*message.mutable_attributes())[name] = value;
  if (entry.mark) {
    message.mutable_mark()->set_source(entry.mark->source);
    message.mutable_mark()->set_theirs(entry.mark->theirs);
    message.mutable_mark()->set_ours(entry.mark->ours);
  }
  return message;
}

Result<CopyEntry> entry_of(const v1::DriveCopyEntry& message) {
  if (Result<void> named = check_name(message.name()); !named) return std::unexpected(named.error());
  if (message.etag().size() > kMaxEtag || message.etag().empty() != message.folder()) {
    return fail(Code::kInvalidArgument, "an entry of the drive's copy without a kind");
  }
  CopyEntry entry{.name = message.name(),
                  .is_folder = message.folder(),
                  .etag = message.etag(),
                  .bytes = message.bytes(),
                  .modified_seconds = message.modified_seconds(),
                  .modified_nanos = message.modified_nanos(),
                  .mode = message.mode() & kPermissions,
                  .attributes = {},
                  .mark = {}};
  for (const auto& [name, value] : message.attributes()) {
    if (name != kPropertiesName && name != kSeriesName) {
      return fail(Code::kInvalidArgument, "an entry of the drive's copy with another attribute than the drive's");
    }
    entry.attributes[name] = value;
  }
  if (message.has_mark()) entry.mark = {message.mark().source(), message.mark().theirs(), message.mark().ours()};
  return entry;
}

std::string copy_password(const std::string& holder_secret, const std::string& partner_secret) {
  return net::hmac_sha256(holder_secret, "hearth drive copy " + partner_secret);
}

std::string copy_source_name(const std::string& identity_key) { return to_hex(identity_key.substr(0, kSourceBytes)); }

}  // namespace hearth::drive
