#include "store/sqlite/audience_rows.h"

namespace hearth::store {

Result<void> put_audience(Queries& queries, const AudienceRow& audience) {
  if (audience.removed) return queries[Query::kRemoveAudience].run(audience.job.value, audience.person.value);
  return queries[Query::kPutAudience].run(audience.job.value, audience.person.value, audience.may_control,
                                          audience.controls);
}

Result<std::vector<AudienceRow>> load_audiences(Queries& queries) {
  std::vector<AudienceRow> audiences;
  Rows rows = queries[Query::kAudiences].rows();
  const Result<void> done = each(rows, [&](const Rows& row) {
    audiences.push_back(
        {{row.integer<std::uint64_t>(0)}, {row.integer<std::uint64_t>(1)}, row.integer(2) != 0, row.integer(3) != 0});
  });
  if (!done) return std::unexpected(done.error());
  return audiences;
}

Result<void> put_watch_link(Queries& queries, const WatchLinkRow& link) {
  if (link.most_players == 0) return queries[Query::kRemoveWatchLink].run(link.job.value, link.number);
  return queries[Query::kPutWatchLink].run(link.job.value, link.number, link.secret_hash, Text{link.label},
                                           link.maker.value, link.made.unix_millis, link.expires.unix_millis,
                                           link.most_players);
}

Result<std::vector<WatchLinkRow>> load_watch_links(Queries& queries) {
  std::vector<WatchLinkRow> links;
  Rows rows = queries[Query::kWatchLinks].rows();
  const Result<void> done = each(rows, [&](const Rows& row) {
    links.push_back({.job = {row.integer<std::uint64_t>(0)},
                     .number = row.integer<std::uint32_t>(1),
                     .secret_hash = row.bytes(2),
                     .label = row.bytes(3),
                     .maker = {row.integer<std::uint64_t>(4)},
                     .made = {row.integer(5)},
                     .expires = {row.integer(6)},
                     .most_players = row.integer<std::uint32_t>(7)});
  });
  if (!done) return std::unexpected(done.error());
  return links;
}

}  // namespace hearth::store
