#include "harness/pairing.h"

namespace hearth::e2e {

v1::InviteReply invite(Api& owner, v1::Role role) {
  v1::InviteRequest request;
  request.set_role(role);
  const auto reply = owner.call<v1::InviteReply>("hearth.v1.DeviceService/Invite", request);
  EXPECT_TRUE(reply) << text_of(reply.error());
  return reply ? *reply : v1::InviteReply();
}

account::PairingLink link_of(const v1::InviteReply& invitation) {
  const auto link = account::parse_link(invitation.links(0));
  EXPECT_TRUE(link) << text_of(link.error());
  return *link;
}

PairingDevice::PairingDevice(account::PairingLink link, std::filesystem::path directory, std::string name, bool as_node)
    : link_(std::move(link)),
      directory_(std::move(directory)),
      name_(std::move(name)),
      as_node_(as_node),
      thread_([this] { run(); }) {}

PairingDevice::~PairingDevice() {
  if (thread_.joinable()) thread_.join();
}

void PairingDevice::run() {
  std::filesystem::create_directories(directory_);
  Result<net::IdentityKey> key = net::IdentityKey::load_or_create(directory_ / "identity.pem");
  ASSERT_TRUE(key);
  net::Loop loop;
  net::Workers workers(1);
  bool shown = false;
  account_ = loop.run_until_done(
      account::pair(loop, workers, link_, *key, name_, as_node_, [this, &shown](const std::string& digits) {
        shown = true;
        digits_.set_value(digits);
      }));
  if (!shown) digits_.set_value("");
  if (account_) EXPECT_TRUE(account::save_account(directory_, *account_));
}

std::string PairingDevice::digits() { return shown_.get(); }

const Result<account::Account>& PairingDevice::finish() {
  if (thread_.joinable()) thread_.join();
  return account_;
}

v1::PendingPairing pending_with(Api& owner, const std::string& digits) {
  v1::PendingPairing found;
  const bool waits = eventually(seconds(10), [&] {
    const auto reply = owner.call<v1::ListDevicesReply>("hearth.v1.DeviceService/List", v1::ListDevicesRequest());
    if (!reply) return false;
    for (const v1::PendingPairing& pending : reply->pending()) {
      if (pending.digits() == digits) found = pending;
    }
    return !found.pairing_id().empty();
  });
  EXPECT_TRUE(waits) << "no device waits with the digits " << digits;
  return found;
}

Result<v1::AllowReply> answer(Api& owner, const v1::PendingPairing& pending, bool allow) {
  v1::AllowRequest request;
  request.set_pairing_id(pending.pairing_id());
  request.set_allow(allow);
  return owner.call<v1::AllowReply>("hearth.v1.DeviceService/Allow", request);
}

std::filesystem::path pair_device(Pool& pool, const std::string& name, v1::Role role, bool as_node) {
  Api owner(pool);
  const std::filesystem::path directory = pool.directory() / ("device-" + name);
  PairingDevice device(link_of(invite(owner, role)), directory, name, as_node);
  const auto allowed = answer(owner, pending_with(owner, device.digits()), true);
  EXPECT_TRUE(allowed) << text_of(allowed.error());
  const auto& account = device.finish();
  EXPECT_TRUE(account) << text_of(account.error());
  return directory;
}

void join(Pool& pool, Pool& other, const std::string& name) {
  Api owner(pool);
  Process joining = other.start_cli({"join", invite(owner).links(0), "--name", name});
  ASSERT_TRUE(eventually(seconds(20), [&] { return joining.err().find("shows") != std::string::npos; }))
      << joining.err();
  const Ended allowed = pool.cli({"devices", "allow", name});
  ASSERT_EQ(allowed.exit_code, 0) << allowed.err;
  const Ended joined = joining.wait(seconds(60));
  ASSERT_EQ(joined.exit_code, 0) << joined.err;
  other.await_node();
}

}  // namespace hearth::e2e
