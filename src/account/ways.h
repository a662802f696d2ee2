// The ways to a pool's hubs. One of them is chosen at a time, and client() goes to that one, whoever it is: what was
// handed the client need not know that there are several hubs.
//
// A hub that does not answer, or says that it stands by, is doubted: the session then proves its key at the next one.
// One that owes an answer and says nothing is asked, on another connection, whether it is there at all: a PC that lost
// its power, or its network, closes no connection. If it says nothing to that either, it is given up with all that it
// owes.
#pragma once

#include <cstddef>
#include <functional>
#include <memory>
#include <vector>

#include "account/account.h"
#include "net/client.h"

namespace hearth::account {

class Ways {
 public:
  // A client of one hub; `brief`: that gives a hub up soon, to try another.
  using Dial = std::function<std::unique_ptr<net::Client>(const HubAddress& hub, bool brief)>;

  Ways(net::Loop& loop, Dial dial, HubAddress first, const std::vector<HubAddress>& others);
  ~Ways();

  net::Client& client() { return *client_; }
  net::Client& brief_client();  // to the chosen hub, for questions that are answered at once; client()'s if it is alone

  const HubAddress& chosen() const;
  std::size_t count() const { return ways_.size(); }
  std::vector<HubAddress> others() const;  // in the order in which they are tried
  void choose_next();

  // What the chosen hub says of the others. Nothing that runs is disturbed.
  void set_others(const std::vector<HubAddress>& others);

  bool doubted() const { return doubted_ && count() > 1; }
  void trust();
  // The chosen hub was asked something that is answered at once, with this outcome.
  void note(const Result<net::Response>& answer);
  // Where to begin when the key is to be proven anew: the chosen hub, or the next if that one says nothing.
  void choose_first();

 private:
  struct Way;
  class Owed;
  class Chosen;

  Way& way() const { return *ways_[chosen_]; }
  net::Client& chosen_client() const;
  static net::Async<void> watch(std::shared_ptr<Way> way, Dial dial);

  net::Loop& loop_;
  Dial dial_;
  std::vector<std::shared_ptr<Way>> ways_;
  std::vector<std::shared_ptr<Way>> former_;  // somebody may still wait for an answer
  std::size_t chosen_ = 0;
  bool doubted_ = false;
  std::unique_ptr<net::Client> client_;
};

}  // namespace hearth::account
