#include "account/ways.h"

#include <algorithm>
#include <utility>

namespace hearth::account {
namespace {

constexpr unsigned kStandsBy = 503;

bool is_silence(const Error& error) {
  return error.code == Code::kUnavailable || error.code == Code::kDeadlineExceeded;
}

}  // namespace

struct Ways::Way {
  HubAddress hub;
  std::unique_ptr<net::Client> client;
  std::unique_ptr<net::Client> brief;
};

// Each call is the chosen hub's to its end, even if another is chosen meanwhile.
class Ways::Chosen final : public net::Client {
 public:
  explicit Chosen(Ways& ways) : ways_(ways) {}

  net::Async<Result<net::Response>> request(std::string method, std::string target, net::Headers headers,
                                            std::string body, std::size_t max_reply_bytes) override {
    co_return note(co_await ways_.chosen_client().request(std::move(method), std::move(target), std::move(headers),
                                                          std::move(body), max_reply_bytes));
  }
  net::Async<Result<net::Response>> send_file(std::string target, net::Headers headers, int file,
                                              std::uint64_t size) override {
    co_return note(co_await ways_.chosen_client().send_file(std::move(target), std::move(headers), file, size));
  }
  net::Async<Result<net::Response>> fetch(std::string target, net::Headers headers,
                                          std::function<net::Async<Result<void>>(std::string_view)> sink) override {
    co_return note(co_await ways_.chosen_client().fetch(std::move(target), std::move(headers), std::move(sink)));
  }
  net::Async<Result<net::Response>> stream(std::string method, std::string target, net::Headers headers,
                                           std::string body,
                                           std::function<net::Async<Result<void>>(std::string_view)> sink) override {
    co_return note(co_await ways_.chosen_client().stream(std::move(method), std::move(target), std::move(headers),
                                                         std::move(body), std::move(sink)));
  }
  net::Async<Result<std::unique_ptr<net::WebSocket>>> websocket(std::string target, net::Headers headers,
                                                                std::string_view protocol,
                                                                std::size_t max_message_bytes) override {
    auto socket =
        co_await ways_.chosen_client().websocket(std::move(target), std::move(headers), protocol, max_message_bytes);
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
  Result<net::Response> note(Result<net::Response> response) {
    if (response ? response->status == kStandsBy : is_silence(response.error())) ways_.doubted_ = true;
    return response;
  }

  Ways& ways_;
};

Ways::Ways(Dial dial, HubAddress first, const std::vector<HubAddress>& others)
    : dial_(std::move(dial)), client_(std::make_unique<Chosen>(*this)) {
  ways_.push_back(std::make_shared<Way>(Way{std::move(first), nullptr, nullptr}));
  set_others(others);
}

Ways::~Ways() = default;

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

void Ways::choose_next() { chosen_ = (chosen_ + 1) % ways_.size(); }

void Ways::set_others(const std::vector<HubAddress>& others) {
  std::vector<std::shared_ptr<Way>> next{ways_[chosen_]};
  for (const HubAddress& hub : others) {
    const auto is_this = [&hub](const std::shared_ptr<Way>& way) { return way->hub == hub; };
    if (std::ranges::any_of(next, is_this) || next.size() > kMaxOtherHubs) continue;
    const auto known = std::ranges::find_if(ways_, is_this);
    next.push_back(known != ways_.end() ? *known : std::make_shared<Way>(Way{hub, nullptr, nullptr}));
  }
  for (const std::shared_ptr<Way>& way : ways_) {
    if (std::ranges::find(next, way) == next.end() && (way->client || way->brief)) former_.push_back(way);
  }
  ways_ = std::move(next);
  chosen_ = 0;
}

}  // namespace hearth::account
