// Between the schema's messages and the core's values.
#pragma once

#include <optional>

#include "base/ids.h"
#include "base/time.h"
#include "core/admission.h"
#include "core/pool/attributes.h"
#include "hearth/v1/session.pb.h"

namespace hearth::hub {

v1::Moment moment(WallTime time);
v1::Resources to_proto(const Resources& resources);
Resources from_proto(const v1::Resources& resources);
// Nothing for one that is unspecified or unknown.
std::optional<Ring> from_proto(v1::Ring ring);
Admission from_proto(const google::protobuf::RepeatedPtrField<v1::Admission>& admissions);
// What a node says of itself, and what it is called. What is unknown, of another kind or too much is left out.
pool::Attributes attributes_of(const google::protobuf::RepeatedPtrField<v1::Attribute>& told, const std::string& name);
v1::AttemptId to_proto(const AttemptId& attempt);
AttemptId from_proto(const v1::AttemptId& attempt);

}  // namespace hearth::hub
