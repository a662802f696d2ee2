// `hearth audit`: what was done to the pool, and the proof that the log is whole.
#include <charconv>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "account/audit_chain.h"
#include "base/bytes.h"
#include "cli/client.h"
#include "cli/commands.h"
#include "cli/documents.h"
#include "cli/output.h"
#include "cli/values.h"

namespace hearth::cli {
namespace {

constexpr std::uint32_t kPage = 1'000;

// Calls take(line) for each line of the log, from the first on.
template <class Take>
Result<void> each_line(Client& client, WallTime since, const Take& take) {
  v1::ListAuditRequest request;
  request.set_limit(kPage);
  request.mutable_since()->set_unix_millis(since.unix_millis);
  while (true) {
    const Result<v1::ListAuditReply> reply = client.call<v1::ListAuditReply>("hearth.v1.AuditService/List", request);
    if (!reply) return std::unexpected(reply.error());
    for (const v1::AuditLine& line : reply->lines()) {
      const Result<std::uint64_t> number = take(line);
      if (!number) return std::unexpected(number.error());
      request.set_after(*number);
    }
    if (reply->lines_size() < static_cast<int>(kPage)) return {};
  }
}

struct Line {
  v1::AuditStatement statement;
  std::string hash;
};

nlohmann::ordered_json as_json(const Line& line) {
  return {{"number", line.statement.number()},
          {"at", format_moment({line.statement.at().unix_millis()})},
          {"device_id", line.statement.device_id()},
          {"device", line.statement.device()},
          {"address", line.statement.address()},
          {"action", line.statement.action()},
          {"object", line.statement.object()},
          {"details", line.statement.details()},
          {"hash", to_hex(line.hash)}};
}

void print_lines(const Context& context, const AuditOptions& options, const std::vector<Line>& lines) {
  if (context.json) {
    nlohmann::ordered_json list = nlohmann::ordered_json::array();
    for (const Line& line : lines) list.push_back(as_json(line));
    return print(nlohmann::ordered_json{{"lines", list}}.dump(2, ' ', false, nlohmann::json::error_handler_t::replace) +
                 "\n");
  }
  if (options.csv) {
    print(csv_line({"number", "at", "device", "address", "action", "object", "details", "hash"}));
    for (const auto& [statement, hash] : lines) {
      print(csv_line({fmt::format("{}", statement.number()), format_moment({statement.at().unix_millis()}),
                      statement.device(), statement.address(), statement.action(), statement.object(),
                      statement.details(), to_hex(hash)}));
    }
    return;
  }
  Table table({{"NUMBER", true}, {"WHEN"}, {"WHO"}, {"FROM"}, {"WHAT"}, {"TO"}, {"DETAILS"}});
  for (const auto& [statement, hash] : lines) {
    table.add({fmt::format("{}", statement.number()), format_moment({statement.at().unix_millis()}), statement.device(),
               statement.address(), statement.action(), statement.object(), statement.details()});
  }
  if (table.empty()) {
    say("nothing was done to the pool in that time");
  } else {
    print(table.text());
  }
}

// "17:9f86d0...": a number and a hash that a verification told before.
struct Noted {
  std::uint64_t number = 0;
  std::string hash;
};

Result<Noted> parse_noted(const std::string& text) {
  Noted noted;
  const std::size_t colon = text.find(':');
  const char* end = text.data() + std::min(colon, text.size());
  const auto [rest, error] = std::from_chars(text.data(), end, noted.number);
  const auto hash = colon == std::string::npos ? std::nullopt : from_hex(std::string_view(text).substr(colon + 1));
  if (error != std::errc() || rest != end || noted.number == 0 || !hash || hash->size() != 32) {
    return fail(Code::kInvalidArgument,
                fmt::format("--noted {}: NUMBER:HASH is needed, as hearth audit verify told it", plain(text)));
  }
  noted.hash = *hash;
  return noted;
}

}  // namespace

Result<int> show_audit(const Context& context, const AuditOptions& options) {
  const Result<WallTime> since = options.since.empty() ? WallTime{} : parse_day("--since", options.since);
  if (!since) return std::unexpected(since.error());
  const Result<std::unique_ptr<Client>> client = Client::open(context.home, context.home.cli());
  if (!client) return std::unexpected(client.error());
  std::vector<Line> lines;
  const Result<void> read = each_line(**client, *since, [&](const v1::AuditLine& line) -> Result<std::uint64_t> {
    Line& one = lines.emplace_back();
    one.hash = line.hash();
    if (!one.statement.ParseFromString(line.statement())) {
      return fail(Code::kDataLoss, "a line of the audit log is malformed; see: hearth audit verify");
    }
    return one.statement.number();
  });
  if (!read) return std::unexpected(read.error());
  print_lines(context, options, lines);
  return 0;
}

Result<int> verify_audit(const Context& context, const AuditOptions& options) {
  Noted noted;
  if (!options.noted.empty()) {
    const Result<Noted> parsed = parse_noted(options.noted);
    if (!parsed) return std::unexpected(parsed.error());
    noted = *parsed;
  }
  const Result<std::unique_ptr<Client>> client = Client::open(context.home, context.home.cli());
  if (!client) return std::unexpected(client.error());
  account::AuditVerifier verifier;
  const Result<void> read = each_line(**client, {}, [&](const v1::AuditLine& line) -> Result<std::uint64_t> {
    const Result<v1::AuditStatement> statement = verifier.next(line);
    if (!statement) return std::unexpected(statement.error());
    if (verifier.number() == noted.number && verifier.hash() != noted.hash) {
      return fail(Code::kDataLoss,
                  fmt::format("line {} is not the one that was noted: this is another log", noted.number));
    }
    return verifier.number();
  });
  if (!read) return std::unexpected(read.error());
  if (verifier.number() < noted.number) {
    return fail(Code::kDataLoss, fmt::format("the log ends with line {}, but line {} was noted: its end is missing",
                                             verifier.number(), noted.number));
  }
  const std::string head = fmt::format("{}:{}", verifier.number(), to_hex(verifier.hash()));
  if (context.json) {
    print(object_json({{"lines", static_cast<std::int64_t>(verifier.number())},
                       {"head", verifier.number() == 0 ? std::string() : head}}));
    return 0;
  }
  print(fmt::format("all {} lines are whole\n", verifier.number()));
  if (verifier.number() > 0) {
    print(head + "\n");
    say("note this elsewhere: hearth audit verify --noted finds later whether the end was cut off");
  }
  return 0;
}

}  // namespace hearth::cli
