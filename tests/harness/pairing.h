// Devices that pair with a pool by the real protocol, as a phone or another PC would.
#pragma once

#include <filesystem>
#include <future>
#include <string>
#include <thread>

#include "harness/api.h"
#include "hearth/v1/devices.pb.h"

namespace hearth::e2e {

v1::InviteReply invite(Api& owner, v1::Role role = v1::ROLE_MEMBER);
account::PairingLink link_of(const v1::InviteReply& invitation);

// One device's side of a pairing, on a thread of its own.
class PairingDevice {
 public:
  // `directory` will hold the device's key and, once it is in, its account.
  PairingDevice(account::PairingLink link, std::filesystem::path directory, std::string name, bool as_node = false);
  ~PairingDevice();

  // What the device shows; empty if the pairing failed before.
  std::string digits();
  // The end: waits for the owner's word.
  const Result<account::Account>& finish();

 private:
  void run();

  account::PairingLink link_;
  std::filesystem::path directory_;
  std::string name_;
  bool as_node_;
  std::promise<std::string> digits_;
  std::shared_future<std::string> shown_ = digits_.get_future().share();
  Result<account::Account> account_ = fail(Code::kUnknown, "still pairing");
  std::thread thread_;
};

// The device that waits with these digits. Fails the test if there is none.
v1::PendingPairing pending_with(Api& owner, const std::string& digits);
Result<v1::AllowReply> answer(Api& owner, const v1::PendingPairing& pending, bool allow);

// Pairs a device; its directory is what Api's constructor takes.
std::filesystem::path pair_device(Pool& pool, const std::string& name, v1::Role role, bool as_node = false);

// `hearth join` of another PC, allowed by the pool's owner; its node is connected then.
void join(Pool& pool, Pool& other, const std::string& name);

}  // namespace hearth::e2e
