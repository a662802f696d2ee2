// What a device is shown of its pool: home everything, every other ring its own alone. Tried by every method of the
// schema, so that a new one cannot be forgotten.
#include <filesystem>
#include <map>
#include <memory>

#include <gmock/gmock.h>
#include <google/protobuf/message.h>
#include <gtest/gtest.h>

#include "harness/api.h"
#include "harness/pairing.h"
#include "harness/schema.h"
#include "hearth/v1/schedules.pb.h"
#include "hearth/v1/workspaces.pb.h"

namespace hearth::e2e {
namespace {

using google::protobuf::FieldDescriptor;
using google::protobuf::Message;
using google::protobuf::MessageFactory;
using google::protobuf::MethodDescriptor;
using testing::HasSubstr;
using testing::Not;

// What is decided of each method that a device which is no owner's may call.
enum class Decision {
  kShows,   // tells of the pool: narrowed
  kActs,    // upon something that it names: another's is not there
  kItself,  // concerns the caller alone
};
const std::map<std::string, Decision> kDecisions = {
    {"/hearth.v1.AccountService/List", Decision::kShows},
    {"/hearth.v1.AppService/List", Decision::kShows},
    {"/hearth.v1.AppService/OpenWeb", Decision::kActs},
    {"/hearth.v1.AudienceService/List", Decision::kShows},
    {"/hearth.v1.AudienceService/MakeWatchLink", Decision::kActs},
    {"/hearth.v1.AudienceService/Pass", Decision::kActs},
    {"/hearth.v1.AudienceService/RevokeWatchLink", Decision::kActs},
    {"/hearth.v1.AudienceService/Share", Decision::kActs},
    {"/hearth.v1.AudienceService/Unshare", Decision::kActs},
    {"/hearth.v1.BlobService/Missing", Decision::kShows},
    {"/hearth.v1.BookingService/List", Decision::kShows},
    {"/hearth.v1.DeviceService/Leave", Decision::kItself},
    {"/hearth.v1.DeviceService/List", Decision::kShows},
    {"/hearth.v1.DriveService/Erase", Decision::kActs},
    {"/hearth.v1.DriveService/List", Decision::kShows},
    {"/hearth.v1.DriveService/ListTrash", Decision::kShows},
    {"/hearth.v1.DriveService/ListPrivate", Decision::kShows},
    {"/hearth.v1.DriveService/MakeFolder", Decision::kActs},
    {"/hearth.v1.DriveService/Move", Decision::kActs},
    {"/hearth.v1.DriveService/Remove", Decision::kActs},
    {"/hearth.v1.DriveService/Restore", Decision::kActs},
    {"/hearth.v1.DriveService/Search", Decision::kShows},
    {"/hearth.v1.DriveService/Usage", Decision::kShows},
    {"/hearth.v1.DriveService/Timeline", Decision::kShows},
    {"/hearth.v1.DriveService/ListVersions", Decision::kShows},
    {"/hearth.v1.DriveService/RestoreVersion", Decision::kActs},
    {"/hearth.v1.EnvironmentService/List", Decision::kShows},
    {"/hearth.v1.JobService/Cancel", Decision::kActs},
    {"/hearth.v1.JobService/Get", Decision::kShows},
    {"/hearth.v1.JobService/List", Decision::kShows},
    {"/hearth.v1.JobService/Logs", Decision::kShows},
    {"/hearth.v1.JobService/Remove", Decision::kActs},
    {"/hearth.v1.JobService/Submit", Decision::kActs},
    {"/hearth.v1.JobService/Why", Decision::kShows},
    {"/hearth.v1.LinkService/List", Decision::kShows},
    {"/hearth.v1.LinkService/Look", Decision::kItself},
    {"/hearth.v1.LinkService/Make", Decision::kActs},
    {"/hearth.v1.LinkService/Revoke", Decision::kActs},
    {"/hearth.v1.NodeService/List", Decision::kShows},
    {"/hearth.v1.NodeService/Status", Decision::kShows},
    {"/hearth.v1.NodeService/Watch", Decision::kShows},
    {"/hearth.v1.ScheduleService/Add", Decision::kItself},
    {"/hearth.v1.ScheduleService/List", Decision::kShows},
    {"/hearth.v1.ScheduleService/Remove", Decision::kActs},
    {"/hearth.v1.ScheduleService/RunNow", Decision::kActs},
    {"/hearth.v1.UsageService/List", Decision::kShows},
    {"/hearth.v1.WebhookService/Add", Decision::kItself},
    {"/hearth.v1.WebhookService/List", Decision::kShows},
    {"/hearth.v1.WebhookService/Remove", Decision::kActs},
    {"/hearth.v1.WebhookService/Test", Decision::kActs},
    {"/hearth.v1.WorkspaceService/List", Decision::kShows},
    {"/hearth.v1.WorkspaceService/Remove", Decision::kActs},
};

bool is_for_members(const MethodDescriptor& method) {
  return access_of(method) == v1::ACCESS_MEMBER || access_of(method) == v1::ACCESS_NODE;
}

std::unique_ptr<Message> make(const google::protobuf::Descriptor* type) {
  return std::unique_ptr<Message>(MessageFactory::generated_factory()->GetPrototype(type)->New());
}

// A request that names somebody else's job, wherever it can name anything, and asks for as much as it can.
std::unique_ptr<Message> request_about(const MethodDescriptor& method, std::uint64_t id) {
  std::unique_ptr<Message> request = make(method.input_type());
  for (int i = 0; i < method.input_type()->field_count(); ++i) {
    const FieldDescriptor* field = method.input_type()->field(i);
    const std::string name(field->name());
    if (field->is_repeated()) continue;
    if (field->cpp_type() == FieldDescriptor::CPPTYPE_UINT64 && name.ends_with("_id") && name != "before_id") {
      request->GetReflection()->SetUInt64(request.get(), field, id);
    }
    if (field->cpp_type() == FieldDescriptor::CPPTYPE_UINT32 && name.ends_with("limit")) {
      request->GetReflection()->SetUInt32(request.get(), field, 100);
    }
  }
  return request;
}

// All that the hub answers: messages as they come, a stream's up to the first, or the error.
std::string answer_to(Api& api, const MethodDescriptor& method, const Message& request) {
  const std::string path = path_of(method).substr(1);
  const std::string bearer = api.token(true);
  net::Client& client = api.session().client();
  std::string said;
  Result<void> done;
  if (method.server_streaming()) {
    done = api.loop().run_until_done(net::call_stream_erased(
        client, path, bearer, request, [&] { return make(method.output_type()); },
        [&said](const Message& message) -> net::Async<Result<void>> {
          said += message.SerializeAsString();
          co_return fail(Code::kCanceled, "enough");
        }));
  } else {
    const std::unique_ptr<Message> reply = make(method.output_type());
    done = api.loop().run_until_done(net::call_erased(client, path, bearer, request, *reply));
    said = reply->SerializeAsString();
  }
  return done ? said : said + text_of(done.error());
}

v1::JobSpec secret_job(const std::string& script) {
  v1::JobSpec spec = program({"sh", "-c", script, "secret-argument"});
  spec.set_name("secret-name");
  return spec;
}

class VisibilityTest : public PoolFixture {
 protected:
  void SetUp() override {
    PoolFixture::SetUp();
    owner_ = std::make_unique<Api>(pool());
    phone_ = std::make_unique<Api>(pair_device(pool(), "secret-phone", v1::ROLE_MEMBER));
    v1::JobSpec spec = secret_job("echo secret-log; echo result > file");
    spec.add_outputs("file");
    spec.mutable_workspace()->set_name("secret-workspace");
    ended_ = *phone_->submit(spec);
    ASSERT_EQ(phone_->wait(ended_).state(), v1::JOB_STATE_SUCCEEDED);
    outcome_ = phone_->get(ended_, 1).tasks(0).outcome();
    v1::AddScheduleRequest schedule;
    schedule.set_name("secret-schedule");
    schedule.set_cron("@yearly");
    *schedule.mutable_spec() = secret_job("true");
    ASSERT_TRUE(phone_->call<v1::AddScheduleReply>("hearth.v1.ScheduleService/Add", schedule));
    std::filesystem::create_directories(pool().home() / "drive" / "secret-folder");
    running_ = *phone_->submit(secret_job("sleep 600"));
    phone_->wait_until_running(running_);
  }
  void TearDown() override {
    phone_->cancel(running_);
    PoolFixture::TearDown();
  }

