// How a PC of the pool stands, in words and tones, the same everywhere.
import { Duty, type Node } from "../gen/hearth/v1/nodes_pb";
import { span_text } from "./format";
import type { Tone } from "./states";

export function node_condition(node: Node): [string, Tone] {
  if (!node.connected) return ["Away", "off"];
  if (node.stopped) return ["Stopped", "bad"];
  if (node.duty === Duty.DRAINING) return node.runningTasks > 0 ? ["Draining", "wait"] : ["Drained", "wait"];
  if (node.duty === Duty.CORDONED) return ["Cordoned", "wait"];
  if (node.frozen) return ["Frozen", "wait"];
  if (node.closed) return ["Resting", "wait"];
  return node.runningTasks > 0 ? ["Busy", "live"] : ["Ready", "good"];
}

// What happens next to a PC that the pool's owner has spoken of; "" for one that just serves.
export function duty_text(node: Node, now: number): string {
  if (node.duty !== Duty.CORDONED && node.duty !== Duty.DRAINING) return "";
  if (node.runningTasks === 0) return "Gets nothing new, and nothing runs.";
  if (node.duty === Duty.CORDONED) return "Gets nothing new; what runs goes on.";
  const left = (Number(node.graceEnds?.unixMillis ?? 0n) - now) / 1000;
  return left <= 0 ? "Gets nothing new; what runs goes back to the queue now." : `Gets nothing new; what still runs in ${span_text(left)} goes back to the queue.`;
}

// Those that need somebody first, then those that work, then the others.
export function by_attention(a: Node, b: Node): number {
  const rank = (node: Node) => (!node.connected ? 3 : node.stopped || (node.duty !== Duty.SERVING && node.duty !== Duty.UNSPECIFIED) ? 0 : node.runningTasks > 0 ? 1 : 2);
  return rank(a) - rank(b) || b.runningTasks - a.runningTasks || a.name.localeCompare(b.name);
}
