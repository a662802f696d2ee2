// Webhooks: what is known of them, the messages that wait, and what sends them.
//
// A message is made while what it tells of is decided, and goes into the same commit (see Recorder); it is sent once
// that is done. So a hub that dies in between finds it among the messages that wait, and one that dies between sending
// it and noting that it was taken sends it again, under the same id. When it is sent again, or given up, is
// core/webhook's decision.
#pragma once

#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "hub/devices.h"
#include "hub/engine.h"
#include "hub/hub.h"
#include "hub/views.h"

namespace hearth::hub {

class Webhooks : public Recorder {
 public:
  static constexpr std::size_t kMost = 1'000;
  static constexpr std::size_t kMostOfDevice = 50;
  static constexpr std::size_t kMostWaiting = 1'000;  // messages of one
  static constexpr std::size_t kMostWaitingInAll = 20'000;

  // `options` outlives it.
  Webhooks(net::Loop& loop, Engine& engine, const Devices& devices, const Views& views, const Options& options,
           std::vector<store::WebhookRow> rows, std::vector<store::DeliveryRow> waiting);

  void start();
  net::Async<void> stop();  // what is under way is left

  void job_recorded(const LiveJob& job, webhook::Kind kind, store::Batch& batch) override;
  void attempt_recorded(const LiveJob& job, const FailedAttempt& failed, store::Batch& batch) override;

  struct Hook {
    store::WebhookRow row;
    std::map<std::pair<WallTime, std::string>, store::DeliveryRow> waiting;  // by when each is to be sent, and its id
    std::size_t staged = 0;  // further messages, not known to be on disk yet
    bool is_sending = false;
    bool is_tested = false;
  };
  const Hook* find(std::uint64_t id) const;
  const std::map<std::uint64_t, Hook>& all() const { return hooks_; }
  std::size_t count_of(DeviceId device) const;
  bool can_send() const { return options_.post != nullptr; }

  // Gives it a number. `ended`: the job that it is for, if that has ended already: it is told of at once. Errors of the
  // commit.
  net::Async<Result<store::WebhookRow>> add(store::WebhookRow row, const v1::Job* ended);
  net::Async<Result<void>> remove(std::uint64_t id);

  // Sends a message that tells of nothing, once. Errors: the poster's.
  net::Async<Result<unsigned>> test(std::uint64_t id);

 private:
  using MakeBody = std::function<std::string()>;

  void stage(webhook::Kind kind, const LiveJob& job, store::Batch& batch, const MakeBody& make_body);
  static store::DeliveryRow delivery(std::uint64_t webhook, webhook::Kind kind, std::string body, WallTime now);
  net::Async<void> release();
  void put_in_line(store::DeliveryRow row);
  net::Async<void> run();
  net::Async<void> send(std::uint64_t id, store::DeliveryRow row);
  net::Async<Result<unsigned>> post(const store::WebhookRow& hook, const std::string& id, const std::string& body);
  net::Async<void> settle(Hook& hook, store::DeliveryRow row, Result<unsigned> status);
  static void note_trouble(store::WebhookRow& row, const std::string& trouble);

  net::Loop& loop_;
  Engine& engine_;
  const Devices& devices_;
  const Views& views_;
  const Options& options_;
  std::map<std::uint64_t, Hook> hooks_;
  std::uint64_t last_id_ = 0;
  std::vector<store::DeliveryRow> staged_;
  std::size_t waiting_ = 0;  // messages of all, staged ones too
  bool releasing_ = false;
  std::size_t under_way_ = 0;
  bool running_ = false;
  bool stopping_ = false;
  net::Event woken_;
  net::Event stopped_;
  std::shared_ptr<const bool> alive_ = std::make_shared<bool>(true);
};

// "v1," and the base64 of HMAC-SHA256 over "ID.TIMESTAMP.BODY": Standard Webhooks' header webhook-signature.
std::string webhook_signature(const std::string& secret, const std::string& id, const std::string& timestamp,
                              const std::string& body);

// "whsec_" and its base64.
std::string webhook_secret_text(const std::string& secret);

}  // namespace hearth::hub
