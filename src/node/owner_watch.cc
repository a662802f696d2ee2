#include "node/owner_watch.h"

#include <cerrno>
#include <fstream>

#include "base/log.h"

namespace hearth::node {
namespace {

Result<void> write_stopped(const std::filesystem::path& file, bool stopped) {
  if (!stopped) {
    std::error_code error;
    std::filesystem::remove(file, error);
    if (error) return fail_errno(error.value(), "removing " + file.string());
    return {};
  }
  std::ofstream out(file, std::ios::trunc);
  out << "hearth resume\n" << std::flush;
  if (!out) return fail_errno(errno, "writing " + file.string());
  return {};
}

}  // namespace

OwnerWatch::OwnerWatch(net::Loop& loop, net::Workers& workers, const std::filesystem::path& directory, Events events)
    : loop_(loop), workers_(workers), stopped_file_(directory / "stopped"), events_(std::move(events)) {}

OwnerWatch::~OwnerWatch() = default;

net::Async<void> OwnerWatch::start() {
  co_await workers_.run([this] {
    watcher_ = presence::Watcher::start(
        {}, [this](const presence::Sight& sight) { loop_.post([this, sight] { tell(sight); }); });
  });
  tell(watcher_->sight());
}

void OwnerWatch::tell(const presence::Sight& sight) {
  events_.seen({.has_seat = sight.has_seat,
                .idle = sight.idle,
                .inhibited = !sight.inhibitor.empty(),
                .pressure = sight.pressure,
                .on_battery = sight.on_battery,
                .metered = sight.metered,
                .celsius = sight.celsius,
                .price = price()});
}

net::Async<void> OwnerWatch::read_stopped() {
  const std::uint64_t before = changes_;
  const bool stopped = co_await workers_.run([this] {
    std::error_code error;
    return std::filesystem::exists(stopped_file_, error);
  });
  if (changes_ == before) events_.stopped(stopped);
}

net::Async<void> OwnerWatch::set_stopped(bool stopped) {
  ++changes_;
  events_.stopped(stopped);
  const Result<void> written = co_await workers_.run([this, stopped] { return write_stopped(stopped_file_, stopped); });
  ++changes_;
  if (!written) log_error("\"stop everything\" is not kept: " + written.error().message);
}

}  // namespace hearth::node
