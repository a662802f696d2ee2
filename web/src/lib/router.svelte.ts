// Where the page is: kept in the fragment ("#/jobs/12"), so that going back works and the server sees none of it.
import { folder_of_address } from "./drive_paths";

export type View = "home" | "run" | "jobs" | "job" | "pool" | "devices" | "screen" | "terminal" | "web" | "files" | "trash" | "photos" | "links" | "people" | "guest";

export interface Place {
  view: View;
  job?: bigint;
  port?: number; // of a web program
  folder?: string; // of the drive
}

export function parse_place(fragment: string): Place {
  const [first, second, ...more] = fragment.replace(/^#\/?/, "").split("/");
  if (first === "jobs" && second !== undefined && /^\d{1,19}$/.test(second)) return { view: "job", job: BigInt(second) };
  if (first === "screen" && second !== undefined && /^\d{1,19}$/.test(second)) return { view: "screen", job: BigInt(second) };
  if (first === "terminal" && second !== undefined && /^\d{1,19}$/.test(second)) return { view: "terminal", job: BigInt(second) };
  if (first === "web" && second !== undefined && /^\d{1,19}$/.test(second)) {
    const port = Number(/^\d{1,5}$/.exec(more[0] ?? "")?.[0] ?? 0);
    return { view: "web", job: BigInt(second), port };
  }
  if (first === "link") return { view: "guest", folder: folder_of_address(more.slice(1)) }; // after its secret
  if (first === "files") return { view: "files", folder: folder_of_address([second ?? "", ...more]) };
  if (["photos", "trash", "links", "people", "run", "jobs", "pool", "devices"].includes(first ?? "")) return { view: first as View };
  return { view: "home" };
}

class Router {
  place = $state.raw<Place>(parse_place(window.location.hash));

  constructor() {
    window.addEventListener("hashchange", () => (this.place = parse_place(window.location.hash)));
  }

  go(fragment: string): void {
    window.location.hash = fragment;
  }
}

export const router = new Router();
