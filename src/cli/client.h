// This PC's command line as a client of a hub: its key, its account and a session, for one command's life.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <string_view>

#include "account/account.h"
#include "base/result.h"
#include "cli/home.h"
#include "net/async.h"
#include "net/crypto.h"

namespace hearth::cli {

class Client {
 public:
  // With the account in `directory`: HOME/cli, or HOME/node for what a node may do. Nothing is sent yet. Errors:
  // kNotFound (not paired, and how to pair).
  static Result<std::unique_ptr<Client>> open(const Home& home, const std::filesystem::path& directory);

  net::Loop& loop() { return loop_; }
  net::Workers& workers() { return workers_; }
  account::Session& session() { return session_; }

  // One call, blocking; the error says what to do.
  template <class Reply>
  Result<Reply> call(std::string_view method, const google::protobuf::Message& request) {
    Result<Reply> reply = loop_.run_until_done(session_.call<Reply>(method, request));
    if (!reply) return std::unexpected(explain(reply.error()));
    return reply;
  }

  // Calls `end` for each signal that ends a command: Ctrl-C, SIGTERM, and SIGHUP of a terminal that is closed, unless
  // nohup(1) had that ignored.
  void on_end(std::function<void(int)> end);

  // The same error with the command that mends it, where the hub is away or does not know this device any more.
  Error explain(Error error) const;

 private:
  Client(Home home, account::Account account, net::IdentityKey key);

  Home home_;
  net::Loop loop_;
  net::Workers workers_;
  net::IdentityKey key_;
  account::Session session_;
};

// Whether an attempt that failed so may succeed when it is repeated: the hub is away or starting.
bool is_passing(const Error& error);

}  // namespace hearth::cli
