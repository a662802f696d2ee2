// A client of a pool's API, blocking, for one thread; and streams that run on a thread of their own.
#pragma once

#include <atomic>
#include <memory>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "account/account.h"
#include "harness/pool.h"
#include "hearth/v1/jobs.pb.h"
#include "hearth/v1/nodes.pb.h"

namespace hearth::e2e {

class Api {
 public:
  // The device whose identity.pem and account.json lie in the directory: HOME/cli is the owner, HOME/node the node.
  explicit Api(const std::filesystem::path& directory);
  explicit Api(const Pool& pool) : Api(pool.home() / "cli") {}
  ~Api();

  net::Loop& loop() { return loop_; }
  net::Workers& workers() { return workers_; }
  const net::IdentityKey& key() const { return key_; }
  account::Session& session() { return *session_; }
  std::string token(bool fresh = true);
  std::string device_name();  // its own

  template <class Reply>
  Result<Reply> call(std::string_view method, const google::protobuf::Message& request) {
    return loop_.run_until_done(session_->call<Reply>(method, request));
  }

  Result<std::uint64_t> submit(const v1::JobSpec& spec, const std::string& request_id = "");
  v1::GetJobReply get(std::uint64_t job, std::uint32_t tasks = 0);
  v1::Job job(std::uint64_t id) { return get(id).job(); }
  // Once it has ended; fails the test if it does not.
  v1::Job wait(std::uint64_t id, milliseconds limit = seconds(60));
  v1::Job wait_until_running(std::uint64_t id, milliseconds limit = seconds(30));
  Result<v1::CancelReply> cancel(std::uint64_t job);

  // Sends bytes under a name; gives the HTTP status.
  unsigned put_blob(const std::string& digest, const std::string& bytes);
  // Uploads what the hub lacks, as the command line does.
  v1::Blob put(const std::string& bytes);
  Result<std::string> get_blob(const std::string& digest);
  std::string log_text(const v1::Outcome& outcome);  // stdout and stderr as they came

 private:
  net::Loop loop_;
  net::Workers workers_;
  net::IdentityKey key_;
  std::unique_ptr<account::Session> session_;
};

// Lets the pool's own PC take nothing new, so that work goes to other nodes.
void close_own_node(Pool& pool);

v1::JobSpec program(const std::vector<std::string>& argv);
v1::JobSpec shell(const std::string& script);
std::string text_of(const Error& error);

// NodeService.Watch on a thread, until it ends or the object does.
class WatchStream {
 public:
  explicit WatchStream(const std::filesystem::path& directory);
  ~WatchStream();

  bool open() const { return events_ > 0 && !ended_; }
  bool ended() const { return ended_; }
  int events() const { return events_; }

 private:
  void run(const std::filesystem::path& directory);

  std::atomic<int> events_ = 0;
  std::atomic<bool> ended_ = false;
  std::atomic<bool> leave_ = false;
  std::thread thread_;
};

}  // namespace hearth::e2e
