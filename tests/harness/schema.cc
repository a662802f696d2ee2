#include "harness/schema.h"

#include <filesystem>

#include <gtest/gtest.h>

#include "hearth/v1/accounts.pb.h"
#include "hearth/v1/apps.pb.h"
#include "hearth/v1/audiences.pb.h"
#include "hearth/v1/audit.pb.h"
#include "hearth/v1/blobs.pb.h"
#include "hearth/v1/bookings.pb.h"
#include "hearth/v1/drive.pb.h"
#include "hearth/v1/environments.pb.h"
#include "hearth/v1/events.pb.h"
#include "hearth/v1/hubs.pb.h"
#include "hearth/v1/links.pb.h"
#include "hearth/v1/operator.pb.h"
#include "hearth/v1/schedules.pb.h"
#include "hearth/v1/screen.pb.h"
#include "hearth/v1/session.pb.h"
#include "hearth/v1/swarm.pb.h"
#include "hearth/v1/terminal.pb.h"
#include "hearth/v1/usage.pb.h"
#include "hearth/v1/webhooks.pb.h"
#include "hearth/v1/workspaces.pb.h"

namespace hearth::e2e {

using google::protobuf::DescriptorPool;
using google::protobuf::MethodDescriptor;

std::vector<const MethodDescriptor*> all_methods() {
  v1::Account::descriptor();
  v1::MissingRequest::descriptor();
  v1::Booking::descriptor();
  v1::NodeFrame::descriptor();
  v1::Environment::descriptor();
  v1::Schedule::descriptor();
  v1::Workspace::descriptor();
  v1::AuditLine::descriptor();
  v1::SharedApp::descriptor();
  v1::Usage::descriptor();
  v1::QueueLine::descriptor();
  v1::Webhook::descriptor();
  v1::Event::descriptor();
  v1::Swarm::descriptor();
  v1::Greeting::descriptor();
  v1::App::descriptor();
  v1::Picture::descriptor();
  v1::TerminalWatch::descriptor();
  v1::DriveEntry::descriptor();
  v1::DriveLink::descriptor();
  std::vector<const MethodDescriptor*> methods;
  for (const auto& entry : std::filesystem::directory_iterator(HEARTH_PROTO_DIRECTORY)) {
    const std::string name = "hearth/v1/" + entry.path().filename().string();
    const auto* file = DescriptorPool::generated_pool()->FindFileByName(name);
    EXPECT_NE(file, nullptr) << name << " is not linked into this test";
    for (int s = 0; file != nullptr && s < file->service_count(); ++s) {
      for (int m = 0; m < file->service(s)->method_count(); ++m) methods.push_back(file->service(s)->method(m));
    }
  }
  EXPECT_GE(methods.size(), 20U);
  return methods;
}

v1::Access access_of(const MethodDescriptor& method) { return method.options().GetExtension(v1::access); }

std::string path_of(const MethodDescriptor& method) {
  return "/" + std::string(method.service()->full_name()) + "/" + std::string(method.name());
}

}  // namespace hearth::e2e
