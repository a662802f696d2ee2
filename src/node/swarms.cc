#include "node/swarms.h"

#include <algorithm>
#include <deque>
#include <fstream>

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <nlohmann/json.hpp>

#include "base/bytes.h"
#include "base/entries.h"
#include "base/log.h"
#include "blob/local_file.h"
#include "net/cipher.h"
#include "swarm/frames.h"

namespace hearth::node {
namespace {

namespace fs = std::filesystem;

// Without a new piece for so long, the rest comes from the hub, as it would have without a swarm.
constexpr Duration kPatience = seconds(10);
constexpr Duration kLook = milliseconds(500);
constexpr int kPiecesAtOnce = 4;                  // on their way from the hub
constexpr Duration kBeforeRestart = seconds(60);  // of a helper that died
constexpr std::size_t kBlockBytes = 1 << 20;
constexpr std::size_t kMaxLayoutBytes = 1 << 20;
constexpr std::string_view kLayout = ".layout";

std::string read_all(const fs::path& file) {
  std::ifstream stream(file, std::ios::binary);
  std::string bytes(kMaxLayoutBytes, '\0');
  stream.read(bytes.data(), static_cast<std::streamsize>(bytes.size()));
  bytes.resize(static_cast<std::size_t>(std::max<std::streamsize>(0, stream.gcount())));
  return bytes;
}

}  // namespace

struct Swarms::Member {
  v1::SwarmLayout layout;
  std::vector<std::string> peers;
  std::deque<std::uint32_t> wanted;  // that the hub's copy is needed for
  int arriving = 0;                  // of those
  std::uint32_t pieces = 0;
  std::uint32_t from_hub = 0;
  bool joined = false;
  bool whole = false;
  bool kept = false;  // with its layout beside it
  std::string error;
  bool busy = false;
  net::Event changed;
  std::uint64_t last_use = 0;
};

Result<SwarmTerms> parse_swarm_terms(std::string_view policy_json) {
  const auto json = nlohmann::json::parse(policy_json, nullptr, false);
  SwarmTerms terms;
  if (!json.is_object()) return terms;
  if (const auto mode = json.find("swarm"); mode != json.end() && !mode->is_null()) {
    if (*mode != "off" && *mode != "lan" && *mode != "anywhere") {
      return fail(Code::kInvalidArgument, R"(policy.json: "swarm" must be "lan", "anywhere" or "off")");
    }
    terms.allowed = *mode != "off";
    terms.lan_only = *mode != "anywhere";
  }
  if (const auto rate = json.find("swarm_bytes_per_second"); rate != json.end() && !rate->is_null()) {
    if (!rate->is_number_unsigned()) {
      return fail(Code::kInvalidArgument, R"(policy.json: "swarm_bytes_per_second" must be a number of bytes)");
    }
    terms.upload_bytes_per_second = rate->get<std::uint64_t>();
  }
  return terms;
}

Swarms::Swarms(World world) : world_(std::move(world)) {}
Swarms::~Swarms() = default;

fs::path Swarms::file_of(const std::string& name) const { return world_.directory / to_hex(name); }

Result<void> Swarms::open() {
  std::error_code error;
  fs::create_directories(world_.directory, error);
  if (error || ::chmod(world_.directory.c_str(), 0700) != 0) {
    return fail_errno(error ? error.value() : errno, "making " + world_.directory.string());
  }
  std::vector<std::pair<fs::file_time_type, std::string>> found;
  for (const auto& entry : Entries(world_.directory, error)) {
    v1::SwarmLayout layout;
    const std::string file = entry.path().filename();
    const std::optional<std::string> name = from_hex(file);
    const bool is_whole = name && layout.ParseFromString(read_all(entry.path().string() + std::string(kLayout))) &&
                          swarm::check_layout(layout) && layout.name() == *name && entry.is_regular_file(error) &&
                          entry.file_size(error) == layout.size();
    if (is_whole) {
      const auto member = std::make_shared<Member>();
      member->layout = std::move(layout);
      member->whole = member->kept = true;
      found.emplace_back(entry.last_write_time(error), *name);
      members_.emplace(*name, member);
    }
  }
  std::ranges::sort(found);
  for (const auto& [used, name] : found) members_.at(name)->last_use = ++uses_;
  for (const auto& entry : Entries(world_.directory, error)) {
    const std::optional<std::string> name = from_hex(entry.path().stem().string());
    if (!name || !members_.contains(*name)) fs::remove_all(entry.path(), error);
  }
  return {};
}

std::uint64_t Swarms::bytes() const {
  std::uint64_t sum = 0;
  for (const auto& [name, member] : members_) sum += member->layout.size();
  return sum;
}

std::vector<v1::Blob> Swarms::held() const {
  std::vector<v1::Blob> blobs;
  for (const auto& [name, member] : members_) {
    if (!member->kept) continue;
    v1::Blob& blob = blobs.emplace_back();
    blob.set_sha256(name);
    blob.set_size(member->layout.size());
  }
  return blobs;
}

// --- the helper

void Swarms::set_terms(const SwarmTerms& terms, std::uint64_t bytes) {
  limit_ = bytes;
  make_room(0);
  const SwarmTerms before = std::exchange(terms_, terms);
  if (!terms.allowed || before.lan_only != terms.lan_only) stop_helper();
  if (helper_ != nullptr && before.upload_bytes_per_second != terms.upload_bytes_per_second) {
    v1::SwarmOrder order;
    order.set_upload_bytes_per_second(terms.upload_bytes_per_second);
    helper_->send(order);
  }
  // From the start, so that what lies here is given.
  if (terms.allowed) static_cast<void>(starts_helper());
}

bool Swarms::starts_helper() {
  if (helper_ != nullptr) return true;
  const Time now = world_.loop.now();
  std::error_code error;
  if (!terms_.allowed || !fs::exists(world_.program, error)) return false;
  if (helper_failed_ && helper_started_ + kBeforeRestart > now) return false;
  helper_started_ = now;
  auto started = SwarmHelper::start(
      world_.loop, world_.program, world_.bwrap, world_.directory,
      {.news = [this](const v1::SwarmNews& news) { on_news(news); }, .end = [this] { on_helper_end(); }});
  if (!started) {
    log_warning("blobs come from the hub alone: " + started.error().message);
    helper_failed_ = true;
    return false;
  }
  helper_ = std::move(*started);
  begin_helper(*helper_);
  return true;
}

void Swarms::begin_helper(SwarmHelper& helper) {
  v1::SwarmOrder order;
  order.mutable_begin()->set_lan_only(terms_.lan_only);
  order.mutable_begin()->set_upload_bytes_per_second(terms_.upload_bytes_per_second);
  helper.send(order);
  for (const auto& [name, member] : members_) {
    member->joined = member->kept;
    if (member->kept) join(*member);
  }
}

void Swarms::stop_helper() {
  if (helper_ == nullptr) return;
  helper_.reset();
  for (const auto& [name, member] : members_) {
    member->joined = false;
    member->changed.notify();
  }
  if (std::exchange(port_, 0) != 0 && port_changed_) port_changed_();
}

void Swarms::on_helper_end() {
  log_warning("hearth-swarm has ended; blobs come from the hub alone for a minute");
  helper_failed_ = true;
  stop_helper();
}

void Swarms::join(const Member& member) {
  v1::SwarmOrder order;
  *order.mutable_join()->mutable_layout() = member.layout;
  order.mutable_join()->set_whole(member.whole);
  helper_->send(order);
  if (!member.peers.empty()) tell_peers(member.layout.name(), member.peers);
}

void Swarms::tell_peers(const std::string& name, const std::vector<std::string>& peers) {
  v1::SwarmOrder order;
  order.mutable_peers()->set_name(name);
  for (const std::string& peer : peers) order.mutable_peers()->add_peers(peer);
  helper_->send(order);
}

void Swarms::add_peers(const v1::SwarmPeers& peers) {
  const auto found = members_.find(peers.name());
  if (found == members_.end() || !swarm::check_peers(peers)) return;
  found->second->peers.assign(peers.peers().begin(), peers.peers().end());
  if (helper_ != nullptr && found->second->joined) tell_peers(peers.name(), found->second->peers);
}

void Swarms::on_news(const v1::SwarmNews& news) {
  if (news.has_listening()) {
    const bool differs = std::exchange(port_, news.listening()) != news.listening();
    if (differs && port_changed_) port_changed_();
    return;
  }
  const std::string& name = news.has_wanted() ? news.wanted().name() : news.progress().name();
  const auto found = members_.find(name);
  if (found == members_.end()) return;
  Member& member = *found->second;
  if (news.has_wanted()) {
    const bool is_piece = news.wanted().index() < swarm::pieces_of(member.layout);
    if (is_piece && member.wanted.size() < swarm::pieces_of(member.layout))
      member.wanted.push_back(news.wanted().index());
  } else if (!member.whole) {
    member.pieces = news.progress().pieces();
    member.whole = news.progress().whole();
    member.error = news.progress().error();
  }
  member.changed.notify();
}

// --- fetching

Swarms::MemberPtr Swarms::member_of(const std::string& name) {
  MemberPtr& member = members_[name];
  if (!member) member = std::make_shared<Member>();
  return member;
}

net::Async<void> Swarms::fetch(std::shared_ptr<HubLink> link, v1::Swarm swarm, blob::BlobStore& into) {
  if (Result<void> checked = swarm::check_swarm(swarm); !checked) co_return log_warning(checked.error().message);
  if (!starts_helper()) co_return;
  MemberPtr member = member_of(swarm.name());
  while (member->busy) {
    co_await member->changed.wait();
    member = member_of(swarm.name());
  }
  if (into.has(swarm.blob().sha256())) co_return;
  member->busy = true;
  member->last_use = ++uses_;
  Result<void> fetched = co_await fetch_now(std::move(link), swarm, into, member);
  member->busy = false;
  member->changed.notify();
  if (fetched) co_return;
  log_info("a blob comes from the hub after all",
           {{"blob", to_hex(swarm.blob().sha256())}, {"why", fetched.error().message}});
  remove(swarm.name());
}

net::Async<Result<void>> Swarms::fetch_now(std::shared_ptr<HubLink> link, const v1::Swarm& swarm, blob::BlobStore& into,
                                           MemberPtr member) {
  if (!member->whole) {
    Result<v1::SwarmLayout> layout = co_await link->transfer.fetch_swarm_layout(swarm.blob());
    if (!layout) co_return std::unexpected(layout.error());
    if (layout->name() != swarm.name() || layout->size() != swarm.blob().size()) {
      co_return fail(Code::kDataLoss, "the hub's pieces are another swarm's");
    }
    if (!make_room(layout->size())) {
      co_return fail(Code::kResourceExhausted, "the owner leaves no room for it (hearth limit --disk)");
    }
    member->layout = std::move(*layout);
    member->peers.assign(swarm.peers().begin(), swarm.peers().end());
    if (Result<void> gathered = co_await gather(link, swarm, member); !gathered) co_return gathered;
  }
  if (Result<void> done = co_await decipher(swarm, *member, into); !done) co_return done;
  if (!member->kept) {
    if (Result<void> kept = co_await keep(*member); !kept) co_return kept;
    member->kept = true;
    log_info("a blob came from other nodes", {{"blob", to_hex(swarm.blob().sha256())},
                                              {"pieces", member->pieces},
                                              {"of them from the hub", member->from_hub}});
  }
  co_return Result<void>();
}

// Until all pieces are there. What no other node has comes from the hub, enciphered here.
net::Async<Result<void>> Swarms::gather(std::shared_ptr<HubLink> link, const v1::Swarm& swarm, MemberPtr member) {
  if (!starts_helper()) co_return fail(Code::kUnavailable, "hearth-swarm does not run");
  member->joined = true;
  join(*member);
  std::uint32_t pieces = 0;
  for (Time progressed = world_.loop.now(); !member->whole;) {
    if (!member->joined) co_return fail(Code::kUnavailable, "hearth-swarm has ended");
    if (!member->error.empty()) co_return fail(Code::kUnavailable, member->error);
    if (std::exchange(pieces, member->pieces) != member->pieces) progressed = world_.loop.now();
    if (progressed + kPatience < world_.loop.now()) co_return fail(Code::kDeadlineExceeded, "nothing comes any more");
    while (member->arriving < kPiecesAtOnce && !member->wanted.empty()) {
      const std::uint32_t index = member->wanted.front();
      member->wanted.pop_front();
      ++member->arriving;
      world_.loop.spawn(give_piece(link, swarm, member, index));
    }
    co_await member->changed.wait(kLook);
  }
  co_return Result<void>();
}

net::Async<void> Swarms::give_piece(std::shared_ptr<HubLink> link, v1::Swarm swarm, MemberPtr member,
                                    std::uint32_t index) {
  const std::uint64_t offset = std::uint64_t{index} * member->layout.piece_bytes();
  const std::uint64_t count = swarm::bytes_of_piece(member->layout, index);
  Result<std::string> bytes = co_await link->transfer.fetch_part(swarm.blob(), offset, count);
  if (bytes) {
    co_await world_.workers.run([&] { net::CounterCipher(swarm.key(), offset).apply(*bytes); });
    v1::SwarmOrder order;
    order.mutable_piece()->set_name(swarm.name());
    order.mutable_piece()->set_index(index);
    order.mutable_piece()->set_data(std::move(*bytes));
    if (helper_ != nullptr && member->joined) helper_->send(order);
    ++member->from_hub;
  }
  --member->arriving;
  member->changed.notify();
}

// Into the store, which takes it only if it is what its name says.
net::Async<Result<void>> Swarms::decipher(const v1::Swarm& swarm, const Member& member, blob::BlobStore& into) {
  const fs::path file = file_of(swarm.name());
  co_return co_await world_.workers.run([&]() -> Result<void> {
    const Fd opened(::open(file.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW));
    if (opened.get() < 0) return fail_errno(errno, "reading " + file.string());
    Result<blob::Writer> writer = into.create(member.layout.size());
    if (!writer) return std::unexpected(writer.error());
    net::CounterCipher cipher(swarm.key(), 0);
    std::string block;
    for (std::uint64_t offset = 0; offset < member.layout.size(); offset += block.size()) {
      block.resize(std::min<std::uint64_t>(kBlockBytes, member.layout.size() - offset));
      const ssize_t count = ::pread(opened.get(), block.data(), block.size(), static_cast<off_t>(offset));
      if (count <= 0) return fail(Code::kDataLoss, "what came from other nodes is cut off");
      block.resize(static_cast<std::size_t>(count));
      cipher.apply(block);
      if (Result<void> written = writer->write(block); !written) return written;
    }
    const Result<blob::Digest> stored = writer->commit(&swarm.blob().sha256());
    if (!stored) return fail(stored, "what came from other nodes");
    return {};
  });
}

net::Async<Result<void>> Swarms::keep(const Member& member) {
  const fs::path file = file_of(member.layout.name()).string() + std::string(kLayout);
  co_return co_await world_.workers.run([&]() -> Result<void> {
    std::ofstream stream(file, std::ios::binary | std::ios::trunc);
    if (member.layout.SerializeToOstream(&stream) && stream.flush()) return {};
    return fail(Code::kResourceExhausted, "writing " + file.string());
  });
}

// --- room

// True: there is room for so many bytes more.
bool Swarms::make_room(std::uint64_t wanted) {
  if (wanted > limit_) return false;
  while (bytes() + wanted > limit_) {
    auto oldest = members_.end();
    for (auto entry = members_.begin(); entry != members_.end(); ++entry) {
      if (entry->second->busy) continue;
      if (oldest == members_.end() || entry->second->last_use < oldest->second->last_use) oldest = entry;
    }
    if (oldest == members_.end()) return false;
    remove(std::string(oldest->first));
  }
  return true;
}

void Swarms::remove(const std::string& name) {
  const auto found = members_.find(name);
  if (found == members_.end() || found->second->busy) return;
  if (helper_ != nullptr && found->second->joined) {
    v1::SwarmOrder order;
    order.set_leave(name);
    helper_->send(order);
  }
  members_.erase(found);
  std::error_code error;
  fs::remove(file_of(name).string() + std::string(kLayout), error);
  fs::remove(file_of(name), error);
}

}  // namespace hearth::node
