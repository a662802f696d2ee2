// One request on a connection of the server.
#pragma once

#include <memory>
#include <optional>
#include <string>

#include "net/server_connection.h"

namespace hearth::net {

class ServerExchange : public Exchange {
 public:
  ServerExchange(ServerConnection& connection, ParsedRequest request);

  const RequestHead& head() const override { return request_.head; }
  std::string peer_address() const override { return connection_.address(); }
  Async<Result<std::size_t>> read_body(std::span<char> buffer) override;
  Async<Result<std::string>> read_whole_body(std::size_t limit) override;
  Async<Result<void>> reply(Response response) override;
  Async<Result<void>> start(unsigned status, Headers headers, std::optional<std::uint64_t> length) override;
  Async<Result<void>> write(std::string_view bytes) override;
  Async<Result<void>> finish() override;
  Async<Result<void>> write_file(int file, std::uint64_t offset, std::uint64_t count, Workers& workers) override;
  Async<Result<std::unique_ptr<WebSocket>>> accept_websocket(std::string_view protocol,
                                                             std::size_t max_message_bytes) override;
  Async<Result<std::unique_ptr<Upgraded>>> upgrade(Headers headers) override;
  Cuttable& connection() override { return connection_; }
  bool gone() const override { return connection_.input().stream().gone(); }

  // After the handler: answers if it did not, and takes what is left of the request. True if the connection can serve
  // another request.
  Async<bool> settle();

 private:
  enum class Answer { kNone, kStarted, kFinished, kUpgraded };

  bool has_answer_body() const;
  void add_connection_header(Headers& headers);
  Async<Result<void>> send(std::string_view bytes);
  Async<Result<void>> send_held();
  Async<bool> drain_body();

  ServerConnection& connection_;
  ParsedRequest request_;
  BodyDecoder body_;
  Answer answer_ = Answer::kNone;
  unsigned status_ = 0;
  bool chunked_ = false;
  bool keep_alive_;
  bool continue_due_;              // the client waits for "100 Continue" before it sends its body
  std::uint64_t answer_left_ = 0;  // of an answer with a length
  std::string held_;               // a head that leaves together with the first bytes of its body
};

}  // namespace hearth::net
