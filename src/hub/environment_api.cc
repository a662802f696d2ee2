// EnvironmentService.
#include <unistd.h>

#include <array>

#include <fmt/format.h>

#include "base/bytes.h"
#include "hearth/v1/environments.pb.h"
#include "hub/parts.h"

namespace hearth::hub {
namespace {

constexpr std::size_t kMaxDescriptionBytes = 1024;
constexpr std::string_view kSquashfsMagic = "hsqs";

Result<void> check_put(const v1::PutEnvironmentRequest& request, const Environments& known) {
  if (!is_environment_name(request.name())) {
    return fail(Code::kInvalidArgument,
                "name: 1 to 64 of a-z, 0-9, '.', '_' and '-', a letter or digit first; not \"host\"");
  }
  if (request.description().size() > kMaxDescriptionBytes || !is_plain_utf8(request.description())) {
    return fail(Code::kInvalidArgument, "description: at most 1,024 bytes of UTF-8 without control characters");
  }
  if (request.image().sha256().size() != 32) return fail(Code::kInvalidArgument, "image.sha256: 32 bytes");
  if (known.find(request.name()) == nullptr && known.all().size() >= Environments::kMost) {
    return fail(Code::kResourceExhausted,
                fmt::format("the pool has {} environments, as many as it takes; remove one", Environments::kMost));
  }
  return {};
}

// The image's size, as it is stored. Blocks.
Result<std::uint64_t> look_at_image(blob::BlobStore& blobs, const std::string& digest) {
  // Asked for, so that it is wanted until the name keeps it.
  if (!blobs.has(digest)) return fail(Code::kFailedPrecondition, "image: it was not uploaded (PUT /blob/SHA256 first)");
  Result<blob::Reader> image = blobs.read(digest);
  if (!image) return std::unexpected(image.error());
  std::array<char, kSquashfsMagic.size()> head{};
  const ssize_t count = ::pread(image->file(), head.data(), head.size(), 0);
  if (count != static_cast<ssize_t>(head.size()) || std::string_view(head.data(), head.size()) != kSquashfsMagic) {
    return fail(Code::kInvalidArgument, "image: the blob is no squashfs");
  }
  return image->size();
}

net::Async<Result<v1::PutEnvironmentReply>> put(Parts& parts, const v1::PutEnvironmentRequest& request,
                                                const net::Caller& caller) {
  if (Result<void> checked = check_put(request, parts.environments); !checked)
    co_return std::unexpected(checked.error());
  const std::string digest = request.image().sha256();
  Result<std::uint64_t> size = co_await parts.workers.run([&] { return look_at_image(parts.blobs, digest); });
  if (!size) co_return std::unexpected(size.error());
  const store::EnvironmentRow row{.name = request.name(),
                                  .sha256 = digest,
                                  .size = *size,
                                  .description = request.description(),
                                  .made = wall_now()};
  // In the table first: from here on the image is kept.
  parts.environments.put(row);
  parts.audit.note(caller, "environment.put", row.name, "sha256=" + to_hex(row.sha256));
  Result<void> saved = co_await parts.engine.save_environment(row);
  if (!saved) co_return std::unexpected(saved.error());
  v1::PutEnvironmentReply reply;
  *reply.mutable_environment() = to_proto(row);
  co_return reply;
}

v1::ListEnvironmentsReply list(const Parts& parts) {
  v1::ListEnvironmentsReply reply;
  for (const auto& [name, row] : parts.environments.all()) *reply.add_environments() = to_proto(row);
  return reply;
}

net::Async<Result<v1::RemoveEnvironmentReply>> remove(Parts& parts, const std::string& name,
                                                      const net::Caller& caller) {
  const store::EnvironmentRow* row = parts.environments.find(name);
  if (row == nullptr) co_return fail(Code::kNotFound, fmt::format("there is no environment '{}'", name.substr(0, 64)));
  const WallTime made = row->made;
  parts.audit.note(caller, "environment.remove", name);
  Result<void> removed = co_await parts.engine.remove_environment(name);
  if (!removed) co_return std::unexpected(removed.error());
  // Unless somebody has put another of this name meanwhile.
  row = parts.environments.find(name);
  if (row != nullptr && row->made == made) parts.environments.remove(name);
  co_return v1::RemoveEnvironmentReply();
}

}  // namespace

void add_environment_methods(net::Dispatcher& dispatcher, Parts& parts) {
  dispatcher.unary<v1::PutEnvironmentRequest, v1::PutEnvironmentReply>(
      "hearth.v1.EnvironmentService.Put",
      [&parts](const v1::PutEnvironmentRequest& request, net::Caller& caller) { return put(parts, request, caller); });
  dispatcher.unary<v1::ListEnvironmentsRequest, v1::ListEnvironmentsReply>(
      "hearth.v1.EnvironmentService.List",
      [&parts](const v1::ListEnvironmentsRequest&, net::Caller&) -> net::Async<Result<v1::ListEnvironmentsReply>> {
        co_return list(parts);
      });
  dispatcher.unary<v1::RemoveEnvironmentRequest, v1::RemoveEnvironmentReply>(
      "hearth.v1.EnvironmentService.Remove",
      [&parts](const v1::RemoveEnvironmentRequest& request, net::Caller& caller) {
        return remove(parts, request.name(), caller);
      });
}

}  // namespace hearth::hub
