// What the hub tells webhooks of, as hearth.v1.Event.
#pragma once

#include <string>

#include "core/webhook/webhook.h"
#include "hearth/v1/events.pb.h"
#include "hearth/v1/jobs.pb.h"
#include "hub/engine.h"

namespace hearth::hub {

// What a job is called: its program where it has no name.
std::string name_of(const v1::JobSpec& spec);

v1::Event event_of(webhook::Kind kind, WallTime at, const std::string& pool);
// Also of its first failure, if it has ended.
v1::Event event_of(webhook::Kind kind, WallTime at, const std::string& pool, const v1::Job& job);
v1::Event event_of(const FailedAttempt& failed, const std::string& pool, const v1::Job& job, const std::string& node);

}  // namespace hearth::hub
