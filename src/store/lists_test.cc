// What every implementation of Store promises of what it keeps beside jobs and tasks. See conformance_test.cc.
#include <tuple>

#include "store/backends.h"

namespace hearth::store {
namespace {

TEST_P(StoreConformance, KeepsReplacesAndRemovesAccounts) {
  Batch batch;
  batch.accounts = {{{1ULL << 62U}, "firm", 300, {8, 1ULL << 40U, 2}}, {{5}, "school", 100, {}}};
  batch.accounts[0].is_firm = true;
  batch.accounts[1].firm = batch.accounts[0].id;
  ASSERT_TRUE(store_->commit(batch));
  open();
  std::vector<AccountRow> kept = *store_->load_accounts();
  ASSERT_EQ(kept.size(), 2U);
  EXPECT_EQ(kept[0].name, "school");
  EXPECT_EQ(kept[1].id, AccountId{1ULL << 62U});
  EXPECT_EQ(kept[1].weight, 300U);
  EXPECT_TRUE(kept[1].is_firm);
  EXPECT_EQ(kept[0].firm, kept[1].id);
  EXPECT_FALSE(kept[0].is_firm);
  EXPECT_EQ(kept[1].most, (Resources{8, 1ULL << 40U, 2}));
  kept[0].weight = 7;
  kept[1].removed = true;
  batch.accounts = kept;
  ASSERT_TRUE(store_->commit(batch));
  kept = *store_->load_accounts();
  ASSERT_EQ(kept.size(), 1U);
  EXPECT_EQ(kept[0].weight, 7U);
}

TEST_P(StoreConformance, KeepsReplacesAndRemovesDuties) {
  Batch batch;
  batch.duties = {
      {{7}, pool::Duty::kCordoned, {}}, {{8}, pool::Duty::kDraining, {60}}, {{9}, pool::Duty::kCordoned, {}}};
  EXPECT_FALSE(batch.empty());
  ASSERT_TRUE(store_->commit(batch));
  open();
  batch.duties = {{{7}, pool::Duty::kServing, {}},
                  {{7}, pool::Duty::kDraining, {5}},
                  {{9}, pool::Duty::kDraining, {6}},
                  {{9}, pool::Duty::kServing, {}}};
  ASSERT_TRUE(store_->commit(batch));
  const std::vector<DutyRow> duties = *store_->load_duties();
  ASSERT_EQ(duties.size(), 2U);
  EXPECT_EQ(std::tie(duties[0].node, duties[0].duty, duties[0].grace_ends),
            std::make_tuple(NodeId{7}, pool::Duty::kDraining, WallTime{5}));
  EXPECT_EQ(duties[1].grace_ends, WallTime{60});
}

TEST_P(StoreConformance, KeepsReplacesAndRemovesBookings) {
  const BookingRow booking{.id = {3},
                           .account = {1ULL << 62U},
                           .nodes = 2,
                           .where = "os == 'debian'",
                           .from = {1LL << 42U},
                           .until = {(1LL << 42U) + 7},
                           .notice_millis = 600'000,
                           .made_by = {5}};
  Batch batch;
  batch.bookings = {booking, {.id = {4}, .account = {1}, .nodes = 1}};
  EXPECT_FALSE(batch.empty());
  ASSERT_TRUE(store_->commit(batch));
  open();
  batch.bookings = {{.id = {4}}};
  ASSERT_TRUE(store_->commit(batch));
  const std::vector<BookingRow> kept = *store_->load_bookings();
  ASSERT_EQ(kept.size(), 1U);
  const auto values = [](const BookingRow& row) {
    return std::tuple(row.id, row.account, row.nodes, row.where, row.from, row.until, row.notice_millis, row.made_by);
  };
  EXPECT_EQ(values(kept[0]), values(booking));
}

TEST_P(StoreConformance, KeepsReplacesAndRemovesAudiences) {
  const AccountId mia{(std::uint64_t{1} << 62U) + 1};
  Batch batch;
  batch.audiences = {{{7}, mia, true, true}, {{7}, {3}, false, false}, {{8}, mia, false, false}};
  EXPECT_FALSE(batch.empty());
  ASSERT_TRUE(store_->commit(batch));
  open();
  batch.audiences = {{{7}, mia, true, false}, {{7}, {3}, false, false, true}, {{9}, {3}, false, false, true}};
  ASSERT_TRUE(store_->commit(batch));
  const std::vector<AudienceRow> kept = *store_->load_audiences();
  ASSERT_EQ(kept.size(), 2U);
  EXPECT_EQ(std::tie(kept[0].job, kept[0].person, kept[0].may_control, kept[0].controls),
            std::make_tuple(JobId{7}, mia, true, false));
  EXPECT_EQ(std::tie(kept[1].job, kept[1].person, kept[1].may_control, kept[1].controls),
            std::make_tuple(JobId{8}, mia, false, false));
}

TEST_P(StoreConformance, KeepsReplacesAndRemovesWatchLinks) {
  const WatchLinkRow television{.job = {7},
                                .number = 2,
                                .secret_hash = std::string("a\0b", 3),
                                .label = "télé",
                                .maker = {4},
                                .made = {5},
                                .expires = {1LL << 42U},
                                .most_players = 6};
  WatchLinkRow other = television;
  other.number = 1;
  other.label = "";
  Batch batch;
  batch.watch_links = {television, other};
  EXPECT_FALSE(batch.empty());
  ASSERT_TRUE(store_->commit(batch));
  open();
  other.most_players = 0;
  batch.watch_links = {other};
  ASSERT_TRUE(store_->commit(batch));
  const std::vector<WatchLinkRow> kept = *store_->load_watch_links();
  ASSERT_EQ(kept.size(), 1U);
  const auto values = [](const WatchLinkRow& row) {
    return std::tuple(row.job, row.number, row.secret_hash, row.label, row.maker, row.made, row.expires,
                      row.most_players);
  };
  EXPECT_EQ(values(kept[0]), values(television));
}

TEST_P(StoreConformance, KeepsReplacesAndRemovesSchedules) {
  const ScheduleRow anns{.owner = {3},
                         .name = "backup",
                         .cron = "0 3 * * *",
                         .spec = std::string("a\0b", 3),
                         .overlap = 2,
                         .made = {5},
                         .next = {1LL << 42U},
                         .last_due = {7},
                         .last_job = {8},
                         .last_trouble = "it was skipped"};
  ScheduleRow bobs = anns;
  bobs.owner = {4};
  Batch batch;
  batch.schedules = {bobs, anns};
  commit(batch);
  open();
  ASSERT_EQ(store_->load_schedules()->size(), 2U);
  const ScheduleRow kept = store_->load_schedules()->front();
  EXPECT_EQ(std::tie(kept.owner, kept.name, kept.cron, kept.spec, kept.overlap, kept.made, kept.next, kept.last_due,
                     kept.last_job, kept.last_trouble),
            std::tie(anns.owner, anns.name, anns.cron, anns.spec, anns.overlap, anns.made, anns.next, anns.last_due,
                     anns.last_job, anns.last_trouble));
  ScheduleRow gone = anns;
  gone.cron.clear();
  bobs.next = {9};
  batch.schedules = {gone, bobs};
  commit(batch);
  ASSERT_EQ(store_->load_schedules()->size(), 1U);
  EXPECT_EQ(store_->load_schedules()->front().next, WallTime{9});
  batch.schedules[1].spec = std::string((1 << 20) + 1, 'x');
  const Result<void> refused = store_->commit(batch);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, Code::kInvalidArgument);
}

TEST_P(StoreConformance, KeepsWebhooksAndTheirMessagesUntilTheyAreRemoved) {
  const WebhookRow anns{.id = 7,
                        .owner = {3},
                        .url = "https://a.example/hook",
                        .secret = std::string("s\0t", 3),
                        .kinds = 5,
                        .job = {1ULL << 40U},
                        .name_pattern = "night-*",
                        .may_be_private = true,
                        .made = {1LL << 42U},
                        .delivered = 8,
                        .given_up = 9,
                        .last_delivered = {10},
                        .last_failed = {11},
                        .last_trouble = "status 500"};
  WebhookRow bobs = anns;
  bobs.id = 8;
  const DeliveryRow first{
      .webhook = 7, .id = "msg_b", .kind = 3, .body = std::string("{\0}", 3), .made = {5}, .next = {6}, .tries = 2};
  DeliveryRow second = first;
  second.id = "msg_a";
  DeliveryRow others = second;
  others.id = "msg_c";
  others.webhook = 8;
  others.made = {4};
  Batch batch;
  batch.webhooks = {bobs, anns};
  batch.deliveries = {first, second, others};
  EXPECT_FALSE(batch.empty());
  commit(batch);
  open();
  const auto webhooks = *store_->load_webhooks();
  ASSERT_EQ(webhooks.size(), 2U);
  const WebhookRow& kept = webhooks[0];
  EXPECT_EQ(std::tie(kept.id, kept.owner, kept.url, kept.secret, kept.kinds, kept.job, kept.name_pattern,
                     kept.may_be_private, kept.made),
            std::tie(anns.id, anns.owner, anns.url, anns.secret, anns.kinds, anns.job, anns.name_pattern,
                     anns.may_be_private, anns.made));
  EXPECT_EQ(std::tie(kept.delivered, kept.given_up, kept.last_delivered, kept.last_failed, kept.last_trouble),
            std::tie(anns.delivered, anns.given_up, anns.last_delivered, anns.last_failed, anns.last_trouble));
  const auto deliveries = *store_->load_deliveries();
  ASSERT_EQ(deliveries.size(), 3U);
  EXPECT_EQ(deliveries[0].id, "msg_c") << "the oldest first";
  const DeliveryRow& waiting = deliveries[2];
  EXPECT_EQ(
      std::tie(waiting.webhook, waiting.id, waiting.kind, waiting.body, waiting.made, waiting.next, waiting.tries),
      std::tie(first.webhook, first.id, first.kind, first.body, first.made, first.next, first.tries));
  second.body.clear();
  others.tries = 3;
  bobs.url.clear();
  batch.webhooks.clear();
  batch.deliveries = {second, others};
  commit(batch);
  EXPECT_EQ(store_->load_deliveries()->front().tries, 3U);
  EXPECT_EQ(store_->load_deliveries()->size(), 2U);
  batch.webhooks = {bobs};
  batch.deliveries.clear();
  commit(batch);
  ASSERT_EQ(store_->load_deliveries()->size(), 1U) << "a webhook takes its messages with it";
  EXPECT_EQ(store_->load_deliveries()->front().webhook, 7U);
  EXPECT_EQ(store_->load_webhooks()->size(), 1U);
}

TEST_P(StoreConformance, KeepsReplacesAndRemovesEnvironmentsInTheOrderGiven) {
  const EnvironmentRow python{"python", std::string(32, '\0'), 1ULL << 33U, "made of packages", {7}};
  const EnvironmentRow newer{"python", std::string(32, 'n'), 5, "", {8}};
  Batch batch;
  batch.environments = {python, {"base", std::string(32, 'b'), 1, "b", {9}}};
  commit(batch);
  open();
  ASSERT_EQ(store_->load_environments()->size(), 2U);
  const EnvironmentRow kept = store_->load_environments()->at(1);
  EXPECT_EQ(std::tie(kept.name, kept.sha256, kept.size, kept.description, kept.made),
            std::tie(python.name, python.sha256, python.size, python.description, python.made));
  batch.environments = {{"base", "", 0, "", {}}, {"python", "", 0, "", {}}, newer};
  commit(batch);
  ASSERT_EQ(store_->load_environments()->size(), 1U);
  EXPECT_EQ(store_->load_environments()->front().sha256, newer.sha256);
}

TEST_P(StoreConformance, UsageAddsUpByOwnerAndDay) {
  const UsageRow one{{3}, 7, 1, 1, 2, 1'000, 10, std::int64_t{1} << 40U, 5, 6};
  UsageRow others = one;
  others.owner = {4};
  Batch batch;
  batch.usage = {one, others};
  EXPECT_FALSE(batch.empty());
  commit(batch);
  others.day = 8;
  batch.usage = {one, others};
  commit(batch);
  open();
  const auto all = *store_->load_usage({}, 0, 100, 10);
  ASSERT_EQ(all.size(), 3U);
  EXPECT_EQ(std::tie(all[0].owner, all[0].day, all[0].tasks, all[0].failed_tasks, all[0].attempts),
            std::make_tuple(DeviceId{3}, 7, 2, 2, 4));
  EXPECT_EQ(std::tie(all[0].core_millis, all[0].gpu_millis, all[0].memory_mib_seconds, all[0].net_bytes),
            std::make_tuple(2'000, 20, std::int64_t{2} << 40U, 10));
  EXPECT_EQ(all[0].result_bytes, 12);
  EXPECT_EQ(all[1].owner, DeviceId{4});
  EXPECT_EQ(all[2].day, 8);
  EXPECT_EQ(store_->load_usage(DeviceId{4}, 8, 8, 10)->size(), 1U);
  EXPECT_EQ(store_->load_usage(DeviceId{4}, 0, 100, 10)->size(), 2U);
  EXPECT_EQ(store_->load_usage({}, 0, 100, 2)->size(), 2U);
  EXPECT_TRUE(store_->load_usage({}, 9, 100, 2)->empty());
}

TEST_P(StoreConformance, UsageIsCountedByAccountAndFirmToo) {
  UsageRow row{.owner = {3}, .day = 7, .tasks = 1, .energy_millijoules = 5, .unmetered_core_millis = 2};
  row.account = "physics";
  row.firm = "acme";
  UsageRow elsewhere = row;
  elsewhere.firm = "bolt";
  Batch batch;
  batch.usage = {elsewhere, row, row};
  commit(batch);
  open();
  const auto all = *store_->load_usage({}, 0, 100, 10);
  ASSERT_EQ(all.size(), 2U);
  EXPECT_EQ(std::tie(all[0].account, all[0].firm, all[0].tasks), std::make_tuple("physics", "acme", 2));
  EXPECT_EQ(std::tie(all[0].energy_millijoules, all[0].unmetered_core_millis), std::make_tuple(10, 4));
  EXPECT_EQ(std::tie(all[1].firm, all[1].tasks), std::make_tuple("bolt", 1));
}

AuditRow audit_row(std::uint64_t number) {
  return {number, {1'000 * static_cast<std::int64_t>(number)}, std::string(32, '\0'), std::string("did\0it", 6)};
}

TEST_P(StoreConformance, TheAuditLogGrowsByWholeBatchesAndIsReadByNumberAndTime) {
  EXPECT_EQ(store_->last_audit()->number, 0U);
  Batch batch;
  batch.audit = {audit_row(1), audit_row(2)};
  batch.devices = {device_row(1, "pc")};
  EXPECT_FALSE(batch.empty());
  commit(batch);
  open();
  batch.audit = {audit_row(3)};
  commit(batch);
  EXPECT_EQ(store_->last_audit()->number, 3U);
  const auto all = *store_->load_audit(0, {}, 10);
  ASSERT_EQ(all.size(), 3U);
  EXPECT_EQ(std::tie(all[1].number, all[1].at, all[1].hash, all[1].statement),
            std::make_tuple(2U, WallTime{2'000}, std::string(32, '\0'), std::string("did\0it", 6)));
  EXPECT_EQ(store_->load_audit(1, {}, 1)->front().number, 2U);
  EXPECT_EQ(store_->load_audit(0, {2'001}, 10)->front().number, 3U);
  EXPECT_TRUE(store_->load_audit(~std::uint64_t{0}, {}, 10)->empty());
  batch.audit = {audit_row(2)};  // a line is written once
  batch.devices = {device_row(2, "laptop")};
  EXPECT_FALSE(store_->commit(batch));
  EXPECT_EQ(store_->load_devices()->size(), 1U);
}

}  // namespace
}  // namespace hearth::store
