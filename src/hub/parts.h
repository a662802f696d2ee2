// What the API's handlers work with. Owned by the hub (hub.cc), which outlives every handler.
#pragma once

#include "blob/blob_store.h"
#include "drive/copy_source.h"
#include "drive/listing.h"
#include "drive/photos.h"
#include "drive/survey.h"
#include "drive/sync_server.h"
#include "drive/thumbnails.h"
#include "drive/tus.h"
#include "drive/webdav.h"
#include "hub/accounts.h"
#include "hub/audit_log.h"
#include "hub/blob_access.h"
#include "hub/circle.h"
#include "hub/devices.h"
#include "hub/engine.h"
#include "hub/environments.h"
#include "hub/hub.h"
#include "hub/invitations.h"
#include "hub/log_relay.h"
#include "hub/metrics.h"
#include "hub/pair_store.h"
#include "hub/rate_limiter.h"
#include "hub/replicas.h"
#include "hub/schedules.h"
#include "hub/sessions.h"
#include "hub/share_history.h"
#include "hub/swarms.h"
#include "hub/views.h"
#include "hub/watchers.h"
#include "hub/webhooks.h"
#include "net/connect.h"
#include "net/crypto.h"

namespace hearth::hub {

class Audiences;
class DriveResults;

struct Parts {
  net::Loop& loop;
  net::Workers& workers;
  const Options& options;
  const net::IdentityKey& identity;
  Engine& engine;
  Devices& devices;
  Accounts& accounts;
  Environments& environments;
  Schedules& schedules;
  Webhooks& webhooks;
  Sessions& sessions;
  Invitations& invitations;
  Views& views;
  Watchers& watchers;
  LogRelay& logs;
  blob::BlobStore& blobs;
  BlobAccess& access;
  AuditLog& audit;
  ShareHistory& shares;
  drive::Drive& drive;
  net::Event& pairing_answered;
  Time started;
  std::uint16_t port = 0;
  Audiences* audiences = nullptr;
  Circle* circle = nullptr;  // these once it listens
  Replicas* replicas = nullptr;
  Swarms* swarms = nullptr;
  Metrics* metrics = nullptr;
  DriveResults* results = nullptr;
  PairStore* pair = nullptr;  // none: the pool lies in a database
  drive::CopySource* copies = nullptr;
};

// One function per service of the schema.
void add_pairing_methods(net::Dispatcher& dispatcher, Parts& parts);
void add_device_methods(net::Dispatcher& dispatcher, Parts& parts);
void add_job_methods(net::Dispatcher& dispatcher, Parts& parts);
void add_node_methods(net::Dispatcher& dispatcher, Parts& parts);
void add_blob_methods(net::Dispatcher& dispatcher, Parts& parts);
void add_environment_methods(net::Dispatcher& dispatcher, Parts& parts);
void add_workspace_methods(net::Dispatcher& dispatcher, Parts& parts);
void add_account_methods(net::Dispatcher& dispatcher, Parts& parts);
void add_booking_methods(net::Dispatcher& dispatcher, Parts& parts);
void add_schedule_methods(net::Dispatcher& dispatcher, Parts& parts);
void add_webhook_methods(net::Dispatcher& dispatcher, Parts& parts);
void add_audit_methods(net::Dispatcher& dispatcher, Parts& parts);
void add_usage_methods(net::Dispatcher& dispatcher, Parts& parts);
void add_operator_methods(net::Dispatcher& dispatcher, Parts& parts);
void add_hub_methods(net::Dispatcher& dispatcher, Parts& parts);
void add_drive_methods(net::Dispatcher& dispatcher, Parts& parts, drive::Listings& listings, drive::Survey& survey);
void add_private_folder_methods(net::Dispatcher& dispatcher, Parts& parts);
void add_audience_methods(net::Dispatcher& dispatcher, Parts& parts);
void add_photo_methods(net::Dispatcher& dispatcher, Parts& parts, drive::Photos& photos);

// PUT, GET and HEAD of /blob/<hex>. The caller has at least a node's level.
net::Async<void> serve_blob(net::Exchange& exchange, Parts& parts, const net::Caller& caller);

// The page's files.
net::Async<void> serve_page(net::Exchange& exchange, const std::vector<PageFile>& page);

// The drive, for devices of ring home; a program may send a token as its password (Basic).
net::Async<void> serve_drive(net::Exchange& exchange, Parts& parts, drive::WebDav& webdav);
net::Async<void> serve_drive(net::Exchange& exchange, Parts& parts, drive::Tus& tus);
net::Async<void> serve_drive(net::Exchange& exchange, Parts& parts, drive::Thumbnails& thumbnails);
net::Async<void> serve_drive(net::Exchange& exchange, Parts& parts, drive::SyncServer& sync);

// Cookie or bearer token to Caller.
Result<net::Caller> authorize(Parts& parts, const net::RequestHead& head, const std::string& address);

// The caller that a device is now, without a session's part. Errors: kUnauthenticated, it is not in any more.
Result<net::Caller> standing_of(const Parts& parts, DeviceId id, const std::string& address);

// The same as authorize() for what can only send one line with each request, as monitoring systems and file managers
// do: its bearer, or its password under any name (Basic), may be a whole token.
Result<net::Caller> authorize_machine(Parts& parts, const net::RequestHead& head, const std::string& address);

}  // namespace hearth::hub
