#include "account/account.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <optional>
#include <system_error>
#include <utility>

#include <nlohmann/json.hpp>

#include "base/bytes.h"
#include "base/fd.h"
#include "base/sizes.h"

namespace hearth::account {
namespace {

namespace fs = std::filesystem;
using Json = nlohmann::json;

constexpr std::size_t kMaxFileBytes = 64 * kKiB;
constexpr std::size_t kMaxNameBytes = 256;

fs::path file_in(const fs::path& directory) { return directory / "account.json"; }

Result<std::string> read_file(const fs::path& path) {
  const Fd file(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (file.get() < 0) {
    if (errno != ENOENT) return fail_errno(errno, "cannot read " + path.string());
    return fail(Code::kNotFound,
                "this device is paired with no hub yet: run `hearth pair LINK` with the link that `hearth up` shows");
  }
  std::string text(kMaxFileBytes + 1, '\0');
  const ssize_t count = ::pread(file.get(), text.data(), text.size(), 0);
  if (count < 0) return fail_errno(errno, "cannot read " + path.string());
  text.resize(static_cast<std::size_t>(count));
  return text;
}

std::unexpected<Error> malformed(const fs::path& path, std::string_view why) {
  return fail(Code::kDataLoss,
              path.string() + " is damaged: " + std::string(why) + "; remove it and pair this device again");
}

std::optional<std::string> identity_of(const Json& object) {
  const auto found = object.find("hub_identity");
  if (found == object.end() || !found->is_string()) return std::nullopt;
  std::optional<std::string> identity = from_hex(found->get<std::string>());
  return identity && identity->size() == 32 ? identity : std::nullopt;
}

std::string text_of(const Json& object, const char* name) {
  const auto found = object.find(name);
  return found != object.end() && found->is_string() ? found->get<std::string>() : std::string();
}

std::optional<std::vector<HubAddress>> other_hubs_of(const Json& object) {
  std::vector<HubAddress> hubs;
  const auto list = object.find("other_hubs");
  if (list == object.end()) return hubs;
  if (!list->is_array() || list->size() > kMaxOtherHubs) return std::nullopt;
  for (const Json& entry : *list) {
    if (!entry.is_object()) return std::nullopt;
    Result<net::Endpoint> endpoint = net::parse_endpoint(text_of(entry, "endpoint"));
    std::optional<std::string> identity = identity_of(entry);
    if (!endpoint || !identity) return std::nullopt;
    hubs.push_back({std::move(*endpoint), std::move(*identity)});
  }
  return hubs;
}

Result<void> write_whole(const fs::path& path, std::string_view text) {
  const Fd file(::open(path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600));
  if (file.get() < 0) return fail_errno(errno, "cannot make " + path.string());
  const ssize_t count = ::write(file.get(), text.data(), text.size());
  if (count < 0) return fail_errno(errno, "cannot write " + path.string());
  if (std::cmp_not_equal(count, text.size())) return fail_errno(ENOSPC, "cannot write " + path.string());
  if (::fsync(file.get()) != 0) return fail_errno(errno, "cannot write " + path.string());
  return {};
}

Result<void> make_directory(const fs::path& directory) {
  std::error_code error;
  fs::create_directories(directory.parent_path(), error);  // if it fails, so does the next step
  if (::mkdir(directory.c_str(), 0700) == 0 || errno == EEXIST) return {};
  return fail_errno(errno, "cannot make the directory " + directory.string());
}

}  // namespace

Result<Account> load_account(const fs::path& directory) {
  const fs::path path = file_in(directory);
  const Result<std::string> text = read_file(path);
  if (!text) return std::unexpected(text.error());
  if (text->size() > kMaxFileBytes) return malformed(path, "it is larger than 64 KiB");
  const Json object = Json::parse(*text, nullptr, false);
  if (!object.is_object()) return malformed(path, "it is no JSON object");

  const Result<net::Endpoint> endpoint = net::parse_endpoint(text_of(object, "endpoint"));
  if (!endpoint) return malformed(path, "its endpoint is no host:port");
  const std::optional<std::string> identity = identity_of(object);
  if (!identity) return malformed(path, "its hub_identity is no key");
  const auto device = object.find("device_id");
  if (device == object.end() || !device->is_number_unsigned() || device->get<std::uint64_t>() == 0) {
    return malformed(path, "its device_id is no positive number");
  }
  const std::string pool = text_of(object, "pool");
  if (pool.size() > kMaxNameBytes || !is_plain_utf8(pool)) return malformed(path, "its pool is no name");
  std::optional<std::vector<HubAddress>> others = other_hubs_of(object);
  if (!others) return malformed(path, "its other_hubs are no list of at most 32 endpoints with keys");
  return Account{.endpoint = *endpoint,
                 .hub_identity = *identity,
                 .device = {device->get<std::uint64_t>()},
                 .pool_name = pool,
                 .other_hubs = std::move(*others)};
}

Result<void> save_account(const fs::path& directory, const Account& account) {
  if (Result<void> made = make_directory(directory); !made) return made;
  Json object = {{"endpoint", account.endpoint.text()},
                 {"hub_identity", to_hex(account.hub_identity)},
                 {"device_id", account.device.value},
                 {"pool", account.pool_name}};
  for (const HubAddress& hub : account.other_hubs) {
    object["other_hubs"].push_back({{"endpoint", hub.endpoint.text()}, {"hub_identity", to_hex(hub.identity)}});
  }
  const std::string text = object.dump(2, ' ', false, Json::error_handler_t::replace) + "\n";
  const fs::path path = file_in(directory);
  const fs::path aside = path.string() + ".new-" + to_hex(net::random_bytes(6));
  const Result<void> written = write_whole(aside, text);
  const bool renamed = written && ::rename(aside.c_str(), path.c_str()) == 0;
  const int error = errno;
  if (!renamed) ::unlink(aside.c_str());
  if (!written) return written;
  if (!renamed) return fail_errno(error, "cannot write " + path.string());
  const Fd folder(::open(directory.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (folder.get() < 0 || ::fsync(folder.get()) != 0) return fail_errno(errno, "cannot write " + directory.string());
  return {};
}

void remove_account(const fs::path& directory) { ::unlink(file_in(directory).c_str()); }

}  // namespace hearth::account
