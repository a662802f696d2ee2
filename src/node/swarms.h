// Fetching a large blob from the other nodes that fetch or hold it, and giving it to them: through a helper program of
// its own, hearth-swarm, which knows ciphertext alone (swarm_helper.h). The hub says with a lease which blobs these
// are, under which key, and who has them (hub/swarms.h).
//
//   DIR/NAME          the ciphertext, NAME being 64 hexadecimal digits; DIR/NAME.layout: its pieces, once it is whole
//
// Ciphertext stays after the lease, for others and for the next one, the key does not: this disk then holds what is
// noise to its owner and to whoever finds it. It goes, the least recently used first, when the owner's limit is
// reached.
//
// A fetch here is an attempt: whatever comes of it, the caller looks whether the blob is there and otherwise fetches it
// from the hub. What other nodes send is checked twice, by piece and, deciphered, by the blob's own SHA-256.
//
// The loop's thread only, but for what says otherwise.
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "blob/blob_store.h"
#include "hearth/v1/swarm.pb.h"
#include "net/async.h"
#include "node/hub_link.h"
#include "node/swarm_helper.h"

namespace hearth::node {

// What the owner says of swarms: the "swarm" of policy.json.
struct SwarmTerms {
  bool allowed = true;
  bool lan_only = true;                       // with nodes of private addresses alone
  std::uint64_t upload_bytes_per_second = 0;  // 0: no limit
  bool operator==(const SwarmTerms&) const = default;
};

// {"swarm": "off", "swarm_bytes_per_second": 1000000}: "lan" (where absent), "anywhere" or "off". Errors:
// kInvalidArgument.
Result<SwarmTerms> parse_swarm_terms(std::string_view policy_json);

class Swarms {
 public:
  struct World {
    net::Loop& loop;
    net::Workers& workers;
    std::filesystem::path program;  // hearth-swarm
    std::string bwrap;
    std::filesystem::path directory;
  };

  explicit Swarms(World world);
  ~Swarms();

  // Takes up the ciphertexts that an earlier process left and removes what is not whole. Blocks; once, before the loop
  // runs.
  Result<void> open();

  // Called whenever port() is another.
  void on_port(std::function<void()> handler) { port_changed_ = std::move(handler); }

  // What the owner says now; the helper runs while it is allowed and the program is there. `bytes`: of ciphertext.
  void set_terms(const SwarmTerms& terms, std::uint64_t bytes);

  // Where others may dial; 0: nowhere.
  std::uint32_t port() const { return port_; }
  std::uint64_t bytes() const;
  std::vector<v1::Blob> held() const;  // whole ciphertexts, by the swarm's name and its size

  void add_peers(const v1::SwarmPeers& peers);

  // Tries to bring the blob into the store. Ends when it is there, or when nothing comes any more.
  net::Async<void> fetch(std::shared_ptr<HubLink> link, v1::Swarm swarm, blob::BlobStore& into);

 private:
  struct Member;
  using MemberPtr = std::shared_ptr<Member>;

  std::filesystem::path file_of(const std::string& name) const;
  MemberPtr member_of(const std::string& name);  // made if it is not there
  bool starts_helper();
  void begin_helper(SwarmHelper& helper);
  void stop_helper();
  void join(const Member& member);
  void tell_peers(const std::string& name, const std::vector<std::string>& peers);
  void on_news(const v1::SwarmNews& news);
  void on_helper_end();
  net::Async<Result<void>> fetch_now(std::shared_ptr<HubLink> link, const v1::Swarm& swarm, blob::BlobStore& into,
                                     MemberPtr member);
  net::Async<Result<void>> gather(std::shared_ptr<HubLink> link, const v1::Swarm& swarm, MemberPtr member);
  net::Async<void> give_piece(std::shared_ptr<HubLink> link, v1::Swarm swarm, MemberPtr member, std::uint32_t index);
  net::Async<Result<void>> decipher(const v1::Swarm& swarm, const Member& member, blob::BlobStore& into);
  net::Async<Result<void>> keep(const Member& member);
  bool make_room(std::uint64_t bytes);
  void remove(const std::string& name);

  World world_;
  SwarmTerms terms_;
  std::uint64_t limit_ = 0;
  std::unique_ptr<SwarmHelper> helper_;
  bool helper_failed_ = false;
  Time helper_started_;
  std::uint32_t port_ = 0;
  std::function<void()> port_changed_;
  std::map<std::string, MemberPtr> members_;  // by the swarm's name
  std::uint64_t uses_ = 0;
};

}  // namespace hearth::node
