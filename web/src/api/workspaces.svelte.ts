// The workspaces that this device may see: its own, or an owner's everybody's. Asked for whenever a view that shows them opens.
import type { Workspace } from "../gen/hearth/v1/workspaces_pb";
import { clients } from "./session";

class Workspaces {
  list = $state.raw<Workspace[]>([]);

  // What was known stays if the PC does not answer: the page says elsewhere that it is out of reach.
  async load(): Promise<void> {
    try {
      this.list = (await clients.workspaces.list({})).workspaces;
    } catch {
      return;
    }
  }

  // Throws what the server says, for example that a job needs it.
  async remove({ name, ownerId }: Workspace): Promise<void> {
    await clients.workspaces.remove({ name, ownerId });
    await this.load();
  }
}

export const workspaces = new Workspaces();
