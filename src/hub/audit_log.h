// The hub's end of the audit log: numbers and chains what is done to the pool, in the order in which it is done, and
// has it committed with what it tells (commit, then speak). Nothing here or in the store changes or removes a line.
//
// Actions: device.invite device.allow device.refuse device.ring device.role device.revoke device.leave token.new
// job.cancel job.forward account.set account.remove account.assign firm.set firm.remove job.remove (of another device's
// job) workspace.remove (of another device's) environment.put environment.remove node.stop node.resume node.cordon
// node.drain node.uncordon webhook.add webhook.remove link.make link.revoke app.share app.unshare app.pass. What a
// node's owner says on that PC itself (hearth limit) is theirs and not told here.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "hub/engine.h"
#include "net/connect.h"

namespace hearth::hub {

class AuditLog {
 public:
  // `last`: the newest line that is stored; one with the number 0: there is none.
  AuditLog(Engine& engine, const store::AuditRow& last);

  // To be called right before the engine is given what the line tells, without waiting in between: both are in one
  // commit then. Without such a thing: co_await engine.committed() after it, before anything is said or done.
  void note(const net::Caller& who, std::string_view action, std::string_view object, std::string_view details = {});

 private:
  Engine& engine_;
  std::uint64_t number_;
  std::string hash_;
};

}  // namespace hearth::hub
