// The schema by reflection, so that a test finds a new method by itself.
#pragma once

#include <string>
#include <vector>

#include <google/protobuf/descriptor.h>

#include "hearth/v1/access.pb.h"

namespace hearth::e2e {

// Every method of every file of proto/hearth/v1, whether or not a test has heard of it.
std::vector<const google::protobuf::MethodDescriptor*> all_methods();

v1::Access access_of(const google::protobuf::MethodDescriptor& method);
std::string path_of(const google::protobuf::MethodDescriptor& method);  // "/hearth.v1.JobService/Get"

}  // namespace hearth::e2e
