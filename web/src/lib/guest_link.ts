// The link of the drive that a guest's page was opened with: "#/link/ID/SECRET", and the folder after that.
export interface GuestLink {
  id: string;
  secret: string;
}

const kLink = /^#?\/?link\/([0-9a-f]{12})\/([A-Za-z0-9_-]{1,64})(?=\/|$)/;

export function parse_guest_link(fragment: string): GuestLink | undefined {
  const found = kLink.exec(fragment);
  return found === null ? undefined : { id: found[1]!, secret: found[2]! };
}

// The link at an address, as programs that keep files open it: by WebDAV.
export function dav_of(address: string): { url: string; password: string } | undefined {
  const [origin, fragment] = address.split("/#");
  const link = parse_guest_link(fragment ?? "");
  return link === undefined ? undefined : { url: `${origin}/link/${link.id}/dav/`, password: link.secret };
}

export function same_link(a: GuestLink | undefined, b: GuestLink | undefined): boolean {
  return a?.id === b?.id && a?.secret === b?.secret;
}

// A page is a guest's or the family's for as long as it is open.
export const guest = parse_guest_link(globalThis.location?.hash ?? "");

// Below which a guest has what the family has at the root.
export const guest_base = guest === undefined ? "" : `/link/${guest.id}`;

export const guest_address = guest === undefined ? "" : `#/link/${guest.id}/${guest.secret}`;
