#include "harness/api.h"

#include <google/protobuf/io/coded_stream.h>
#include <google/protobuf/io/zero_copy_stream_impl_lite.h>
#include <google/protobuf/util/delimited_message_util.h>

#include "base/bytes.h"
#include "base/check.h"
#include "base/sizes.h"
#include "blob/transfer.h"
#include "hearth/v1/devices.pb.h"

namespace hearth::e2e {
namespace {

// A test's premise: without it there is nothing to go on with.
template <class T>
T must(Result<T> result) {
  if (!result) ADD_FAILURE() << text_of(result.error());
  CHECK(result.has_value());
  return std::move(*result);
}

bool has_ended(const v1::Job& job) { return job.state() >= v1::JOB_STATE_SUCCEEDED; }

}  // namespace

Api::Api(const std::filesystem::path& directory)
    : workers_(2), key_(must(net::IdentityKey::load_or_create(directory / "identity.pem"))) {
  session_ = std::make_unique<account::Session>(loop_, workers_, must(account::load_account(directory)), key_);
}

Api::~Api() { session_->client().close(); }

std::string Api::device_name() {
  const auto reply = call<v1::ListDevicesReply>("hearth.v1.DeviceService/List", v1::ListDevicesRequest());
  for (int i = 0; reply && i < reply->devices_size(); ++i) {
    if (reply->devices(i).is_this()) return reply->devices(i).name();
  }
  ADD_FAILURE() << "the pool does not know the device";
  return "";
}

std::string Api::token(bool fresh) { return must(loop_.run_until_done(session_->token(fresh))); }

Result<std::uint64_t> Api::submit(const v1::JobSpec& spec, const std::string& request_id) {
  v1::SubmitRequest request;
  *request.mutable_spec() = spec;
  request.set_request_id(request_id.empty() ? net::random_bytes(16) : request_id);
  Result<v1::SubmitReply> reply = call<v1::SubmitReply>("hearth.v1.JobService/Submit", request);
  if (!reply) return std::unexpected(reply.error());
  return reply->job_id();
}

v1::GetJobReply Api::get(std::uint64_t job, std::uint32_t tasks) {
  v1::GetJobRequest request;
  request.set_job_id(job);
  request.set_task_limit(tasks);
  v1::GetJobReply found;
  Error last;
  // The hub may be starting again.
  const bool answered = eventually(seconds(30), [&] {
    Result<v1::GetJobReply> reply = call<v1::GetJobReply>("hearth.v1.JobService/Get", request);
    if (reply) found = std::move(*reply);
    if (!reply) last = reply.error();
    return reply || reply.error().code == Code::kNotFound;
  });
  EXPECT_TRUE(answered && found.has_job()) << "job " << job << ": " << text_of(last);
  return found;
}

v1::Job Api::wait(std::uint64_t id, milliseconds limit) {
  v1::Job found;
  const bool ended = eventually(limit, [&] {
    found = job(id);
    return has_ended(found);
  });
  EXPECT_TRUE(ended) << found.DebugString();
  return found;
}

v1::Job Api::wait_until_running(std::uint64_t id, milliseconds limit) {
  v1::Job found;
  const bool runs = eventually(limit, [&] {
    found = job(id);
    return found.has_started() && found.started().unix_millis() > 0;
  });
  EXPECT_TRUE(runs) << found.DebugString();
  return found;
}

Result<v1::CancelReply> Api::cancel(std::uint64_t job) {
  v1::CancelRequest request;
  request.set_job_id(job);
  return call<v1::CancelReply>("hearth.v1.JobService/Cancel", request);
}

unsigned Api::put_blob(const std::string& digest, const std::string& bytes) {
  net::Headers headers;
  headers.add("Authorization", "Bearer " + token(false));
  Result<net::Response> response =
      loop_.run_until_done(session_->client().request("PUT", "/blob/" + to_hex(digest), headers, bytes));
  return must(std::move(response)).status;
}

v1::Blob Api::put(const std::string& bytes) {
  const std::string bearer = token(false);
  blob::Transfer transfer(session_->client(), workers_, [bearer] { return bearer; });
  return must(loop_.run_until_done(transfer.send_bytes(bytes)));
}

Result<std::string> Api::get_blob(const std::string& digest) {
  net::Headers headers;
  headers.add("Authorization", "Bearer " + token(false));
  Result<net::Response> response =
      loop_.run_until_done(session_->client().request("GET", "/blob/" + to_hex(digest), headers, ""));
  if (!response) return std::unexpected(response.error());
  if (response->status != 200) return fail(Code::kUnknown, std::to_string(response->status) + " " + response->body);
  return response->body;
}

std::string Api::log_text(const v1::Outcome& outcome) {
  if (!outcome.has_log()) return "";
  const std::string bytes = must(get_blob(outcome.log().sha256()));
  google::protobuf::io::ArrayInputStream stream(bytes.data(), static_cast<int>(bytes.size()));
  std::string text;
  v1::LogRecord record;
  bool ended = false;
  while (google::protobuf::util::ParseDelimitedFromZeroCopyStream(&record, &stream, &ended)) {
    text += record.data();
    record.Clear();
  }
  EXPECT_TRUE(ended) << "the log is no sequence of LogRecords";
  return text;
}

void close_own_node(Pool& pool) {
  const Ended limited = pool.cli({"limit", "--cores", "0"});
  ASSERT_EQ(limited.exit_code, 0) << limited.err;
  const std::uint64_t own = must(account::load_account(pool.home() / "node")).device.value;
  Api api(pool);
  EXPECT_TRUE(eventually(seconds(30), [&] {
    const auto nodes = api.call<v1::ListNodesReply>("hearth.v1.NodeService/List", v1::ListNodesRequest());
    if (!nodes) return false;
    for (const v1::Node& node : nodes->nodes()) {
      if (node.id() == own) return node.closed() || node.offered().cores() == 0;
    }
    return false;
  }));
}

v1::JobSpec program(const std::vector<std::string>& argv) {
  v1::JobSpec spec;
  spec.mutable_argv()->Assign(argv.begin(), argv.end());
  spec.set_tasks(1);
  spec.mutable_resources()->set_cores(1);
  spec.mutable_resources()->set_memory_bytes(64 * kMiB);
  return spec;
}

v1::JobSpec shell(const std::string& script) { return program({"sh", "-c", script}); }

std::string text_of(const Error& error) { return std::string(code_name(error.code)) + ": " + error.message; }

WatchStream::WatchStream(const std::filesystem::path& directory) : thread_([this, directory] { run(directory); }) {}

WatchStream::~WatchStream() {
  leave_ = true;
  thread_.join();
}

void WatchStream::run(const std::filesystem::path& directory) {
  Api api(directory);
  const std::string token = api.token(true);
  bool done = false;
  api.loop().spawn([](Api& self, std::string bearer, WatchStream& stream, bool& over) -> net::Async<void> {
    static_cast<void>(co_await net::call_stream<v1::WatchReply>(
        self.session().client(), "hearth.v1.NodeService/Watch", bearer, v1::WatchRequest(),
        [&stream](const v1::WatchReply&) -> net::Async<Result<void>> {
          ++stream.events_;
          co_return Result<void>();
        }));
    over = true;
    stream.ended_ = true;
  }(api, token, *this, done));
  while (!done) {
    api.loop().run_until_done(net::sleep_for(hearth::milliseconds(10)));
    if (leave_) api.session().client().close();
  }
}

}  // namespace hearth::e2e
