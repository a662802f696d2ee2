#include <algorithm>
#include <optional>

#include "account/account.h"
#include "account/identity.h"
#include "account/ways.h"
#include "base/bytes.h"

namespace hearth::account {
namespace {

constexpr std::size_t kChallengeBytes = 32;
constexpr std::size_t kMaxTokenBytes = 4096;
constexpr std::int64_t kMaxLifeSeconds = 24LL * 60 * 60;
constexpr Duration kRenewBefore = seconds(60);
constexpr unsigned kStandsBy = 503;

// Of a hub beside which there are others.
constexpr net::ClientOptions kBrief{.max_connections = 1, .connect_limit = seconds(3), .stall_limit = seconds(3)};

// A token goes into a header line: visible ASCII, nothing that could end it.
bool is_token(std::string_view token) {
  return !token.empty() && token.size() <= kMaxTokenBytes &&
         std::ranges::all_of(token, [](char c) { return c > 0x20 && c < 0x7F; });
}

Result<std::string> sign_challenge(const v1::ChallengeReply& challenge, const Account& account,
                                   const net::IdentityKey& key) {
  if (challenge.identity_key() != account.hub_identity) {
    return fail(Code::kUnauthenticated, "what answers at " + account.endpoint.text() +
                                            " is another server than the one that this device is paired with");
  }
  if (challenge.challenge().size() != kChallengeBytes) {
    return fail(Code::kInternal, "the server's challenge is malformed; is it a Hearth server of this version?");
  }
  return key.sign("hearth-session/1" + account.hub_identity + challenge.challenge());
}

}  // namespace

struct Session::State {
  State(net::Loop& loop_in, Account account_in, const net::IdentityKey& key_in, Ways::Dial dial)
      : loop(loop_in),
        account(std::move(account_in)),
        key(key_in),
        ways(loop_in, std::move(dial), {account.endpoint, account.hub_identity}, account.other_hubs) {}

  net::Loop& loop;
  Account account;
  const net::IdentityKey& key;
  Ways ways;
  std::function<void(const Account&)> on_change;
  std::string token;  // empty before the first proof
  Time expires;
  bool proving = false;
  net::Event proved;
  Result<void> outcome;  // of the last proof

