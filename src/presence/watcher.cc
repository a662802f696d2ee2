#include <algorithm>
#include <condition_variable>
#include <map>
#include <mutex>
#include <thread>

#include "presence/load.h"
#include "presence/logind.h"
#include "presence/power.h"
#include "presence/presence.h"
#include "presence/seat_look.h"
#include "presence/thermal.h"

namespace hearth::presence {
namespace {

// All else, which changes slowly. One thread.
class SlowLook {
 public:
  explicit SlowLook(const std::filesystem::path& root) : root_(root), load_(root) {}

  void look(Sight& sight, std::map<std::string, SourceState>& sources) {
    const Result<std::string> inhibitor = find_inhibitor(bus_);
    sight.inhibitor = inhibitor.value_or("");
    sources["inhibitors"] = state("inhibitors", inhibitor, [](const std::string& who) {
      return who.empty() ? std::string("nothing keeps the screen awake") : who + " keeps the screen awake";
    });
    const Result<bool> battery = on_battery(bus_);
    sight.on_battery = value(battery);
    sources["power"] = state("power", battery, [](bool on) { return on ? "on battery" : "on mains"; });
    const Result<bool> metered = on_metered_link(bus_);
    sight.metered = value(metered);
    sources["link"] = state("link", metered, [](bool is) { return is ? "metered" : "not metered"; });
    const Result<std::int32_t> celsius = hottest_celsius(root_);
    sight.celsius = value(celsius);
    sources["temperature"] =
        state("temperature", celsius, [](std::int32_t degrees) { return std::to_string(degrees) + " °C"; });
    const Result<double> pressure = load_.read();
    sight.pressure = value(pressure);
    sources["pressure"] = state("pressure", pressure, [](double part) {
      return "other programs wait " + std::to_string(static_cast<int>(part * 100)) + " % of the time";
    });
  }

 private:
  template <class Value>
  static std::optional<Value> value(const Result<Value>& result) {
    return result ? std::optional<Value>(*result) : std::nullopt;
  }
  template <class Value, class Words>
  static SourceState state(const std::string& name, const Result<Value>& result, Words words) {
    return {name, result.has_value(), result ? std::string(words(*result)) : result.error().message};
  }

  std::filesystem::path root_;
  Bus bus_;
  PressureMeter load_;
};

class RealWatcher final : public Watcher {
 public:
  RealWatcher(const Options& options, std::function<void(const Sight&)> on_sight)
      : options_(options), on_sight_(std::move(on_sight)), slow_(options.system_root) {
    look_slowly();
    look_at_seats();
    slow_thread_ = std::thread([this] { repeat(options_.slow_look, [this] { look_slowly(); }); });
    seat_thread_ = std::thread([this] { repeat(options_.look, [this] { look_at_seats(); }); });
  }

  ~RealWatcher() override {
    {
      const std::lock_guard lock(mutex_);
      leave_ = true;
    }
    left_.notify_all();
    seat_thread_.join();
    slow_thread_.join();
  }

  Sight sight() const override {
    const std::lock_guard lock(mutex_);
    return sight_;
  }

  std::vector<SourceState> sources() const override {
    const std::lock_guard lock(mutex_);
    std::vector<SourceState> all;
    all.reserve(sources_.size());
    for (const auto& [name, source] : sources_) all.push_back(source);
    return all;
  }

 private:
  template <class Look>
  void repeat(Duration span, Look look) {
    std::unique_lock lock(mutex_);
    while (!left_.wait_for(lock, std::chrono::microseconds(span.micros), [this] { return leave_; })) {
      lock.unlock();
      look();
      lock.lock();
    }
  }

  void look_at_seats() {
    std::map<std::string, SourceState> sources;
    const Seats seats = seat_.look(sources);
    Sight told;
    {
      const std::lock_guard lock(mutex_);
      sight_.has_seat = seats.has_seat;
      sight_.idle = seats.idle;
      for (auto& [name, source] : sources) sources_[name] = std::move(source);
      told = sight_;
    }
    on_sight_(told);
  }

  void look_slowly() {
    std::map<std::string, SourceState> sources;
    Sight seen;
    slow_.look(seen, sources);
    const std::lock_guard lock(mutex_);
    seen.has_seat = sight_.has_seat;
    seen.idle = sight_.idle;
    sight_ = std::move(seen);
    for (auto& [name, source] : sources) sources_[name] = std::move(source);
  }

  const Options options_;
  const std::function<void(const Sight&)> on_sight_;
  SeatLook seat_;
  SlowLook slow_;
  mutable std::mutex mutex_;
  std::condition_variable left_;
  bool leave_ = false;
  Sight sight_;
  std::map<std::string, SourceState> sources_;
  std::thread slow_thread_;
  std::thread seat_thread_;
};

}  // namespace

std::unique_ptr<Watcher> Watcher::start(const Options& options, std::function<void(const Sight&)> on_sight) {
  return std::make_unique<RealWatcher>(options, std::move(on_sight));
}

}  // namespace hearth::presence
