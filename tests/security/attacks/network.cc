// The owner's network and the world, at the addresses of security/network_world.h; and families of sockets that reach
// further than the Internet's.
#include <cerrno>

#include <arpa/inet.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "security/attacks/attacks.h"

namespace hearth::attacks {
namespace {

constexpr int kPatienceMillis = 2'000;

sockaddr_in address_of(const char* host, int port) {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(static_cast<std::uint16_t>(port));
  ::inet_pton(AF_INET, host, &address.sin_addr);
  return address;
}

int connect_to(const char* host, int port) {
  const int socket = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  if (socket < 0) return errno;
  const sockaddr_in address = address_of(host, port);
  int refusal = outcome_of(::connect(socket, reinterpret_cast<const sockaddr*>(&address), sizeof address));
  if (refusal == EINPROGRESS) {
    pollfd waiting{.fd = socket, .events = POLLOUT, .revents = 0};
    socklen_t size = sizeof refusal;
    if (::poll(&waiting, 1, kPatienceMillis) == 0) {
      refusal = ETIMEDOUT;
    } else {
      ::getsockopt(socket, SOL_SOCKET, SO_ERROR, &refusal, &size);
    }
  }
  ::close(socket);
  return refusal;
}

int reach_neighbour(const World& /*world*/) { return connect_to("192.168.77.2", 80); }
int reach_public_neighbour(const World& /*world*/) { return connect_to("13.0.0.2", 80); }
int reach_internet(const World& /*world*/) { return connect_to("12.0.0.2", 80); }
int reach_mail(const World& /*world*/) { return connect_to("12.0.0.2", 25); }
int reach_cloud_metadata(const World& /*world*/) { return connect_to("169.254.169.254", 80); }
int reach_carrier(const World& /*world*/) { return connect_to("100.64.0.2", 80); }
int reach_owners_pc(const World& /*world*/) { return connect_to("192.168.77.1", 8080); }
int reach_owners_public_address(const World& /*world*/) { return connect_to("11.1.1.1", 8080); }
int reach_owners_loopback(const World& world) { return connect_to("127.0.0.1", world.port); }

int scan_owners_network(const World& /*world*/) {
  int refusal = ENETUNREACH;
  for (int last = 1; last <= 4; ++last) {
    refusal = connect_to(("192.168.77." + std::to_string(last)).c_str(), 80);
    if (refusal == 0) return 0;
  }
  return refusal;
}

int send_datagram(const char* host, int port, bool broadcast) {
  const int socket = ::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
  if (socket < 0) return errno;
  const int on = 1;
  if (broadcast) ::setsockopt(socket, SOL_SOCKET, SO_BROADCAST, &on, sizeof on);
  const sockaddr_in address = address_of(host, port);
  return outcome_of(::sendto(socket, "x", 1, 0, reinterpret_cast<const sockaddr*>(&address), sizeof address));
}

int ask_name_server(const World& /*world*/) { return send_datagram("192.168.77.2", 53, false); }
int wake_neighbours(const World& /*world*/) { return send_datagram("192.168.77.255", 9, true); }
int announce_service(const World& /*world*/) { return send_datagram("224.0.0.251", 5353, false); }

int see_interfaces(const World& /*world*/) {
  const int socket = ::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
  if (socket < 0) return errno;
  ifreq second{};
  second.ifr_ifindex = 2;  // the first is the loopback, which everybody has
  for (int index = 2; index < 64; ++index) {
    second.ifr_ifindex = index;
    if (::ioctl(socket, SIOCGIFNAME, &second) == 0) return 0;
  }
  return errno;
}

template <int kFamily, int kType, int kProtocol>
int make_socket(const World& /*world*/) {
  return outcome_of(::socket(kFamily, kType | SOCK_CLOEXEC, kProtocol));
}

constexpr Entry kEntries[] = {
    {"reach_neighbour", reach_neighbour},
    {"reach_public_neighbour", reach_public_neighbour},
    {"reach_internet", reach_internet},
    {"reach_mail", reach_mail},
    {"reach_cloud_metadata", reach_cloud_metadata},
    {"reach_carrier", reach_carrier},
    {"reach_owners_pc", reach_owners_pc},
    {"reach_owners_public_address", reach_owners_public_address},
    {"reach_owners_loopback", reach_owners_loopback},
    {"scan_owners_network", scan_owners_network},
    {"ask_name_server", ask_name_server},
    {"wake_neighbours", wake_neighbours},
    {"announce_service", announce_service},
    {"see_interfaces", see_interfaces},
};

constexpr Entry kSocketEntries[] = {
    {"forge_packets", make_socket<AF_INET, SOCK_RAW, IPPROTO_RAW>},
    {"forge_packets_of_version_6", make_socket<AF_INET6, SOCK_RAW, IPPROTO_RAW>},
    {"listen_to_the_wire", make_socket<AF_PACKET, SOCK_RAW, 0>},
    {"change_routes", make_socket<AF_NETLINK, SOCK_RAW, NETLINK_ROUTE>},
    {"change_rules", make_socket<AF_NETLINK, SOCK_RAW, NETLINK_NETFILTER>},
    {"hear_devices", make_socket<AF_NETLINK, SOCK_RAW, NETLINK_KOBJECT_UEVENT>},
    {"reach_machine_monitor", make_socket<AF_VSOCK, SOCK_STREAM, 0>},
    {"use_kernels_ciphers", make_socket<AF_ALG, SOCK_SEQPACKET, 0>},
    {"speak_bluetooth", make_socket<AF_BLUETOOTH, SOCK_RAW, 1>},
    {"speak_can", make_socket<AF_CAN, SOCK_RAW, 1>},
};

}  // namespace

const Class kNetwork = {"network", kEntries};
const Class kSockets = {"sockets", kSocketEntries};

}  // namespace hearth::attacks