  bool is_good() const { return !token.empty() && !ways.doubted() && loop.now() + kRenewBefore < expires; }
  bool may_be_elsewhere(const Error& error);
  void use_chosen();
  void learn(const google::protobuf::RepeatedPtrField<v1::HubAddress>& hubs);
  net::Async<Result<void>> prove();
  net::Async<Result<void>> prove_here();
  net::Async<Result<void>> prove_together();
};

// Of an error of the chosen hub, or of what answers at its address.
bool Session::State::may_be_elsewhere(const Error& error) {
  const bool stranger =
      error.code == Code::kUnauthenticated && ways.brief_client().server_identity() != ways.chosen().identity;
  return stranger || error.code == Code::kUnavailable || error.code == Code::kDeadlineExceeded;
}

void Session::State::use_chosen() {
  account.endpoint = ways.chosen().endpoint;
  account.hub_identity = ways.chosen().identity;
}

void Session::State::learn(const google::protobuf::RepeatedPtrField<v1::HubAddress>& hubs) {
  std::vector<HubAddress> others;
  for (const v1::HubAddress& hub : hubs) {
    Result<net::Endpoint> endpoint = net::parse_endpoint(hub.endpoint());
    const bool good = endpoint && hub.identity_key().size() == kIdentityBytes && others.size() < kMaxOtherHubs;
    if (good) others.push_back({std::move(*endpoint), hub.identity_key()});
  }
  ways.set_others(others);
  account.other_hubs = ways.others();
}

net::Async<Result<void>> Session::State::prove() {
  const Account before = account;
  const std::size_t hubs = ways.count();
  ways.choose_first();
  use_chosen();
  Result<void> done = co_await prove_here();
  for (std::size_t tried = 1; tried < hubs && !done && may_be_elsewhere(done.error()); ++tried) {
    ways.choose_next();
    use_chosen();
    done = co_await prove_here();
  }
  if (done && on_change && account != before) on_change(account);
  co_return done;
}

net::Async<Result<void>> Session::State::prove_here() {
  net::Client& client = ways.brief_client();
  const Result<v1::ChallengeReply> challenge =
      co_await net::call<v1::ChallengeReply>(client, "hearth.v1.PairingService/Challenge", "", v1::ChallengeRequest());
  if (!challenge) {
    ways.note(std::unexpected(challenge.error()));
    co_return std::unexpected(challenge.error());
  }
  const Result<std::string> signature = sign_challenge(*challenge, account, key);
  if (!signature) co_return std::unexpected(signature.error());

  v1::ProveRequest request;
  request.set_device_id(account.device.value);
  request.set_challenge(challenge->challenge());
  request.set_signature(*signature);
  const Time asked = loop.now();
  const Result<v1::ProveReply> reply =
      co_await net::call<v1::ProveReply>(client, "hearth.v1.PairingService/Prove", "", request);
  if (!reply && reply.error().code == Code::kUnauthenticated) {
    co_return fail(Code::kUnauthenticated, "the hub does not admit this device any more (" + reply.error().message +
                                               "); if its owner agrees, pair it again with `hearth pair LINK`");
  }
  if (!reply) co_return std::unexpected(reply.error());
  if (!is_token(reply->token())) co_return fail(Code::kInternal, "the server's session is malformed");
  token = reply->token();
  expires = asked + seconds(std::clamp<std::int64_t>(reply->expires_in_seconds(), 0, kMaxLifeSeconds));
  ways.trust();
  learn(reply->other_hubs());
  co_return Result<void>();
}

// Callers that need a proof at the same time share one.
net::Async<Result<void>> Session::State::prove_together() {
  if (proving) {
    while (proving) co_await proved.wait();
    co_return outcome;
  }
  struct Turn {
    explicit Turn(State& state_in) : state(state_in) {
      state.proving = true;
      state.outcome = fail(Code::kCanceled, "proving the device's key was interrupted");
    }
    Turn(const Turn&) = delete;
    Turn& operator=(const Turn&) = delete;
    ~Turn() {
      state.proving = false;
      state.proved.notify();
    }
    State& state;
  };
  const Turn turn(*this);
  outcome = co_await prove();
  co_return outcome;
}

Session::Session(net::Loop& loop, net::Workers& workers, Account account, const net::IdentityKey& key) {
  auto dial = [&loop, &workers](const HubAddress& hub, bool brief) {
    net::ServerPin pin{.identity_key = hub.identity, .identity_fingerprint = ""};
    return net::Client::make(loop, hub.endpoint, std::move(pin), workers, brief ? kBrief : net::ClientOptions());
  };
  state_ = std::make_unique<State>(loop, std::move(account), key, std::move(dial));
}

Session::Session(net::Loop& loop, std::unique_ptr<net::Client> client, Account account, const net::IdentityKey& key) {
  const auto only = std::make_shared<std::unique_ptr<net::Client>>(std::move(client));
  state_ = std::make_unique<State>(loop, std::move(account), key,
                                   [only](const HubAddress&, bool) { return std::move(*only); });
}

Session::~Session() = default;

net::Client& Session::client() { return state_->ways.client(); }

void Session::on_change(std::function<void(const Account&)> handler) { state_->on_change = std::move(handler); }

void Session::learn_hubs(const google::protobuf::RepeatedPtrField<v1::HubAddress>& others) {
  const Account before = state_->account;
  state_->learn(others);
  if (state_->on_change && state_->account != before) state_->on_change(state_->account);
}

std::string Session::server_identity() const { return state_->ways.brief_client().server_identity(); }

bool Session::has_other_hubs() const { return state_->ways.count() > 1; }

net::Async<bool> Session::hub_answers() {
  const Result<net::Response> answer = co_await state_->ways.brief_client().request("GET", "/alive", {}, "");
  state_->ways.note(answer);
  co_return answer && answer->status != kStandsBy;
}

const Account& Session::account() const { return state_->account; }

std::string Session::last_token() const { return state_->token; }

net::Async<Result<std::string>> Session::token(bool fresh) {
  if (fresh || !state_->is_good()) {
    if (Result<void> proved = co_await state_->prove_together(); !proved) co_return std::unexpected(proved.error());
  }
  co_return state_->token;
}

net::Async<Result<void>> Session::call(std::string_view method, const google::protobuf::Message& request,
                                       google::protobuf::Message& reply) {
  Result<std::string> bearer = co_await token();
  if (!bearer) co_return std::unexpected(bearer.error());
  Result<void> done = co_await net::call_erased(state_->ways.client(), method, *bearer, request, reply);
  if (done || done.error().code != Code::kUnauthenticated) co_return done;
  bearer = co_await token(true);
  if (!bearer) co_return std::unexpected(bearer.error());
  reply.Clear();
  co_return co_await net::call_erased(state_->ways.client(), method, *bearer, request, reply);
}

}  // namespace hearth::account
