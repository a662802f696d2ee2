// What a device is shown of its pool: home all of it, any other ring what is the device's own.
#pragma once

#include "base/ids.h"
#include "core/admission.h"

namespace hearth::hub {

class Visibility {
 public:
  // An owner's or operator's device is always home.
  constexpr Visibility(DeviceId device, Ring ring) : device_(device), ring_(ring) {}

  constexpr DeviceId device() const { return device_; }
  constexpr Ring ring() const { return ring_; }

  // Everybody's jobs, devices and blobs, and what a node says of its owner.
  constexpr bool is_whole() const { return ring_ == Ring::kHome; }

  // A job of this device's, a workspace, or the device itself. What is not covered is answered like what is not there.
  constexpr bool covers(DeviceId owner) const { return is_whole() || owner == device_; }

 private:
  DeviceId device_;
  Ring ring_;
};

}  // namespace hearth::hub