  Api pair(const std::string& name, v1::Ring ring) {
    Api device(pair_device(pool(), name, v1::ROLE_MEMBER));
    v1::SetRingRequest request;
    const auto devices = device.call<v1::ListDevicesReply>("hearth.v1.DeviceService/List", v1::ListDevicesRequest());
    for (const v1::Device& one : devices->devices()) {
      if (one.is_this()) request.set_device_id(one.id());
    }
    request.set_ring(ring);
    EXPECT_TRUE(owner_->call<v1::SetRingReply>("hearth.v1.DeviceService/SetRing", request));
    return Api(pool().directory() / ("device-" + name));
  }
  std::vector<std::string> secrets() const {
    return {"secret-name",   "secret-argument",           "secret-log",
            "secret-phone",  "secret-workspace",          "secret-schedule",
            "secret-folder", outcome_.outputs().sha256(), outcome_.log().sha256()};
  }

  std::unique_ptr<Api> owner_;
  std::unique_ptr<Api> phone_;
  std::uint64_t ended_ = 0;
  std::uint64_t running_ = 0;
  v1::Outcome outcome_;  // of ended_
};

TEST_F(VisibilityTest, EveryMethodThatAMemberMayCallHasADecision) {
  for (const MethodDescriptor* method : all_methods()) {
    EXPECT_EQ(is_for_members(*method), kDecisions.contains(path_of(*method)))
        << path_of(*method) << ": what is a device that is not of ring home shown by it?";
  }
}

TEST_F(VisibilityTest, NoMethodTellsOtherRingsOfAnothersWork) {
  std::string told;  // to the owner
  for (const auto ring : {v1::RING_FRIEND, v1::RING_MEMBER, v1::RING_STRANGER}) {
    Api device = pair("device-" + std::to_string(ring), ring);
    for (const MethodDescriptor* method : all_methods()) {
      if (!is_for_members(*method) || kDecisions.at(path_of(*method)) == Decision::kItself) continue;
      for (const std::uint64_t job : {ended_, running_}) {
        const auto request = request_about(*method, job);
        const std::string said = answer_to(device, *method, *request);
        for (const std::string& secret : secrets()) EXPECT_THAT(said, Not(HasSubstr(secret))) << path_of(*method);
        if (kDecisions.at(path_of(*method)) == Decision::kShows) told += answer_to(*owner_, *method, *request);
      }
    }
  }
  for (const std::string& secret : secrets()) EXPECT_THAT(told, HasSubstr(secret)) << "nobody is told";
  EXPECT_EQ(phone_->job(running_).running(), 1U) << "it was ended by another";
  EXPECT_EQ(phone_->job(ended_).state(), v1::JOB_STATE_SUCCEEDED);
}

TEST_F(VisibilityTest, AnothersJobIsAnsweredLikeOneThatIsNotThere) {
  constexpr std::uint64_t kNone = 777'777;
  Api device = pair("friend", v1::RING_FRIEND);
  int compared = 0;
  for (const MethodDescriptor* method : all_methods()) {
    if (!is_for_members(*method) || method->input_type()->FindFieldByName("job_id") == nullptr) continue;
    std::string expected = answer_to(device, *method, *request_about(*method, kNone));
    EXPECT_THAT(expected, HasSubstr("not_found")) << path_of(*method);
    const std::string number = std::to_string(kNone);
    for (const std::uint64_t job : {ended_, running_}) {
      std::string wanted = expected;
      wanted.replace(wanted.find(number), number.size(), std::to_string(job));
      EXPECT_EQ(answer_to(device, *method, *request_about(*method, job)), wanted) << path_of(*method);
    }
    ++compared;
  }
  EXPECT_GE(compared, 5);
  v1::JobSpec later = shell("true");
  later.add_after(ended_);
  const auto after = device.submit(later);
  ASSERT_FALSE(after) << "its outputs would be laid out for the friend's job";
  EXPECT_EQ(after.error().code, Code::kNotFound);
}

TEST_F(VisibilityTest, AnothersScheduleIsOneThatIsNotThere) {
  const auto schedules =
      phone_->call<v1::ListSchedulesReply>("hearth.v1.ScheduleService/List", v1::ListSchedulesRequest());
  ASSERT_EQ(schedules->schedules_size(), 1);
  v1::RunScheduleRequest run;
  run.set_name("secret-schedule");
  run.set_owner_id(schedules->schedules(0).owner_id());
  v1::RemoveScheduleRequest remove;
  remove.set_name(run.name());
  remove.set_owner_id(run.owner_id());
  const auto codes = [&](Api& device) {
    const auto ran = device.call<v1::RunScheduleReply>("hearth.v1.ScheduleService/RunNow", run);
    const auto removed = device.call<v1::RemoveScheduleReply>("hearth.v1.ScheduleService/Remove", remove);
    return std::pair(ran ? Code::kUnknown : ran.error().code, removed ? Code::kUnknown : removed.error().code);
  };
  Api stranger = pair("friend", v1::RING_FRIEND);
  EXPECT_EQ(codes(stranger), std::pair(Code::kNotFound, Code::kNotFound));
  Api sister = pair("sister", v1::RING_HOME);
  EXPECT_EQ(codes(sister), std::pair(Code::kPermissionDenied, Code::kPermissionDenied)) << "home sees it";
  EXPECT_EQ(phone_->call<v1::ListSchedulesReply>("hearth.v1.ScheduleService/List", v1::ListSchedulesRequest())
                ->schedules_size(),
            1);
}

TEST_F(VisibilityTest, OfOtherRingsEachIsShownItsOwn) {
  ASSERT_EQ(pool().cli({"limit", "--for", "friend", "--host-files", "yes"}).exit_code, 0);
  Api device = pair("friend", v1::RING_FRIEND);
  v1::JobSpec spec = shell("echo own-log; echo own > file");
  spec.add_outputs("file");
  const auto own = device.submit(spec);
  ASSERT_TRUE(own) << text_of(own.error());
  EXPECT_EQ(device.wait(*own).state(), v1::JOB_STATE_SUCCEEDED);
  const auto list = device.call<v1::ListJobsReply>("hearth.v1.JobService/List", v1::ListJobsRequest());
  ASSERT_TRUE(list);
  ASSERT_EQ(list->jobs_size(), 1);
  EXPECT_EQ(list->jobs(0).id(), *own);
  EXPECT_TRUE(list->own_only());
  const v1::Outcome outcome = device.get(*own, 1).tasks(0).outcome();
  EXPECT_EQ(device.log_text(outcome), "own-log\n");
  EXPECT_TRUE(device.get_blob(outcome.outputs().sha256()));
  EXPECT_TRUE(outcome.has_wiped());
  EXPECT_FALSE(device.get_blob(outcome_.outputs().sha256())) << "another's results";
  EXPECT_FALSE(device.get_blob(outcome_.log().sha256())) << "another's log";

  const auto devices = device.call<v1::ListDevicesReply>("hearth.v1.DeviceService/List", v1::ListDevicesRequest());
  ASSERT_EQ(devices->devices_size(), 1);
  EXPECT_TRUE(devices->devices(0).is_this());
  const auto nodes = device.call<v1::ListNodesReply>("hearth.v1.NodeService/List", v1::ListNodesRequest());
  ASSERT_EQ(nodes->nodes_size(), 1);
  const v1::Node& node = nodes->nodes(0);
  EXPECT_GT(node.offered().cores(), 0U);
  EXPECT_EQ(node.used().cores(), 0U) << "what the phone's job uses";
  EXPECT_EQ(node.running_tasks(), 0U);
  EXPECT_EQ(node.cpu_load(), 0.0F);
  EXPECT_EQ(node.memory_used_bytes(), 0U);
  ASSERT_EQ(node.admits_size(), 1);
  EXPECT_EQ(node.admits(0).ring(), v1::RING_FRIEND);
  const auto status = device.call<v1::StatusReply>("hearth.v1.NodeService/Status", v1::StatusRequest());
  EXPECT_EQ(status->tasks_running(), 0U);
  EXPECT_EQ(status->blob_bytes(), 0U);

  v1::RemoveRequest removal;
  removal.set_job_id(*own);
  EXPECT_TRUE(device.call<v1::RemoveReply>("hearth.v1.JobService/Remove", removal));
}

// A page that is open while others work hears nothing of it, not even that something has happened.
TEST_F(VisibilityTest, AnOpenPageHearsOfItsOwnAlone) {
  Api device = pair("friend", v1::RING_FRIEND);
  std::vector<v1::WatchReply> heard;
  std::uint64_t own = 0;
  const std::string bearer = device.token(true);
  bool over = false;
  device.loop().spawn([](Api& api, std::string token, std::vector<v1::WatchReply>& replies, std::uint64_t& awaited,
                         bool& done) -> net::Async<void> {
    static_cast<void>(co_await net::call_stream<v1::WatchReply>(
        api.session().client(), "hearth.v1.NodeService/Watch", token, v1::WatchRequest(),
        [&](const v1::WatchReply& reply) -> net::Async<Result<void>> {
          replies.push_back(reply);
          for (const v1::Job& job : reply.jobs()) {
            if (awaited != 0 && job.id() == awaited) co_return fail(Code::kCanceled, "enough");
          }
          co_return Result<void>();
        }));
    done = true;
  }(device, bearer, heard, own, over));
  const auto await = [&](const auto& condition) {
    EXPECT_TRUE(eventually(seconds(30), [&] {
      device.loop().run_until_done(net::sleep_for(hearth::milliseconds(10)));
      return condition();
    }));
  };
  await([&] { return !heard.empty(); });
  ASSERT_TRUE(phone_->cancel(running_));
  v1::RemoveRequest removal;
  removal.set_job_id(running_);
  ASSERT_TRUE(phone_->call<v1::RemoveReply>("hearth.v1.JobService/Remove", removal));
  const auto submitted = device.submit(shell("true"));
  ASSERT_TRUE(submitted) << text_of(submitted.error());
  own = *submitted;
  EXPECT_TRUE(device.cancel(own));
  await([&] { return over; });
  for (const v1::WatchReply& reply : heard) {
    for (const v1::Job& job : reply.jobs()) EXPECT_EQ(job.id(), own);
    for (const v1::Device& one : reply.devices()) EXPECT_TRUE(one.is_this());
    EXPECT_EQ(reply.removed_jobs_size(), 0);
    EXPECT_FALSE(reply.pending_changed() && !reply.snapshot());
    for (const std::string& secret : secrets()) EXPECT_THAT(reply.SerializeAsString(), Not(HasSubstr(secret)));
  }
}

TEST_F(VisibilityTest, ANodeOfAnotherRingRunsWhatItIsGivenAndFetchesNothingElse) {
  Pool& friends = add_pool("friends");
  join(pool(), friends, "their pc");
  ASSERT_EQ(pool().cli({"devices", "ring", "their pc", "friend"}).exit_code, 0);
  ASSERT_EQ(friends.cli({"limit", "--for", "home", "--host-files", "yes"}).exit_code, 0);
  friends.await_node();
  close_own_node(pool());
  v1::JobSpec spec = shell("cat input; echo theirs > file");
  v1::Tree tree;
  v1::TreeFile& file = *tree.add_files();
  file.set_path("input");
  *file.mutable_blob() = owner_->put("the input\n");
  *spec.mutable_inputs() = owner_->put(tree.SerializeAsString());
  spec.add_outputs("file");
  const auto job = owner_->submit(spec);
  ASSERT_TRUE(job) << text_of(job.error());
  // Guests of a PC that joined get what others leave of the processor.
  EXPECT_EQ(owner_->wait(*job, seconds(240)).state(), v1::JOB_STATE_SUCCEEDED);
  const v1::Task task = owner_->get(*job, 1).tasks(0);
  EXPECT_EQ(task.node(), "their pc");
  EXPECT_EQ(owner_->log_text(task.outcome()), "the input\n");
  Api node(friends.home() / "node");
  EXPECT_FALSE(node.get_blob(outcome_.outputs().sha256())) << "another's results";
  EXPECT_FALSE(node.get_blob(file.blob().sha256())) << "the lease is over";
}

}  // namespace
}  // namespace hearth::e2e
