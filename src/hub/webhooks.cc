#include "hub/webhooks.h"

#include <algorithm>
#include <utility>

#include <fmt/format.h>

#include "base/bytes.h"
#include "base/check.h"
#include "base/log.h"
#include "hub/events.h"
#include "net/connect_codec.h"
#include "net/crypto.h"

namespace hearth::hub {
namespace {

constexpr Duration kBetweenLooks = seconds(1);
constexpr std::size_t kMostUnderWay = 16;
constexpr std::size_t kMostTrouble = 512;

std::string base64(std::string_view bytes) {
  std::string text = to_base64url(bytes);
  std::ranges::replace(text, '-', '+');
  std::ranges::replace(text, '_', '/');
  text.append((4 - text.size() % 4) % 4, '=');
  return text;
}

// Whose jobs and webhooks count.
bool is_in(const Devices& devices, DeviceId device) {
  const store::DeviceRow* row = devices.find_active(device);
  return row != nullptr && !has_run_out(*row, wall_now());
}

std::string trouble_of(const Result<unsigned>& status) {
  return status ? fmt::format("it answered with status {}", *status) : status.error().message;
}

}  // namespace

std::string webhook_signature(const std::string& secret, const std::string& id, const std::string& timestamp,
                              const std::string& body) {
  return "v1," + base64(net::hmac_sha256(secret, fmt::format("{}.{}.{}", id, timestamp, body)));
}

std::string webhook_secret_text(const std::string& secret) { return "whsec_" + base64(secret); }

Webhooks::Webhooks(net::Loop& loop, Engine& engine, const Devices& devices, const Views& views, const Options& options,
                   std::vector<store::WebhookRow> rows, std::vector<store::DeliveryRow> waiting)
    : loop_(loop), engine_(engine), devices_(devices), views_(views), options_(options) {
  for (store::WebhookRow& row : rows) {
    last_id_ = std::max(last_id_, row.id);
    hooks_[row.id].row = std::move(row);
  }
  for (store::DeliveryRow& row : waiting) {
    if (!hooks_.contains(row.webhook)) continue;
    ++waiting_;
    put_in_line(std::move(row));
  }
}

const Webhooks::Hook* Webhooks::find(std::uint64_t id) const {
  const auto found = hooks_.find(id);
  return found == hooks_.end() ? nullptr : &found->second;
}

std::size_t Webhooks::count_of(DeviceId device) const {
  return static_cast<std::size_t>(
      std::ranges::count_if(hooks_, [&](const auto& hook) { return hook.second.row.owner == device; }));
}

void Webhooks::note_trouble(store::WebhookRow& row, const std::string& trouble) {
  row.last_failed = wall_now();
  row.last_trouble = trouble.substr(0, kMostTrouble);
  // What other systems say may be in it, and may be cut in the middle of a character.
  std::ranges::replace_if(row.last_trouble, [](char c) { return c < ' ' || c > '~'; }, '?');
}

// --- making messages ------------------------------------------------------------------------------------------------

store::DeliveryRow Webhooks::delivery(std::uint64_t webhook, webhook::Kind kind, std::string body, WallTime now) {
  return {.webhook = webhook,
          .id = "msg_" + to_hex(net::random_bytes(16)),
          .kind = static_cast<std::uint8_t>(kind),
          .body = std::move(body),
          .made = now,
          .next = now};
}

void Webhooks::stage(webhook::Kind kind, const LiveJob& job, store::Batch& batch, const MakeBody& make_body) {
  std::string body;
  const std::string name = name_of(job.spec);
  for (auto& [id, hook] : hooks_) {
    store::WebhookRow& row = hook.row;
    if (!webhook::matches({row.kinds, row.job, row.name_pattern}, kind, job.row.request.id, name)) continue;
    if (!is_in(devices_, row.owner)) continue;
    if (!devices_.visible_to(row.owner).covers(job.row.request.owner)) continue;
    if (hook.waiting.size() + hook.staged >= kMostWaiting || waiting_ >= kMostWaitingInAll) {
      ++row.given_up;
      note_trouble(row, "more messages wait than are kept");
      continue;
    }
    if (body.empty()) body = make_body();
    staged_.push_back(delivery(id, kind, body, wall_now()));
    batch.deliveries.push_back(staged_.back());
    ++hook.staged;
    ++waiting_;
  }
  if (!staged_.empty() && !std::exchange(releasing_, true)) loop_.spawn(release());
}

void Webhooks::job_recorded(const LiveJob& job, webhook::Kind kind, store::Batch& batch) {
  if (hooks_.empty()) return;
  stage(kind, job, batch, [&] {
    v1::Job view = views_.live_job(job);
    view.set_state(static_cast<v1::JobState>(job.row.state));
    const WallTime at = kind == webhook::Kind::kJobEnded     ? job.row.ended
                        : kind == webhook::Kind::kJobStarted ? job.row.started
                                                             : job.row.submitted;
    return net::stable_json(event_of(kind, at, options_.pool_name, view));
  });
}

void Webhooks::attempt_recorded(const LiveJob& job, const FailedAttempt& failed, store::Batch& batch) {
  if (hooks_.empty()) return;
  const webhook::Kind kind = failed.again ? webhook::Kind::kTaskRequeued : webhook::Kind::kTaskFailed;
  stage(kind, job, batch, [&] {
    const std::string node = failed.node == NodeId{} ? std::string() : devices_.name(failed.node);
    return net::stable_json(event_of(failed, options_.pool_name, views_.live_job(job), node));
  });
}

// What was staged may be sent once it is on the disk, for which a disk that is full may take its time.
net::Async<void> Webhooks::release() {
  const std::weak_ptr<const bool> alive = alive_;
  while (!staged_.empty()) {
    const auto count = static_cast<std::ptrdiff_t>(staged_.size());
    while (!co_await engine_.committed()) {
      co_await net::sleep_for(kBetweenLooks);
      if (alive.expired()) co_return;
    }
    if (alive.expired()) co_return;
    const std::vector<store::DeliveryRow> rows(staged_.begin(), staged_.begin() + count);
    staged_.erase(staged_.begin(), staged_.begin() + count);
    for (const store::DeliveryRow& row : rows) {
      if (const auto hook = hooks_.find(row.webhook); hook != hooks_.end()) --hook->second.staged;
      put_in_line(row);
    }
    woken_.notify();
  }
  releasing_ = false;
}

void Webhooks::put_in_line(store::DeliveryRow row) {
  const auto hook = hooks_.find(row.webhook);
  if (hook == hooks_.end()) {
    --waiting_;
    return;
  }
  const std::pair key{row.next, row.id};
  hook->second.waiting.insert_or_assign(key, std::move(row));
}

// --- on request -----------------------------------------------------------------------------------------------------

net::Async<Result<store::WebhookRow>> Webhooks::add(store::WebhookRow row, const v1::Job* ended) {
  row.id = ++last_id_;
  hooks_[row.id].row = row;
  std::vector<store::DeliveryRow> told;
  if (ended != nullptr && (row.kinds & webhook::bit(webhook::Kind::kJobEnded)) != 0) {
    const v1::Event event =
        event_of(webhook::Kind::kJobEnded, {ended->ended().unix_millis()}, options_.pool_name, *ended);
    told.push_back(delivery(row.id, webhook::Kind::kJobEnded, net::stable_json(event), wall_now()));
  }
  waiting_ += told.size();
  const Result<void> saved = co_await engine_.save_webhook(row, told);
  if (!saved) {
    hooks_.erase(row.id);
    waiting_ -= told.size();
    co_return fail(saved, "the webhook was not taken");
  }
  for (store::DeliveryRow& one : told) put_in_line(std::move(one));
  woken_.notify();
  co_return row;
}

net::Async<Result<void>> Webhooks::remove(std::uint64_t id) {
  const auto found = hooks_.find(id);
  if (found == hooks_.end()) co_return Result<void>();
  store::WebhookRow row = std::move(found->second.row);
  row.url.clear();
  // Those that may be in the same commit as its removal go as well.
  std::vector<store::DeliveryRow> gone;
  for (const store::DeliveryRow& staged : staged_) {
    if (staged.webhook == id) gone.push_back({.webhook = id, .id = staged.id, .body = {}});
  }
  waiting_ -= found->second.waiting.size();
  hooks_.erase(found);
  co_return co_await engine_.save_webhook(std::move(row), std::move(gone));
}

net::Async<Result<unsigned>> Webhooks::test(std::uint64_t id) {
  const std::weak_ptr<const bool> alive = alive_;
  Hook& hook = hooks_.at(id);
  if (std::exchange(hook.is_tested, true)) {
    co_return fail(Code::kResourceExhausted, "a test of that webhook is under way: wait for its end");
  }
  const store::WebhookRow row = hook.row;
  const v1::Event event = event_of(webhook::Kind::kTest, wall_now(), options_.pool_name);
  const store::DeliveryRow message = delivery(id, webhook::Kind::kTest, net::stable_json(event), wall_now());
  Result<unsigned> status = co_await post(row, message.id, message.body);
  if (alive.expired()) co_return fail(Code::kUnavailable, "the hub has stopped");
  if (const auto still = hooks_.find(id); still != hooks_.end()) still->second.is_tested = false;
  co_return status;
}

// --- sending --------------------------------------------------------------------------------------------------------

void Webhooks::start() {
  if (!can_send()) return;
  running_ = true;
  loop_.spawn(run());
}

net::Async<void> Webhooks::stop() {
  stopping_ = true;
  woken_.notify();
  while (running_) co_await stopped_.wait();
  alive_.reset();
}

// One message of each webhook at a time, the one first that has been due for the longest.
net::Async<void> Webhooks::run() {
  while (!stopping_) {
    std::vector<std::uint64_t> ended;  // with their devices
    for (const auto& [id, hook] : hooks_) {
      if (!is_in(devices_, hook.row.owner)) ended.push_back(id);
    }
    for (const std::uint64_t id : ended) {
      log_info("a webhook ends with its device", {{"webhook", id}});
      static_cast<void>(co_await remove(id));
    }
    const WallTime now = wall_now();
    for (auto& [id, hook] : hooks_) {
      if (hook.is_sending || hook.waiting.empty() || under_way_ >= kMostUnderWay) continue;
      const auto first = hook.waiting.begin();
      if (first->first.first > now) continue;
      hook.is_sending = true;
      ++under_way_;
      loop_.spawn(send(id, first->second));
    }
    co_await woken_.wait(kBetweenLooks);
  }
  running_ = false;
  stopped_.notify();
}

net::Async<void> Webhooks::send(std::uint64_t id, store::DeliveryRow row) {
  const std::weak_ptr<const bool> alive = alive_;
  if (const Hook* known = find(id); known != nullptr && is_in(devices_, known->row.owner)) {
    Result<unsigned> status = co_await post(known->row, row.id, row.body);
    if (alive.expired()) co_return;  // the hub has stopped meanwhile
    const auto hook = hooks_.find(id);
    if (hook != hooks_.end()) co_await settle(hook->second, std::move(row), std::move(status));
  }
  if (alive.expired()) co_return;
  --under_way_;
  if (const auto hook = hooks_.find(id); hook != hooks_.end()) hook->second.is_sending = false;
  woken_.notify();
}

net::Async<Result<unsigned>> Webhooks::post(const store::WebhookRow& hook, const std::string& id,
                                            const std::string& body) {
  Result<net::WebUrl> url = net::parse_web_url(hook.url);
  if (!url) co_return std::unexpected(url.error());
  if (!can_send()) co_return fail(Code::kFailedPrecondition, "this hub sends nothing");
  const std::string timestamp = fmt::format("{}", wall_now().unix_millis / 1'000);
  WebhookMessage message{.url = std::move(*url), .headers = {}, .body = body, .may_be_private = hook.may_be_private};
  message.headers.add("Content-Type", "application/json");
  message.headers.add("User-Agent", "hearth/" HEARTH_VERSION);
  message.headers.add("webhook-id", id);
  message.headers.add("webhook-timestamp", timestamp);
  message.headers.add("webhook-signature", webhook_signature(hook.secret, id, timestamp, body));
  co_return co_await options_.post(std::move(message));
}

net::Async<void> Webhooks::settle(Hook& hook, store::DeliveryRow row, Result<unsigned> status) {
  const std::uint64_t id = row.webhook;
  if (hook.waiting.erase({row.next, row.id}) == 0) co_return;
  const webhook::Answer answer = status ? webhook::answer_of(*status) : webhook::Answer::kFailed;
  const auto kind = static_cast<webhook::Kind>(row.kind);
  const WallTime now = wall_now();
  if (answer == webhook::Answer::kTaken) {
    ++hook.row.delivered;
    hook.row.last_delivered = now;
    row.body.clear();
  } else {
    note_trouble(hook.row, trouble_of(status));
    const auto spread = static_cast<std::uint32_t>(static_cast<unsigned char>(row.id.back())) * 16U +
                        static_cast<unsigned char>(row.id[row.id.size() / 2]);
    const auto next =
        answer == webhook::Answer::kGone ? std::nullopt : webhook::next_try(row.made, ++row.tries, spread, now);
    if (next) {
      row.next = *next;
    } else {
      ++hook.row.given_up;
      log_warning("a webhook's message is given up", {{"webhook", id}, {"error", hook.row.last_trouble}});
      row.body.clear();
    }
  }
  const bool is_over = answer == webhook::Answer::kTaken && hook.row.job != JobId{} && kind == webhook::Kind::kJobEnded;
  row.body.empty() ? static_cast<void>(--waiting_) : put_in_line(row);
  if (is_over) {
    static_cast<void>(co_await remove(id));
    co_return;
  }
  if (const Result<void> saved = co_await engine_.save_webhook(hook.row, {std::move(row)}); !saved) {
    log_warning("what became of a webhook's message could not be kept", {{"error", saved.error().message}});
  }
}

}  // namespace hearth::hub
