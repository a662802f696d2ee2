// The programs with windows, the text programs and the web programs that the pool's PCs have.
import type { App, ListAppsReply_OfNode } from "../gen/hearth/v1/apps_pb";
import { random } from "../lib/bytes";
import { kGiB } from "../lib/run_form.svelte";
import { live } from "./live.svelte";
import { clients } from "./session";

const kCores = 2; // the program's, and its picture's, if it has one
const kTimeLimit = 30n * 86_400n; // it lives until it is told to end

// The view that shows it.
export function kind_of(app: App): "screen" | "terminal" | "web" {
  return app.webPort !== 0 ? "web" : app.terminal ? "terminal" : "screen";
}

class Apps {
  nodes = $state.raw<ListAppsReply_OfNode[]>([]);

  // What was known stays if the PC does not answer: the page says elsewhere that it is out of reach.
  async load(): Promise<void> {
    try {
      this.nodes = (await clients.apps.list({})).nodes;
    } catch {
      return;
    }
  }

  // The new job's number.
  async start(app: App, node: ListAppsReply_OfNode): Promise<bigint> {
    // No more than its PC lends, or it would wait for ever.
    const offered = live.nodes.get(node.nodeId)?.offered;
    const wanted = kind_of(app) === "screen" ? kCores : 1;
    const cores = Math.max(1, Math.min(wanted, offered?.cores ?? wanted));
    const gpus = Math.min(app.gpus, offered?.gpus ?? app.gpus);
    const quote = node.node.includes("'") ? '"' : "'";
    const reply = await clients.jobs.submit({
      requestId: random(16),
      spec: {
        name: app.name,
        argv: app.argv,
        tasks: 1,
        resources: { cores, gpus, memoryBytes: BigInt(2 * kGiB) },
        timeLimitSeconds: kTimeLimit,
        window: kind_of(app) === "screen",
        terminal: app.terminal,
        webPort: app.webPort,
        where: `name == ${quote}${node.node}${quote}`,
      },
    });
    return reply.jobId;
  }
}

export const apps = new Apps();
