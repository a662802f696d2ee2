// How far a device's jobs are trusted, in words for a person.
import { Ring } from "../gen/hearth/v1/types_pb";

export const kRings: Record<Ring, { name: string; means: string }> = {
  [Ring.UNSPECIFIED]: { name: "unknown", means: "" },
  [Ring.HOME]: { name: "home", means: "your household" },
  [Ring.FRIEND]: { name: "friend", means: "sees no files of this PC" },
  [Ring.MEMBER]: { name: "member", means: "of your firm or club" },
  [Ring.STRANGER]: { name: "stranger", means: "only in a virtual machine" },
};
