// `hearth open`: a running job's web program in a browser, by a link that is good once.
#include <fmt/format.h>

#include "cli/client.h"
#include "cli/commands.h"
#include "cli/documents.h"
#include "cli/output.h"
#include "cli/run_spec.h"
#include "cli/values.h"
#include "hearth/v1/apps.pb.h"

namespace hearth::cli {

Result<int> open_web(const Context& context, const ForwardOptions& options) {
  const Result<std::uint64_t> job = parse_job(options.job);
  if (!job) return std::unexpected(job.error());
  const Result<std::uint64_t> task = parse_count("--task", options.task, {.least = 0, .most = UINT32_MAX});
  if (!task) return std::unexpected(task.error());
  v1::OpenWebRequest request;
  request.set_job_id(*job);
  request.set_task(static_cast<std::uint32_t>(*task));
  if (!options.port.empty()) {
    const Result<std::uint16_t> port = parse_port("PORT", options.port);
    if (!port) return std::unexpected(port.error());
    request.set_port(*port);
  }
  Result<std::unique_ptr<Client>> client = Client::open(context.home, context.home.cli());
  if (!client) return std::unexpected(client.error());
  const auto reply = (*client)->call<v1::OpenWebReply>("hearth.v1.AppService/OpenWeb", request);
  if (!reply) return std::unexpected(reply.error());
  net::Endpoint door = (*client)->session().account().endpoint;
  door.port = static_cast<std::uint16_t>(reply->door());
  const std::string link = fmt::format("https://{}{}", door.text(), reply->path());
  print(context.json ? object_json({{"link", link}}) : link + "\n");
  return 0;
}

}  // namespace hearth::cli
