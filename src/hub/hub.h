// The hub's shell: the API, pairing and sessions, the nodes' WebSocket sessions, blobs over HTTPS and the page, round
// the decisions of core/pool and the records of store/. One loop thread; the store, files and hashing on workers.
//
//   Result<std::unique_ptr<Hub>> hub = Hub::start(loop, {.directory = home / "hub", .port = 7443, ...});
//   loop.run();
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "account/account.h"
#include "base/ids.h"
#include "base/result.h"
#include "base/time.h"
#include "drive/picture_reader.h"
#include "hearth/v1/drive.pb.h"
#include "net/async.h"
#include "net/http.h"
#include "net/web_url.h"

namespace hearth::hub {

// A key that this PC's owner put here by hand (the PC's own command line and node): paired without asking.
struct LocalDevice {
  std::string name;
  bool as_node = false;  // else an owner's device
  std::string key_spki;
};

// A file of the page, built into the program.
struct PageFile {
  std::string_view path;  // "/index.html"
  std::string_view content_type;
  std::string_view content;
};

// When blobs that no job needs are removed.
struct SweepOptions {
  Duration grace = minutes(24 * 60);     // a client may be between upload and submit: a blob uploaded or asked for
                                         // within this time stays
  Duration first_after = minutes(60);    // once the hub has started: for clients that it interrupted
  Duration gather = seconds(10);         // after a job was removed, for others to follow
  Duration interval = minutes(24 * 60);  // if none is removed
};

// What is sent to a webhook's receiver.
struct WebhookMessage {
  net::WebUrl url;
  net::Headers headers;
  std::string body;
  bool may_be_private = false;  // the receiver's address may be one of a private network, or this PC's own
};

struct Options {
  std::filesystem::path
      directory;      // identity.pem, secret, certificate.pem (of the last start), pool.db, blobs/, endpoint.json
  std::string store;  // the URL of a PostgreSQL database, which other hubs may share; empty: pool.db
  std::filesystem::path drive;        // the folder of the family's files, made when it is first asked for
  std::uint64_t drive_copy_rate = 0;  // bytes a second at which it is copied, if this hub stands by; 0: no limit
  drive::PictureHelpers pictures;     // start and end hearth-pictures; none: no small pictures are made
  // How the drive's backups stand, which the command line makes: blocks. None: they are not told of.
  std::function<std::optional<v1::DriveBackup>()> backup = {};
  std::string pc_name;  // what the other hubs call this one
  std::string address = "0.0.0.0";
  std::uint16_t port = 7443;  // 0: the kernel chooses, the first time
  std::string pool_name;
  std::vector<LocalDevice> local_devices;
  std::vector<PageFile> page;
  std::uint64_t max_blob_bytes = 0;  // of all blobs on the hub; 0: what the disk has
  SweepOptions sweeps;
  // POSTs it, within half a minute, and gives the answer's status; judges the address that it connects to, and follows
  // nobody elsewhere. None: this hub sends nothing.
  std::function<net::Async<Result<unsigned>>(WebhookMessage)> post;
  // Why no message of a webhook that may not send into private networks would get to this host of a URL, "a private
  // address"; empty: one may.
  std::function<std::string_view(std::string_view host)> refusal_of_host = [](std::string_view) { return ""; };
  // Called once, on the loop, if the disk failed: nothing that the hub says can be relied on any more, so it says
  // nothing. stop() it and end the process; a new one takes up what is on the disk.
  std::function<void(const Error&)> on_failure;
  // Called on the loop when what the hub says of itself below has changed.
  std::function<void()> on_change;
};

class Hub {
 public:
  // Listens when it returns. Errors: those of the store, the port and the directory.
  static Result<std::unique_ptr<Hub>> start(net::Loop& loop, const Options& options);
  virtual ~Hub() = default;

  virtual std::uint16_t port() const = 0;
  virtual const std::string& identity_key() const = 0;  // 32 bytes
  // Of one of options.local_devices; 0: the hub that holds the pool has yet to let it in.
  virtual DeviceId local_device(std::string_view key_spki) const = 0;
  virtual bool holds() const = 0;  // false: it stands by
  virtual const std::string& pool_name() const = 0;
  virtual std::vector<account::HubAddress> other_hubs() const = 0;

  // Stops taking requests, commits what is pending.
  virtual net::Async<void> stop() = 0;
};

}  // namespace hearth::hub
