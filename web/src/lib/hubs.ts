// The pool's hubs, as a page served by one of them can point to the others.
import type { Hub } from "../gen/hearth/v1/nodes_pb";

export interface OtherHub {
  name: string; // of its PC
  url: string;
}

// The living hubs that do not serve this page, which came from `host` ("10.0.0.5:7443"), each by its first address.
export function other_hubs(hubs: readonly Hub[], host: string): OtherHub[] {
  const others: OtherHub[] = [];
  for (const hub of hubs) {
    const addresses = hub.endpoints.split(" ").filter((address) => address !== "");
    if (!hub.alive || addresses.length === 0 || addresses.includes(host)) continue;
    others.push({ name: hub.name, url: `https://${addresses[0]}/` });
  }
  return others;
}
