// AuditService.
#include "hearth/v1/audit.pb.h"
#include "hub/parts.h"

namespace hearth::hub {
namespace {

constexpr std::uint32_t kDefaultListed = 100;
constexpr std::uint32_t kMaxListed = 1'000;

net::Async<Result<v1::ListAuditReply>> list(Parts& parts, const v1::ListAuditRequest& request) {
  const std::uint32_t limit = request.limit() == 0 ? kDefaultListed : std::min(request.limit(), kMaxListed);
  Result<std::vector<store::AuditRow>> rows = co_await parts.engine.ask(
      [&](store::Store& store) { return store.load_audit(request.after(), {request.since().unix_millis()}, limit); });
  if (!rows) co_return std::unexpected(rows.error());
  v1::ListAuditReply reply;
  for (store::AuditRow& row : *rows) {
    v1::AuditLine& line = *reply.add_lines();
    line.set_statement(std::move(row.statement));
    line.set_hash(std::move(row.hash));
  }
  co_return reply;
}

}  // namespace

void add_audit_methods(net::Dispatcher& dispatcher, Parts& parts) {
  dispatcher.unary<v1::ListAuditRequest, v1::ListAuditReply>(
      "hearth.v1.AuditService.List",
      [&parts](const v1::ListAuditRequest& request, net::Caller&) { return list(parts, request); });
}

}  // namespace hearth::hub
