#include "cli/sending.h"

#include <sys/mman.h>
#include <unistd.h>

#include <fmt/format.h>

#include "base/bytes.h"
#include "cli/follow.h"
#include "cli/values.h"

namespace hearth::cli {
namespace {

// What keeps it from running though all nodes were idle; nothing if it runs, or waits for what ends.
net::Async<std::string> obstacle_of(Client& client, std::uint64_t job) {
  v1::WhyRequest request;
  request.set_job_id(job);
  const Result<v1::WhyReply> reply = co_await client.session().call<v1::WhyReply>("hearth.v1.JobService/Why", request);
  if (!reply) co_return "";
  switch (reply->cause()) {
    case v1::WhyReply::CAUSE_NO_NODE:
    case v1::WhyReply::CAUSE_TOO_LARGE:
    case v1::WhyReply::CAUSE_NODES_CLOSED:
    case v1::WhyReply::CAUSE_NOT_ADMITTED:
    case v1::WhyReply::CAUSE_NOT_MET:
    case v1::WhyReply::CAUSE_WORKSPACE_AWAY:
    case v1::WhyReply::CAUSE_QUOTA:
    case v1::WhyReply::CAUSE_BOOKED:
      co_return plain(reply->sentence());
    case v1::WhyReply::CAUSE_GANG:
      co_return reply->job_ids().empty() ? plain(reply->sentence()) : "";
    default:
      co_return "";
  }
}

}  // namespace

MemoryFile::MemoryFile(const std::string& name) : file_(::memfd_create(name.c_str(), MFD_CLOEXEC)) {}

MemoryFile::~MemoryFile() {
  if (file_ >= 0) ::close(file_);
}

Result<void> MemoryFile::write(std::string_view text) const { return write_all(file_, text); }

std::filesystem::path MemoryFile::path() const { return fmt::format("/proc/self/fd/{}", file_); }

net::Async<Result<v1::Blob>> send_inputs(Client& client, std::vector<blob::LocalFile> files, ProgressLine& progress) {
  blob::Transfer transfer(client.session().client(), client.workers(), [&] { return client.session().last_token(); });
  Pulse pulse(client.loop(), seconds(10), [&client] { return keep_fresh(client); });
  Result<v1::Blob> tree = co_await transfer.send_tree(std::move(files), [&](const blob::Progress& sent) {
    progress.show(fmt::format("sending inputs {}  {} of {}, {} of {} files",
                              progress_bar(sent.bytes_done, sent.bytes_total, 30), format_bytes(sent.bytes_done),
                              format_bytes(sent.bytes_total), sent.files_done, sent.files_total));
  });
  co_await pulse.stop();
  progress.clear();
  co_return tree;
}

net::Async<Result<std::uint64_t>> submit_job(Client& client, v1::SubmitRequest request) {
  request.set_request_id(net::random_bytes(16));
  const Result<v1::SubmitReply> reply =
      co_await call_patiently<v1::SubmitReply>(client.session(), "hearth.v1.JobService/Submit", request);
  if (!reply) co_return std::unexpected(reply.error());
  if (const std::string obstacle = co_await obstacle_of(client, reply->job_id()); !obstacle.empty()) {
    say(fmt::format("job {} waits: {}", reply->job_id(), obstacle));
  }
  co_return reply->job_id();
}

net::Async<Result<v1::Job>> fetch_job(Client& client, std::uint64_t job) {
  v1::GetJobRequest request;
  request.set_job_id(job);
  Result<v1::GetJobReply> reply =
      co_await call_patiently<v1::GetJobReply>(client.session(), "hearth.v1.JobService/Get", request);
  if (!reply) co_return std::unexpected(reply.error());
  co_return std::move(*reply->mutable_job());
}

bool has_ended(const v1::Job& job) { return job.state() >= v1::JOB_STATE_SUCCEEDED; }

}  // namespace hearth::cli
