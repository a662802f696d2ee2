#include "torrent/carrier.h"

#include <algorithm>
#include <chrono>
#include <optional>
#include <set>
#include <vector>

#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <libtorrent/add_torrent_params.hpp>
#include <libtorrent/alert_types.hpp>
#include <libtorrent/bencode.hpp>
#include <libtorrent/extensions/smart_ban.hpp>
#include <libtorrent/session_params.hpp>
#include <libtorrent/torrent_info.hpp>
#include <libtorrent/torrent_status.hpp>

#include "base/bytes.h"
#include "swarm/frames.h"

namespace hearth::torrent {
namespace {

namespace lt = libtorrent;
using Clock = std::chrono::steady_clock;

constexpr std::size_t kMaxAsked = 8;              // pieces on their way from the hub
constexpr std::chrono::seconds kStranded{20};     // after which one is asked for again
constexpr std::chrono::milliseconds kDry{1'500};  // without a piece: the hub is asked for more than one's share
constexpr std::chrono::seconds kTimeToMeet{3};    // after which peers that are not connected do not count
constexpr int kSpare = 4;                         // a share is larger by one part in so many

// Where nobody but the owner's neighbours is.
constexpr std::array<std::pair<const char*, const char*>, 8> kPrivate = {{
    {"10.0.0.0", "10.255.255.255"},
    {"127.0.0.0", "127.255.255.255"},
    {"169.254.0.0", "169.254.255.255"},
    {"172.16.0.0", "172.31.255.255"},
    {"192.168.0.0", "192.168.255.255"},
    {"::1", "::1"},
    {"fc00::", "fdff:ffff:ffff:ffff:ffff:ffff:ffff:ffff"},
    {"fe80::", "febf:ffff:ffff:ffff:ffff:ffff:ffff:ffff"},
}};

// That is free now, on every address: left to itself, libtorrent takes another one on each.
std::uint16_t free_port() {
  const int socket = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  socklen_t size = sizeof address;
  auto* const name = reinterpret_cast<sockaddr*>(&address);
  const bool bound = socket >= 0 && ::bind(socket, name, size) == 0 && ::getsockname(socket, name, &size) == 0;
  if (socket >= 0) ::close(socket);
  return bound ? ntohs(address.sin_port) : 0;
}

lt::session_params settings_of(const v1::SwarmBegin& begin) {
  lt::settings_pack pack;
  const std::string port = std::to_string(begin.port() != 0 ? begin.port() : free_port());
  pack.set_str(lt::settings_pack::listen_interfaces, "0.0.0.0:" + port + ",[::]:" + port);
  pack.set_str(lt::settings_pack::user_agent, "");
  pack.set_str(lt::settings_pack::dht_bootstrap_nodes, "");
  for (const int off : {lt::settings_pack::enable_dht, lt::settings_pack::enable_lsd, lt::settings_pack::enable_upnp,
                        lt::settings_pack::enable_natpmp, lt::settings_pack::enable_outgoing_utp,
                        lt::settings_pack::enable_incoming_utp}) {
    pack.set_bool(off, false);
  }
  pack.set_bool(lt::settings_pack::allow_multiple_connections_per_ip, true);
  pack.set_int(lt::settings_pack::in_enc_policy, lt::settings_pack::pe_forced);
  pack.set_int(lt::settings_pack::out_enc_policy, lt::settings_pack::pe_forced);
  // The content is ciphertext anyway; this keeps out who does not know the swarm, and what is asked for unseen.
  pack.set_int(lt::settings_pack::allowed_enc_level, lt::settings_pack::pe_rc4);
  pack.set_bool(lt::settings_pack::prefer_rc4, true);
  pack.set_int(lt::settings_pack::unchoke_slots_limit, -1);
  pack.set_int(lt::settings_pack::connections_limit, 200);
  pack.set_int(lt::settings_pack::active_limit, 1'000);
  pack.set_int(lt::settings_pack::min_reconnect_time, 2);
  pack.set_int(lt::settings_pack::send_buffer_watermark, 4 << 20);
  pack.set_int(lt::settings_pack::max_out_request_queue, 1'000);
  pack.set_int(lt::settings_pack::alert_mask,
               lt::alert_category::status | lt::alert_category::error | lt::alert_category::storage);
  return lt::session_params(pack, {});  // none of the extensions that it has otherwise
}

lt::ip_filter private_only() {
  lt::ip_filter filter;
  filter.add_rule(lt::make_address("0.0.0.0"), lt::make_address("255.255.255.255"), lt::ip_filter::blocked);
  filter.add_rule(lt::make_address("::"), lt::make_address("ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff"),
                  lt::ip_filter::blocked);
  for (const auto& [first, last] : kPrivate) filter.add_rule(lt::make_address(first), lt::make_address(last), 0);
  return filter;
}

// Else limits leave out those of the local network, who are whom they are for.
lt::ip_filter one_class() {
  const std::uint32_t everybody = 1U << static_cast<std::uint32_t>(lt::session_handle::global_peer_class_id);
  lt::ip_filter filter;
  filter.add_rule(lt::make_address("0.0.0.0"), lt::make_address("255.255.255.255"), everybody);
  filter.add_rule(lt::make_address("::"), lt::make_address("ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff"), everybody);
  return filter;
}

// A swarm is private in BitTorrent's sense as well: nobody hears of its peers from peers.
std::shared_ptr<lt::torrent_info> info_of(const v1::SwarmLayout& layout) {
  lt::entry info;
  info["name"] = to_hex(layout.name());
  info["piece length"] = static_cast<std::int64_t>(layout.piece_bytes());
  info["length"] = static_cast<std::int64_t>(layout.size());
  info["pieces"] = layout.hashes();
  info["private"] = 1;
  lt::entry torrent;
  torrent["info"] = info;
  std::vector<char> bytes;
  lt::bencode(std::back_inserter(bytes), torrent);
  lt::error_code error;
  auto made = std::make_shared<lt::torrent_info>(bytes, error, lt::from_span);
  return error ? nullptr : made;
}

std::optional<lt::tcp::endpoint> endpoint_of(const std::string& text) {
  const std::size_t colon = text.rfind(':');
  if (colon == std::string::npos) return std::nullopt;
  std::string host = text.substr(0, colon);
  if (host.starts_with('[') && host.ends_with(']')) host = host.substr(1, host.size() - 2);
  lt::error_code error;
  const lt::address address = lt::make_address(host, error);
  const unsigned long port = std::strtoul(text.c_str() + colon + 1, nullptr, 10);
  if (error || port == 0 || port > 65'535) return std::nullopt;
  return lt::tcp::endpoint(address, static_cast<std::uint16_t>(port));
}

}  // namespace

struct Carrier::Member {
  v1::SwarmLayout layout;
  lt::torrent_handle handle;
  std::size_t peers = 0;  // that there were orders of
  std::map<std::uint32_t, Clock::time_point> asked;
  std::uint32_t given = 0;  // by the hub
  std::uint32_t pieces = 0;
  std::uint32_t told = ~0U;
  bool flushing = false;
  bool whole = false;
  Clock::time_point joined = Clock::now();
  Clock::time_point progressed = Clock::now();
};

Carrier::Carrier(const v1::SwarmBegin& begin, Tell tell) : tell_(std::move(tell)), session_(settings_of(begin)) {
  session_.add_extension(&lt::create_smart_ban_plugin);
  if (begin.lan_only()) session_.set_ip_filter(private_only());
  session_.set_peer_class_filter(one_class());
  limit_upload(begin.upload_bytes_per_second());
}

Carrier::~Carrier() = default;

void Carrier::limit_upload(std::uint64_t bytes_per_second) {
  lt::settings_pack pack;
  pack.set_int(lt::settings_pack::upload_rate_limit,
               static_cast<int>(std::min<std::uint64_t>(bytes_per_second, 2'000'000'000)));
  session_.apply_settings(pack);
}

void Carrier::carry_out(const v1::SwarmOrder& order) {
  if (order.has_join()) join(order.join());
  if (order.has_peers()) meet(order.peers());
  if (order.has_piece()) take(order.piece());
  if (order.order_case() == v1::SwarmOrder::kUploadBytesPerSecond) limit_upload(order.upload_bytes_per_second());
  if (order.order_case() != v1::SwarmOrder::kLeave) return;
  if (const auto found = members_.find(order.leave()); found != members_.end()) {
    session_.remove_torrent(found->second->handle);
    members_.erase(found);
  }
}

void Carrier::join(const v1::SwarmJoin& join) {
  if (members_.contains(join.layout().name())) return;
  auto member = std::make_unique<Member>();
  member->layout = join.layout();
  lt::add_torrent_params params;
  params.ti = info_of(member->layout);
  params.save_path = ".";
  params.flags = lt::torrent_flags::disable_dht | lt::torrent_flags::disable_lsd | lt::torrent_flags::disable_pex;
  if (join.whole()) params.flags |= lt::torrent_flags::seed_mode;
  lt::error_code error;
  if (params.ti != nullptr) member->handle = session_.add_torrent(std::move(params), error);
  if (!member->handle.is_valid() || error) {
    v1::SwarmNews news;
    news.mutable_progress()->set_name(join.layout().name());
    news.mutable_progress()->set_error("it cannot be joined: " + error.message());
    return tell_(news);
  }
  members_.emplace(join.layout().name(), std::move(member));
}

void Carrier::meet(const v1::SwarmPeers& peers) {
  const auto found = members_.find(peers.name());
  if (found == members_.end()) return;
  for (const std::string& peer : peers.peers()) {
    if (const auto endpoint = endpoint_of(peer)) found->second->handle.connect_peer(*endpoint);
  }
  found->second->peers += static_cast<std::size_t>(peers.peers_size());
}

void Carrier::take(const v1::SwarmPiece& piece) {
  const auto found = members_.find(piece.name());
  if (found == members_.end()) return;
  Member& member = *found->second;
  const bool is_wanted = member.asked.contains(piece.index());
  if (!is_wanted || piece.data().size() != swarm::bytes_of_piece(member.layout, piece.index())) return;
  member.handle.add_piece(lt::piece_index_t(static_cast<int>(piece.index())),
                          std::vector<char>(piece.data().begin(), piece.data().end()));
}

void Carrier::look() {
  hear_alerts();
  for (auto& [name, member] : members_) {
    if (member->whole) continue;
    const lt::torrent_status status = member->handle.status(lt::torrent_handle::query_pieces);
    const auto pieces = static_cast<std::uint32_t>(std::max(0, status.num_pieces));
    if (pieces != member->pieces) member->progressed = Clock::now();
    member->pieces = pieces;
    tell_progress(name, *member);
    if (status.is_seeding && !std::exchange(member->flushing, status.is_seeding)) member->handle.flush_cache();
    if (!status.is_seeding && status.state == lt::torrent_status::downloading) want(name, *member);
  }
}

void Carrier::tell_progress(const std::string& name, Member& member) {
  if (std::exchange(member.told, member.pieces) == member.pieces && !member.whole) return;
  v1::SwarmNews news;
  news.mutable_progress()->set_name(name);
  news.mutable_progress()->set_pieces(member.pieces);
  news.mutable_progress()->set_whole(member.whole);
  tell_(news);
}

void Carrier::want(const std::string& name, Member& member) {
  const lt::torrent_status status = member.handle.status(lt::torrent_handle::query_pieces);
  std::vector<int> availability;
  member.handle.piece_availability(availability);
  const Clock::time_point now = Clock::now();
  std::erase_if(member.asked, [&](const auto& one) {
    const bool is_here = status.pieces.get_bit(lt::piece_index_t(static_cast<int>(one.first)));
    if (is_here) ++member.given;
    return is_here || one.second + kStranded < now;
  });
  const auto connected = static_cast<std::size_t>(std::max(0, status.num_peers));
  const std::size_t others = member.joined + kTimeToMeet > now ? std::max(member.peers, connected) : connected;
  const std::uint32_t all = swarm::pieces_of(member.layout);
  std::size_t share = all / (others + 1);
  share += share / kSpare + 1;
  const bool is_dry = member.progressed + kDry < now;
  if (!is_dry && member.given + member.asked.size() >= share) return;
  std::vector<std::uint32_t> candidates;
  for (std::uint32_t i = 0; i < all; ++i) {
    const bool is_here = status.pieces.get_bit(lt::piece_index_t(static_cast<int>(i)));
    const bool has_peer = i < availability.size() && availability[i] > 0;
    if (!is_here && (is_dry || !has_peer) && !member.asked.contains(i)) candidates.push_back(i);
  }
  std::ranges::shuffle(candidates, random_);
  for (const std::uint32_t index : candidates) {
    if (member.asked.size() >= kMaxAsked) return;
    member.asked.emplace(index, now);
    v1::SwarmNews news;
    news.mutable_wanted()->set_name(name);
    news.mutable_wanted()->set_index(index);
    tell_(news);
  }
}

void Carrier::tell_port() {
  v1::SwarmNews news;
  news.set_listening(session_.listen_port());
  tell_(news);
}

void Carrier::hear_alerts() {
  std::vector<lt::alert*> alerts;
  session_.pop_alerts(&alerts);
  for (const lt::alert* alert : alerts) {
    if (lt::alert_cast<lt::listen_succeeded_alert>(alert) != nullptr) tell_port();
    const auto* flushed = lt::alert_cast<lt::cache_flushed_alert>(alert);
    const auto* failed = lt::alert_cast<lt::torrent_error_alert>(alert);
    for (auto& [name, member] : members_) {
      if (flushed != nullptr && flushed->handle == member->handle && member->flushing && !member->whole) {
        member->whole = true;
        tell_progress(name, *member);
      }
      if (failed == nullptr || failed->handle != member->handle) continue;
      v1::SwarmNews news;
      news.mutable_progress()->set_name(name);
      news.mutable_progress()->set_error(failed->message().substr(0, 200));
      tell_(news);
    }
  }
}

}  // namespace hearth::torrent
