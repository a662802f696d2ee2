// The environments of the pool. They change seldom: asked for whenever a view that shows them opens.
import type { Environment } from "../gen/hearth/v1/environments_pb";
import { clients } from "./session";

class Environments {
  list = $state.raw<Environment[]>([]);

  // What was known stays if the PC does not answer: the page says elsewhere that it is out of reach.
  async load(): Promise<void> {
    try {
      this.list = (await clients.environments.list({})).environments;
    } catch {
      return;
    }
  }
}

export const environments = new Environments();
