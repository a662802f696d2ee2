#include "account/ways.h"

#include <algorithm>
#include <utility>

namespace hearth::account {
namespace {

constexpr unsigned kStandsBy = 503;
constexpr Duration kPatience = seconds(2);  // before a hub that owes an answer is asked whether it is there

bool is_silence(const Error& error) {
  return error.code == Code::kUnavailable || error.code == Code::kDeadlineExceeded;
}

}  // namespace

struct Ways::Way {
  HubAddress hub;
  std::unique_ptr<net::Client> client;
  std::unique_ptr<net::Client> brief;
  std::vector<std::unique_ptr<net::Client>> given_up;  // what was asked of them may not have ended yet
  std::size_t owed = 0;                                // answers
  bool watched = false;
  bool silent = false;  // it was the last time
  bool left = false;    // nobody wants anything of it any more
};

// An answer that a hub owes, for as long as that is so.
class Ways::Owed {
 public:
  explicit Owed(Ways& ways) : way_(ways.ways_[ways.chosen_]), client_(&ways.chosen_client()) {
    ++way_->owed;
    if (ways.count() == 1 || way_->watched) return;
    way_->watched = true;
    ways.loop_.spawn(watch(way_, ways.dial_));
  }
  Owed(const Owed&) = delete;
  Owed& operator=(const Owed&) = delete;
  ~Owed() {
    if (--way_->owed == 0) way_->given_up.clear();
  }

  net::Client& client() const { return *client_; }
  // What failed because the hub was given up says so.
  template <class T>
  Result<T> meaning(Result<T> result) const {
    const bool given_up = !result && result.error().code == Code::kCanceled && way_->client.get() != client_;
    if (!given_up) return result;
    return fail(Code::kUnavailable, "the hub at " + way_->hub.endpoint.text() + " says nothing any more");
  }

 private:
  std::shared_ptr<Way> way_;
  net::Client* client_;
};

net::Async<void> Ways::watch(std::shared_ptr<Way> way, Dial dial) {
  for (;;) {
    co_await net::sleep_for(kPatience);
    if (way->owed == 0 || way->left) break;
    if (!way->brief) way->brief = dial(way->hub, true);
    const Result<net::Response> answer = co_await way->brief->request("GET", "/alive", {}, "");
    if (way->left) break;
    if (answer || !is_silence(answer.error())) continue;
    way->silent = true;
    way->given_up.push_back(std::move(way->client));
    way->given_up.back()->close();
    break;
  }
  way->watched = false;
}

// Each call is the chosen hub's to its end, even if another is chosen meanwhile.
class Ways::Chosen final : public net::Client {
 public:
  explicit Chosen(Ways& ways) : ways_(ways) {}

  net::Async<Result<net::Response>> request(std::string method, std::string target, net::Headers headers,
                                            std::string body, std::size_t max_reply_bytes) override {
    const Owed owed(ways_);
    co_return note(owed.meaning(co_await owed.client().request(std::move(method), std::move(target), std::move(headers),
                                                               std::move(body), max_reply_bytes)));
  }
  net::Async<Result<net::Response>> send_file(std::string target, net::Headers headers, int file,
                                              std::uint64_t size) override {
    const Owed owed(ways_);
    co_return note(owed.meaning(co_await owed.client().send_file(std::move(target), std::move(headers), file, size)));
  }
  net::Async<Result<net::Response>> fetch(std::string target, net::Headers headers,
                                          std::function<net::Async<Result<void>>(std::string_view)> sink) override {
    const Owed owed(ways_);
    co_return note(owed.meaning(co_await owed.client().fetch(std::move(target), std::move(headers), std::move(sink))));
  }
  net::Async<Result<net::Response>> stream(std::string method, std::string target, net::Headers headers,
                                           std::string body,
                                           std::function<net::Async<Result<void>>(std::string_view)> sink) override {
    const Owed owed(ways_);
    co_return note(owed.meaning(co_await owed.client().stream(std::move(method), std::move(target), std::move(headers),
                                                              std::move(body), std::move(sink))));
  }
  net::Async<Result<std::unique_ptr<net::WebSocket>>> websocket(std::string target, net::Headers headers,
                                                                std::string_view protocol,
                                                                std::size_t max_message_bytes) override {
    const Owed owed(ways_);
    auto socket = owed.meaning(
        co_await owed.client().websocket(std::move(target), std::move(headers), protocol, max_message_bytes));
    if (!socket) ways_.doubted_ = true;
    co_return socket;
  }
  std::string server_identity() const override { return ways_.chosen_client().server_identity(); }
  std::string local_address() const override { return ways_.chosen_client().local_address(); }
  void close() override {
    for (const auto* ways : {&ways_.ways_, &ways_.former_}) {
      for (const std::shared_ptr<Way>& way : *ways) {
        if (way->client) way->client->close();
      }
    }
  }

 private:
  Result<net::Response> note(Result<net::Response> response) const {
    if (response ? response->status == kStandsBy : is_silence(response.error())) ways_.doubted_ = true;
    return response;
  }

  Ways& ways_;
};

Ways::Ways(net::Loop& loop, Dial dial, HubAddress first, const std::vector<HubAddress>& others)
    : loop_(loop), dial_(std::move(dial)), client_(std::make_unique<Chosen>(*this)) {
  ways_.push_back(std::make_shared<Way>());
  ways_.front()->hub = std::move(first);
  set_others(others);
}

Ways::~Ways() {
  for (const auto* ways : {&ways_, &former_}) {
    for (const std::shared_ptr<Way>& way : *ways) {
      way->left = true;
      way->client.reset();
      way->brief.reset();
    }
  }
}

net::Client& Ways::chosen_client() const {
  if (!way().client) way().client = dial_(way().hub, false);
  return *way().client;
}

net::Client& Ways::brief_client() {
  if (count() == 1) return *client_;
  if (!way().brief) way().brief = dial_(way().hub, true);
  return *way().brief;
}

const HubAddress& Ways::chosen() const { return way().hub; }

std::vector<HubAddress> Ways::others() const {
  std::vector<HubAddress> others;
  for (std::size_t step = 1; step < ways_.size(); ++step) {
    others.push_back(ways_[(chosen_ + step) % ways_.size()]->hub);
  }
  return others;
}

void Ways::trust() {
  doubted_ = false;
  way().silent = false;
}

void Ways::note(const Result<net::Response>& answer) {
  if (answer ? answer->status == kStandsBy : is_silence(answer.error())) doubted_ = true;
  way().silent = !answer && answer.error().code == Code::kDeadlineExceeded;
}

void Ways::choose_first() {
  for (std::size_t tried = 1; tried < count() && way().silent; ++tried) choose_next();
}

void Ways::choose_next() { chosen_ = (chosen_ + 1) % ways_.size(); }

void Ways::set_others(const std::vector<HubAddress>& others) {
  std::vector<std::shared_ptr<Way>> next{ways_[chosen_]};
  for (const HubAddress& hub : others) {
    const auto is_this = [&hub](const std::shared_ptr<Way>& way) { return way->hub == hub; };
    if (std::ranges::any_of(next, is_this) || next.size() > kMaxOtherHubs) continue;
    const auto known = std::ranges::find_if(ways_, is_this);
    next.push_back(known != ways_.end() ? *known : std::make_shared<Way>());
    next.back()->hub = hub;
  }
  for (const std::shared_ptr<Way>& way : ways_) {
    if (std::ranges::find(next, way) == next.end() && (way->client || way->brief)) former_.push_back(way);
  }
  ways_ = std::move(next);
  chosen_ = 0;
}

}  // namespace hearth::account
