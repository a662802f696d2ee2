#include "hub/apps.h"

#include <algorithm>

#include "base/bytes.h"
#include "hub/parts.h"
#include "hub/web_doors.h"

namespace hearth::hub {
namespace {

constexpr int kMaxApps = 200;
constexpr std::size_t kMaxNameBytes = 128;
constexpr int kMaxWords = 64;
constexpr std::size_t kMaxWordBytes = 4 << 10;
constexpr std::size_t kMaxIconBytes = 16 << 10;
constexpr std::uint32_t kMaxGpus = 16;

bool is_good(const v1::App& app) {
  std::size_t bytes = 0;
  for (const std::string& word : app.argv()) bytes += word.size();
  return !app.name().empty() && app.name().size() <= kMaxNameBytes && is_plain_utf8(app.name()) &&
         app.argv_size() > 0 && app.argv_size() <= kMaxWords && bytes <= kMaxWordBytes &&
         app.icon().size() <= kMaxIconBytes && app.web_port() <= UINT16_MAX && app.gpus() <= kMaxGpus &&
         !(app.terminal() && app.web_port() != 0);
}

v1::ListAppsReply list(const Parts& parts, const Apps& apps, const net::Caller& caller) {
  v1::ListAppsReply reply;
  const Visibility visible = parts.devices.visible_to(caller.device);
  if (!visible.is_whole()) return reply;
  for (const v1::Node& node : parts.views.nodes(visible)) {
    const v1::AppList* of_node = apps.find({node.id()});
    if (!node.connected() || of_node == nullptr || of_node->apps().empty()) continue;
    v1::ListAppsReply::OfNode& shown = *reply.add_nodes();
    shown.set_node_id(node.id());
    shown.set_node(node.name());
    *shown.mutable_apps() = of_node->apps();
  }
  std::ranges::sort(*reply.mutable_nodes(), {}, &v1::ListAppsReply::OfNode::node);
  return reply;
}

}  // namespace

Result<void> Apps::set(NodeId node, const v1::AppList& apps) {
  if (apps.apps_size() > kMaxApps || !std::ranges::all_of(apps.apps(), is_good)) {
    return fail(Code::kInvalidArgument, "apps beyond what apps.proto allows");
  }
  of_node_[node] = apps;
  return {};
}

const v1::AppList* Apps::find(NodeId node) const {
  const auto found = of_node_.find(node);
  return found == of_node_.end() ? nullptr : &found->second;
}

void add_app_methods(net::Dispatcher& dispatcher, Parts& parts, const Apps& apps, WebDoors& doors) {
  dispatcher.unary<v1::ListAppsRequest, v1::ListAppsReply>(
      "hearth.v1.AppService.List",
      [&parts, &apps](const v1::ListAppsRequest&, net::Caller& caller) -> net::Async<Result<v1::ListAppsReply>> {
        co_return list(parts, apps, caller);
      });
  dispatcher.unary<v1::OpenWebRequest, v1::OpenWebReply>(
      "hearth.v1.AppService.OpenWeb",
      [&doors](const v1::OpenWebRequest& request, net::Caller& caller) { return doors.open(request, caller); });
}

}  // namespace hearth::hub
