// DriveService's timeline.
#include <fmt/format.h>

#include "hearth/v1/drive.pb.h"
#include "hub/drive_scope.h"
#include "hub/parts.h"

namespace hearth::hub {
namespace {

constexpr std::uint32_t kUsualCount = 200;
constexpr std::uint32_t kMostCount = 2'000;

net::Async<Result<v1::DriveTimelineReply>> timeline(Parts& parts, drive::Photos& photos,
                                                    const v1::DriveTimelineRequest& request,
                                                    const net::Caller& caller) {
  const Result<drive::Scope> scope = drive_scope(parts, caller.device);
  if (!scope) co_return std::unexpected(scope.error());
  if (request.count() > kMostCount) {
    co_return fail(Code::kInvalidArgument, fmt::format("count: {}; at most {}", request.count(), kMostCount));
  }
  const Result<drive::Photos::Shown> shown = co_await photos.timeline(scope->closed);
  if (!shown) co_return std::unexpected(shown.error());
  v1::DriveTimelineReply reply;
  const std::size_t count = request.count() == 0 ? kUsualCount : request.count();
  for (const drive::Shot& shot : shown->timeline->page(request.offset(), count)) {
    v1::DriveShot& one = *reply.add_shots();
    one.set_path(shot.path);
    one.set_taken_seconds(shot.taken.seconds);
    one.set_bytes(shot.bytes);
    one.set_etag(shot.etag);
    one.set_video(drive::media_kind(shot.path) == drive::MediaKind::kVideo);
  }
  for (const drive::Month& month : shown->timeline->months()) {
    v1::DriveTimelineReply::Month& one = *reply.add_months();
    one.set_year(month.year);
    one.set_month(static_cast<std::uint32_t>(month.month));
    one.set_count(static_cast<std::uint32_t>(month.count));
  }
  reply.set_total(static_cast<std::uint32_t>(shown->timeline->shots().size()));
  reply.set_version(shown->version);
  reply.set_looking(shown->is_looking);
  reply.set_unread(static_cast<std::uint32_t>(shown->unread));
  co_return reply;
}

}  // namespace

void add_photo_methods(net::Dispatcher& dispatcher, Parts& parts, drive::Photos& photos) {
  dispatcher.unary<v1::DriveTimelineRequest, v1::DriveTimelineReply>(
      "hearth.v1.DriveService.Timeline",
      [&](const v1::DriveTimelineRequest& request, net::Caller& caller) -> net::Async<Result<v1::DriveTimelineReply>> {
        co_return co_await timeline(parts, photos, request, caller);
      });
}

}  // namespace hearth::hub
