// The apps that connected nodes have (proto/hearth/v1/apps.proto), as each last told them. Kept in
// memory alone: a node tells them anew with each session.
#pragma once

#include <map>

#include "base/ids.h"
#include "base/result.h"
#include "hearth/v1/apps.pb.h"
#include "net/connect.h"

namespace hearth::hub {

class WebDoors;
struct Parts;

class Apps {
 public:
  // Errors: kInvalidArgument (beyond the schema's limits).
  Result<void> set(NodeId node, const v1::AppList& apps);
  void forget(NodeId node) { of_node_.erase(node); }  // a new session begins
  // nullptr: it has told none.
  const v1::AppList* find(NodeId node) const;

 private:
  std::map<NodeId, v1::AppList> of_node_;
};

// AppService. All outlive the dispatcher.
void add_app_methods(net::Dispatcher& dispatcher, Parts& parts, const Apps& apps, WebDoors& doors);

}  // namespace hearth::hub
