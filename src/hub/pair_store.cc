#include "hub/pair_store.h"

#include <algorithm>
#include <chrono>
#include <fstream>
#include <iterator>
#include <system_error>
#include <utility>

#include <fcntl.h>
#include <unistd.h>

#include <fmt/format.h>

#include "base/log.h"
#include "drive/copy_folder.h"
#include "hub/moving.h"
#include "net/crypto.h"

namespace hearth::hub {
namespace {

namespace fs = std::filesystem;
using succession::Speech;
using succession::Step;

constexpr std::uint64_t kMaxBacklogBytes = 64ULL << 20U;  // beyond it the whole file is copied
constexpr std::size_t kMaxPieceBytes = kMaxPassedBytes / 2;
constexpr Duration kWitnessPatience = seconds(10);
constexpr std::size_t kSecretBytes = 32;

succession::Standing standing_of(const v1::Greeting& greeting) {
  return {
      .epoch = greeting.place().epoch(), .holder = greeting.place().holder(), .released = greeting.place().released()};
}

}  // namespace

Result<std::unique_ptr<PairStore>> PairStore::open(Start start) {
  const std::string pool_name = start.pool_name;
  std::unique_ptr<PairStore> store(new PairStore(std::move(start)));
  if (Result<void> opened = store->reopen(); !opened) return std::unexpected(opened.error());
  if (Result<void> begun = store->begin(pool_name); !begun) return std::unexpected(begun.error());
  return store;
}

Result<void> PairStore::reopen() {
  journal_.reset();
  Result<std::unique_ptr<store::Journal>> journal = store::open_journal(pool_file(directory_));
  if (!journal) return std::unexpected(journal.error());
  journal_ = std::move(*journal);
  return {};
}

// A file that nobody else has a copy of is this hub's, whoever wrote it.
Result<void> PairStore::begin(const std::string& pool_name) {
  tell();
  const Result<std::vector<store::HubRow>> hubs = log().hubs();
  if (!hubs) return std::unexpected(hubs.error());
  for (const store::HubRow& hub : *hubs) {
    if (hub.identity == self_.identity) continue;
    set_partner(hub);
  }
  store::Place first = place();
  const bool alone = partner_ == nullptr;
  if (alone && (first.epoch == 0 || first.holder != self_.identity || first.pool_name != pool_name)) {
    first.epoch += first.epoch == 0 || first.holder != self_.identity ? 1 : 0;
    first.holder = self_.identity;
    first.pool_name = pool_name;
    first.released = false;
    if (Result<void> saved = log().save(first); !saved) return saved;
  }
  tell();
  return {};
}

void PairStore::set_partner(const store::HubRow& hub) {
  auto partner = std::make_shared<Partner>(hub, greeting());
  const std::lock_guard lock(mutex_);
  partner_ = std::move(partner);
}

void PairStore::tell() {
  v1::Greeting greeting;
  *greeting.mutable_self() = card_of(self_);
  v1::CopyPlace& told = *greeting.mutable_place();
  told.set_epoch(place().epoch);
  told.set_position(place().position);
  told.set_holder(place().holder);
  told.set_released(place().released);
  told.set_schema(journal_->changes().schema());
  greeting.set_holds(holding_);
  const std::lock_guard lock(mutex_);
  greeting_ = greeting;
  witness_secret_ = place().witness_secret;
  if (partner_) partner_->say(std::move(greeting));
}

succession::View PairStore::view() const {
  succession::View view{.self = self_.identity,
                        .own = {.epoch = place().epoch, .holder = place().holder, .released = place().released},
                        .has_partner = partner_ != nullptr,
                        .partner = {},
                        .has_witness = place().witness != NodeId{},
                        .witness = {}};
  if (const auto heard = partner_ ? partner_->heard() : std::nullopt) view.partner = standing_of(*heard);
  const std::lock_guard lock(mutex_);
  view.witness = hearing_;
  return view;
}

// --- who holds ------------------------------------------------------------------------------------------------------

Result<store::Meeting> PairStore::meet(const store::HubRow& self) {
  if (self.endpoints != self_.endpoints) {
    self_ = self;
    tell();
  }
  Result<void> done = holding_ ? keep_up() : take_step();
  if (!done) return std::unexpected(done.error());
  return meeting();
}

store::Meeting PairStore::meeting() const {
  store::Meeting meeting{.holding = holding_, .filling = false, .pool_name = place().pool_name};
  if (!partner_) return meeting;
  meeting.witness = place().witness;
  const auto heard = partner_->heard();
  meeting.hubs = {{.row = self_, .holds = holding_, .alive = true, .records_behind = false},
                  {.row = partner_->row(),
                   .holds = heard && heard->holds() && heard->place().epoch() >= place().epoch,
                   .alive = heard.has_value(),
                   .records_behind = holding_ && !follows_}};
  std::ranges::sort(meeting.hubs, {}, [](const store::KnownHub& hub) { return hub.row.name; });
  return meeting;
}

Result<void> PairStore::take_step() {
  if (partner_) partner_->await_first_greeting();
  succession::View seen = view();
  std::error_code absent;
  seen.ordered = fs::exists(directory_ / kTakeOverFile, absent);
  switch (next_step(seen)) {
    case Step::kHold:
      holding_ = true;
      break;
    case Step::kTakeOver:
      if (Result<void> taken = take_over(); !taken) return taken;
      break;
    case Step::kBid: {
      v1::WitnessAsk ask;
      ask.set_bid_epoch(place().epoch);
      ask.set_hub(self_.identity);
      set_ask(ask);
      return {};
    }
    case Step::kClaim:
      set_ask(claim(true));
      return {};
    case Step::kStandBy:
      set_ask({});
      return {};
  }
  log().record(partner_ != nullptr);
  set_ask(claim(true));
  tell();
  return {};
}

Result<void> PairStore::take_over() {
  store::Place next = place();
  next.epoch = next_epoch(view());
  next.holder = self_.identity;
  next.released = false;
  if (Result<void> saved = log().save(next); !saved) return saved;
  std::error_code absent;
  fs::remove(directory_ / kTakeOverFile, absent);
  holding_ = true;
  log_info("this hub takes the pool over", {{"epoch", next.epoch}});
  return {};
}

Result<void> PairStore::release() {
  if (!holding_ || !partner_) return {};
  if (!follows_ || !files_in_step_) return {};  // nobody is there to take it
  store::Place last = place();
  last.released = true;
  if (Result<void> saved = log().save(last); !saved) return saved;
  if (Result<void> told = hand_over_changes(); !told) return told;
  holding_ = false;
  tell();
  return {};
}

// --- the holder -----------------------------------------------------------------------------------------------------

Result<void> PairStore::commit(const store::Batch& batch) {
  if (!holding_) return fail(Code::kFailedPrecondition, "this hub does not hold the pool");
  if (Result<void> done = journal_->commit(batch); !done) return done;
  return hand_over_changes();
}

Result<bool> PairStore::purge(std::uint32_t limit) {
  if (!holding_) return fail(Code::kFailedPrecondition, "this hub does not hold the pool");
  Result<bool> more = journal_->purge(limit);
  if (!more) return more;
  if (Result<void> told = hand_over_changes(); !told) return std::unexpected(told.error());
  return more;
}

Result<void> PairStore::hand_over_changes() {
  for (store::Change& change : log().take()) {
    backlog_bytes_ += change.bytes.size();
    backlog_.push_back(std::move(change));
  }
  if (!partner_) return {};
  bool confirmed = false;
  if (follows_) {
    const Result<bool> passed = pass_on(backlog_.size());
    if (!passed) return std::unexpected(passed.error());
    confirmed = *passed;
    if (!confirmed) fall_behind();
  }
  if (!follows_ && backlog_bytes_ > kMaxBacklogBytes) {
    backlog_.clear();
    backlog_bytes_ = 0;
  }
  tell();
  return speak(confirmed);
}

Result<void> PairStore::speak(bool confirmed) {
  const auto deadline = std::chrono::steady_clock::now() + std::chrono::microseconds(kWitnessPatience.micros);
  while (true) {
    const Speech speech = may_speak(view(), confirmed);
    if (speech == Speech::kSpeak) return {};
    if (speech == Speech::kEnd) break;
    std::unique_lock lock(mutex_);
    if (ending_ || heard_.wait_until(lock, deadline) == std::cv_status::timeout) {
      return fail(Code::kUnavailable,
                  "neither the hub that stands by nor the witness answers, so nobody may be told anything: one of them "
                  "may have taken over");
    }
  }
  holding_ = false;
  tell();
  return fail(Code::kFailedPrecondition, "another hub holds the pool now: " + partner_->row().name);
}

bool PairStore::await_noted_alone() {
  set_ask(claim(true));
  const auto deadline = std::chrono::steady_clock::now() + std::chrono::microseconds(kWitnessPatience.micros);
  std::unique_lock lock(mutex_);
  return heard_.wait_until(lock, deadline, [this] { return hearing_.says_alone(place().epoch, self_.identity); });
}

void PairStore::fall_behind() {
  follows_ = false;
  set_ask(claim(true));
  log_warning("the hub that stands by does not take what is committed: what is told from now on is lost if this PC is",
              {{"hub", partner_->row().name}});
}

Result<bool> PairStore::pass_on(std::size_t count) {
  while (count > 0) {
    v1::PassOn commits;
    commits.set_epoch(place().epoch);
    commits.set_holder(self_.identity);
    std::size_t bytes = 0;
    for (std::size_t i = 0; i < count && (i == 0 || bytes + backlog_[i].bytes.size() < kMaxPieceBytes); ++i) {
      v1::PassedCommit& commit = *commits.add_commits();
      commit.set_position(backlog_[i].position);
      commit.set_changes(backlog_[i].bytes);
      bytes += backlog_[i].bytes.size();
    }
    const std::uint64_t last = commits.commits(commits.commits_size() - 1).position();
    const Result<v1::Greeting> answer =
        bytes > kMaxPassedBytes ? fail(Code::kUnavailable, "a commit is too large") : partner_->pass_on(commits);
    if (!answer || answer->holds() || answer->place().epoch() != place().epoch || answer->place().position() < last) {
      return false;
    }
    for (int i = 0; i < commits.commits_size(); ++i, --count) {
      backlog_bytes_ -= backlog_.front().bytes.size();
      backlog_.pop_front();
    }
  }
  return true;
}

Result<void> PairStore::keep_up() {
  if (!partner_) return {};
  if (may_speak(view(), true) == Speech::kEnd) return speak(true);
  const std::optional<v1::Greeting> heard = partner_->heard();
  if (!heard) {
    if (follows_) fall_behind();
    // Whoever is cut off from both may have been replaced.
    return speak(false);
  }
  if (Result<void> kept = keep_addresses(); !kept) return kept;
  const bool fits = heard->place().schema() == log().schema();
  if (!fits && std::exchange(fits_, false)) {
    log_warning("the hub that stands by has another version of Hearth, and gets nothing until both have the same",
                {{"hub", partner_->row().name}});
  }
  if (fits) fits_ = true;
  if (fits && !follows_) {
    if (Result<void> done = follow_up(heard->place()); !done) return done;
  }
  const bool alone = !follows_ || !files_in_step_;
  if (!alone && ask_.alone()) {
    const std::lock_guard lock(mutex_);
    hearing_.revoke();
  }
  set_ask(claim(alone));
  return {};
}

// So that the two find each other when both have started again.
Result<void> PairStore::keep_addresses() {
  const store::HubRow partner = partner_->row();
  std::vector<std::string> endpoints = {self_.endpoints, partner.endpoints};
  if (endpoints == kept_endpoints_) return {};
  for (const store::HubRow& hub : {self_, partner}) {
    if (Result<void> saved = log().save(place(), hub, false); !saved) return saved;
  }
  kept_endpoints_ = std::move(endpoints);
  return hand_over_changes();
}

// Sends what the copy lacks: the last commits if that is all, else the whole file.
Result<void> PairStore::follow_up(const v1::CopyPlace& copy) {
  if (partner_->is_sending()) return {};
  const bool same_line = copy.epoch() == place().epoch && copy.holder() == place().holder;
  while (!backlog_.empty() && same_line && backlog_.front().position <= copy.position()) {
    backlog_bytes_ -= backlog_.front().bytes.size();
    backlog_.pop_front();
  }
  const std::uint64_t have = backlog_.empty() ? place().position : backlog_.front().position - 1;
  if (same_line && copy.position() == have) {
    const Result<bool> passed = pass_on(backlog_.size());
    if (!passed) return std::unexpected(passed.error());
    if (!*passed) return {};
    follows_ = true;
    log_info("the hub that stands by has every record", {{"hub", partner_->row().name}});
    return {};
  }
  const fs::path file = directory_ / "pool.db.copy";
  std::error_code absent;
  fs::remove(file, absent);
  if (Result<void> copied = log().copy_to(file); !copied) {
    log_warning("the pool could not be copied", {{"error", copied.error().message}});
    return {};
  }
  backlog_.clear();
  backlog_bytes_ = 0;
  partner_->send_copy(file);
  return {};
}

// --- the one that stands by -----------------------------------------------------------------------------------------

Result<v1::Greeting> PairStore::take_commits(const v1::PassOn& commits) {
  const bool is_ours = !holding_ && commits.epoch() == place().epoch && commits.holder() == place().holder;
  for (int i = 0; is_ours && i < commits.commits_size(); ++i) {
    const v1::PassedCommit& commit = commits.commits(i);
    if (commit.position() <= place().position) continue;
    Result<void> applied = log().apply({commit.position(), commit.changes()});
    if (applied) continue;
    if (applied.error().code != Code::kAborted) return std::unexpected(applied.error());
    log_warning("a commit of the hub that holds the pool was not taken", {{"error", applied.error().message}});
    break;
  }
  tell();
  return greeting();
}

// The old file goes when the new one has its name; SQLite's log of the old one must not be taken for the new one's.
Result<v1::Greeting> PairStore::take_copy(const fs::path& file) {
  if (holding_) return fail(Code::kAborted, "this hub holds the pool itself");
  Result<std::unique_ptr<store::Journal>> copy = store::open_journal(file);
  if (!copy) return std::unexpected(copy.error());
  const store::Place theirs = (*copy)->changes().place();
  copy->reset();
  const bool is_newer =
      theirs.epoch > place().epoch || (theirs.epoch == place().epoch && theirs.holder == place().holder);
  if (!is_newer || theirs.holder == self_.identity) {
    return fail(Code::kAborted, "the copy is older than what is here");
  }
  journal_.reset();
  std::error_code error;
  for (const char* rest : {"-wal", "-shm"}) fs::remove(pool_file(directory_).string() + rest, error);
  fs::rename(file, pool_file(directory_), error);
  const int folder = ::open(directory_.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (folder >= 0) {
    if (!error && ::fsync(folder) != 0) error = std::error_code(errno, std::generic_category());
    ::close(folder);
  }
  if (Result<void> opened = reopen(); !opened) return std::unexpected(opened.error());
  if (error) return fail(Code::kInternal, fmt::format("putting the copy in its place: {}", error.message()));
  tell();
  return greeting();
}

// --- the partner and the witness ------------------------------------------------------------------------------------

Result<v1::AddStandbyReply> PairStore::add_standby(const store::HubRow& hub) {
  if (partner_ && partner_->identity() != hub.identity) {
    return fail(Code::kAlreadyExists,
                fmt::format("{} stands by for this pool already; let it go first: hearth standby remove",
                            partner_->row().name));
  }
  for (const store::HubRow& row : {self_, hub}) {
    if (Result<void> saved = log().save(place(), row, false); !saved) return std::unexpected(saved.error());
  }
  follows_ = false;
  set_partner(hub);
  log().record(true);
  tell();
  v1::AddStandbyReply reply;
  *reply.mutable_holder() = card_of(self_);
  reply.set_pool_name(place().pool_name);
  return reply;
}

Result<std::string> PairStore::remove_standby() {
  if (!partner_) return fail(Code::kNotFound, "no hub stands by for this pool");
  if (place().witness != NodeId{} && !await_noted_alone()) {
    return fail(Code::kUnavailable,
                "the witness does not answer, and might let the hub that stands by take over: have none first, by "
                "hearth standby witness --none");
  }
  store::Place alone = place();
  alone.witness = {};
  alone.witness_secret.clear();
  const store::HubRow gone = partner_->row();
  if (Result<void> saved = log().save(alone, gone, true); !saved) return std::unexpected(saved.error());
  log().record(false);
  log().take();
  backlog_.clear();
  backlog_bytes_ = 0;
  std::shared_ptr<Partner> last;
  {
    const std::lock_guard lock(mutex_);
    last = std::move(partner_);
    partner_.reset();
  }
  last.reset();
  {
    const std::lock_guard lock(mutex_);
    hearing_ = {};
  }
  set_ask({});
  tell();
  return gone.name;
}

Result<void> PairStore::set_witness(DeviceId node) {
  if (!partner_)
    return fail(Code::kFailedPrecondition, "no hub stands by for this pool, so there is nothing to witness");
  if (node != DeviceId{} && !follows_) {
    return fail(Code::kFailedPrecondition, "the hub that stands by does not have every record yet: try again then");
  }
  const store::Place before = place();
  // The one before might let the partner take over from a holder that does not ask it any more.
  const bool is_safe = before.witness == NodeId{} || await_noted_alone();
  store::Place next = before;
  next.witness = NodeId{node.value};
  next.witness_secret = node == DeviceId{} ? "" : net::random_bytes(kSecretBytes);
  if (Result<void> saved = log().save(next); !saved) return saved;
  const Result<void> told = hand_over_changes();
  if (told && !is_safe && !follows_) {  // nor does the partner know of it
    if (Result<void> back = log().save(before); !back) return back;
    return fail(Code::kUnavailable, "neither the witness nor the hub that stands by answers: try again when one does");
  }
  const std::lock_guard lock(mutex_);
  hearing_ = {};
  return told;
}

Result<v1::Greeting> PairStore::greeted(const v1::Greeting& by) {
  std::shared_ptr<Partner> partner;
  {
    const std::lock_guard lock(mutex_);
    partner = partner_;
  }
  if (!partner || partner->identity() != by.self().identity_key()) {
    return fail(Code::kPermissionDenied, "this hub has no such partner");
  }
  partner->hear(by);
  return greeting();
}

v1::Greeting PairStore::greeting() const {
  const std::lock_guard lock(mutex_);
  return greeting_;
}

std::string PairStore::witness_secret() const {
  const std::lock_guard lock(mutex_);
  return witness_secret_;
}

bool PairStore::is_surely_holder() const {
  std::shared_ptr<Partner> partner;
  {
    const std::lock_guard lock(mutex_);
    if (!partner_ || witness_secret_.empty()) return true;
    if (hearing_.says_alone(greeting_.place().epoch(), self_.identity)) return true;
    partner = partner_;
  }
  return partner->has_just_answered();
}

v1::WitnessAsk PairStore::witnessed(const v1::WitnessWord& word) {
  const std::lock_guard lock(mutex_);
  hearing_.hear({word.version(), word.epoch(), word.holder(), word.alone()});
  heard_.notify_all();
  return ask_;
}

v1::WitnessAsk PairStore::ask() const {
  const std::lock_guard lock(mutex_);
  return ask_;
}

void PairStore::give_up() {
  const std::lock_guard lock(mutex_);
  ending_ = true;
  heard_.notify_all();
}

void PairStore::on_ask(std::function<void()> handler) {
  const std::lock_guard lock(mutex_);
  on_ask_ = std::move(handler);
}

v1::WitnessAsk PairStore::claim(bool alone) const {
  v1::WitnessAsk ask;
  ask.set_claim_epoch(place().epoch);
  ask.set_alone(alone);
  ask.set_hub(self_.identity);
  const std::lock_guard lock(mutex_);
  ask.set_revoked(hearing_.revoked());
  return ask;
}

void PairStore::set_ask(const v1::WitnessAsk& ask) {
  std::function<void()> handler;
  {
    const std::lock_guard lock(mutex_);
    const bool same = ask.SerializeAsString() == ask_.SerializeAsString();
    ask_ = ask;
    if (!same) handler = on_ask_;
  }
  if (handler) handler();
}

Result<std::string> load_or_make_secret(const std::filesystem::path& directory) {
  const std::filesystem::path file = directory / "secret";
  std::ifstream stream(file, std::ios::binary);
  std::string secret((std::istreambuf_iterator<char>(stream)), std::istreambuf_iterator<char>());
  if (secret.size() == kSecretBytes) return secret;
  secret = net::random_bytes(kSecretBytes);
  const int descriptor = ::open(file.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
  const bool written =
      descriptor >= 0 && ::write(descriptor, secret.data(), secret.size()) == kSecretBytes && ::fsync(descriptor) == 0;
  const int failure = errno;
  if (descriptor >= 0) ::close(descriptor);
  if (!written) return fail_errno(failure, "writing " + file.string());
  return secret;
}

Result<void> begin_standby(const Options& options,
                           const std::function<Result<v1::HubCard>(const v1::HubCard&)>& introduce) {
  const fs::path file = pool_file(options.directory);
  if (fs::exists(file)) {
    return fail(Code::kFailedPrecondition, fmt::format("there is a pool in {} already", file.string()));
  }
  if (Result<void> free = drive::CopyFolder::check_folder(options.drive); !free) return free;
  if (Result<void> made = make_hub_directory(options); !made) return made;
  const Result<net::IdentityKey> identity = net::IdentityKey::load_or_create(options.directory / "identity.pem");
  if (!identity) return fail(identity, "the hub's identity");
  Result<std::string> secret = load_or_make_secret(options.directory);
  if (!secret) return std::unexpected(secret.error());
  const store::HubRow self{.identity = identity->public_key(), .name = options.pc_name, .secret = *secret};
  const Result<v1::HubCard> holder = introduce(card_of(self));
  if (!holder) return std::unexpected(holder.error());
  Result<std::unique_ptr<store::Journal>> journal = store::open_journal(file);
  if (!journal) return std::unexpected(journal.error());
  for (const store::HubRow& hub : {self, row_of(*holder)}) {
    const store::Place nowhere{.holder = holder->identity_key()};
    if (Result<void> saved = (*journal)->changes().save(nowhere, hub, false); !saved) return saved;
  }
  return {};
}

}  // namespace hearth::hub
