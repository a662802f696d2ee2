// Tells the agent of this PC's owner: what src/presence/ sees, what electricity costs now, and whether the owner said
// "stop everything". The loop's thread only.
//
// "Stop everything" is the file `stopped` in the node's directory, so that it works without a hub, is not forgotten by
// a crash, and can be said by the command line as well as by the hub: it is there while nothing may run.
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <optional>

#include "core/node/presence.h"
#include "net/async.h"
#include "presence/presence.h"
#include "presence/tariff.h"

namespace hearth::node {

class OwnerWatch {
 public:
  struct Events {
    std::function<void(const Surroundings&)> seen;  // several times a second
    std::function<void(bool)> stopped;              // after every look at the file, a second apart
  };

  OwnerWatch(net::Loop& loop, net::Workers& workers, const std::filesystem::path& directory, Events events);
  ~OwnerWatch();

  // Returns once the first look has been told.
  net::Async<void> start();

  net::Async<void> read_stopped();
  // Makes the file, or removes it, and tells. That the disk fails is logged; what runs is stopped all the same.
  net::Async<void> set_stopped(bool stopped);

  void set_tariff(std::optional<presence::Tariff> tariff) { tariff_ = std::move(tariff); }
  void set_minute(std::uint16_t minute_of_day) { minute_ = minute_of_day; }
  // Of electricity now, as the tariff has it; none: it says nothing.
  std::optional<std::uint64_t> price() const { return tariff_ ? tariff_->price_at(minute_) : std::nullopt; }

 private:
  void tell(const presence::Sight& sight);

  net::Loop& loop_;
  net::Workers& workers_;
  const std::filesystem::path stopped_file_;
  Events events_;
  std::optional<presence::Tariff> tariff_;
  std::uint16_t minute_ = 0;
  std::uint64_t changes_ = 0;  // by set_stopped(): a look at the file that was under way meanwhile counts for nothing
  std::unique_ptr<presence::Watcher> watcher_;
};

}  // namespace hearth::node
