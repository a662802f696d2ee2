#include <fcntl.h>
#include <unistd.h>

#include <cstdio>

#include "base/bytes.h"
#include "base/sizes.h"
#include "bench/benches.h"
#include "bench/world.h"

namespace hearth::bench {
namespace {

constexpr std::size_t kSmallBytes = 4096;
constexpr std::size_t kAtOnce = 8;

struct Figures {
  double wall = 0;
  double hub_cpu = 0;
};

template <class Work>
Figures measure(const HubProcess& hub, Work work) {
  const double cpu = cpu_of(hub.process());
  const double wall = spent_by_self().wall;
  work();
  return {.wall = spent_by_self().wall - wall, .hub_cpu = cpu_of(hub.process()) - cpu};
}

net::Async<net::Headers> authorized(account::Session& session) {
  Result<std::string> token = co_await session.token();
  if (!token) give_up(token.error().message);
  net::Headers headers;
  headers.add("Authorization", "Bearer " + *token);
  co_return headers;
}

// An unlinked file of random bytes, and its digest.
struct BigFile {
  int file = -1;
  std::uint64_t size = 0;
  std::string name;
};
BigFile make_big_file(std::uint64_t mebibytes) {
  std::string pattern = "/tmp/hearth-bench-file.XXXXXX";
  BigFile big{.file = mkstemp(pattern.data()), .size = mebibytes * kMiB};
  unlink(pattern.c_str());
  net::Sha256 hash;
  const std::string block = net::random_bytes(kMiB);
  for (std::uint64_t i = 0; i < mebibytes; ++i) {
    std::string piece = block;
    piece.replace(0, 8, std::string(reinterpret_cast<const char*>(&i), 8));
    hash.update(piece);
    if (write(big.file, piece.data(), piece.size()) != static_cast<ssize_t>(piece.size())) give_up("the disk is full");
  }
  big.name = "/blob/" + to_hex(hash.finish());
  return big;
}

net::Async<void> send_big(account::Session& session, const BigFile& big) {
  Result<net::Response> response =
      co_await session.client().send_file(big.name, co_await authorized(session), big.file, big.size);
  if (!response || response->status != 201) give_up(response ? response->body : response.error().message);
}

net::Async<void> fetch_big(account::Session& session, const BigFile& big) {
  std::uint64_t received = 0;
  const auto sink = [&](std::string_view piece) -> net::Async<Result<void>> {
    received += piece.size();
    co_return Result<void>();
  };
  Result<net::Response> response = co_await session.client().fetch(big.name, co_await authorized(session), sink);
  if (!response || received != big.size) give_up("the download is short");
}

struct Small {
  std::string path;
  std::string content;
};

// Each of kAtOnce coroutines takes the next file until there is none.
net::Async<void> each_small(account::Session& session, const std::vector<Small>& files, bool up, std::size_t& next,
                            std::size_t& done) {
  while (next < files.size()) {
    const Small& file = files[next++];
    net::Headers headers = co_await authorized(session);
    Result<net::Response> response =
        co_await session.client().request(up ? "PUT" : "GET", file.path, headers, up ? file.content : "");
    if (!response || response->status >= 300) give_up(response ? response->body : response.error().message);
    ++done;
  }
}

void all_small(net::Loop& loop, account::Session& session, const std::vector<Small>& files, bool up) {
  std::size_t next = 0;
  std::size_t done = 0;
  for (std::size_t i = 0; i < kAtOnce; ++i) loop.spawn(each_small(session, files, up, next, done));
  loop.run_until_done([](const std::size_t& finished, std::size_t all) -> net::Async<void> {
    while (finished < all) co_await net::sleep_for(milliseconds(1));
  }(done, files.size()));
}

}  // namespace

int blob(const Arguments& arguments) {
  const std::uint64_t mebibytes = arguments.get("--mib", 1024);
  const std::size_t count = arguments.get("--files", 10'000);
  const HubProcess hub(0);
  net::Loop loop;
  net::Workers workers(2);
  account::Session session(loop, workers, hub.owner_account(), hub.owner_key());
  const BigFile big = make_big_file(mebibytes);
  const double gibibytes = static_cast<double>(mebibytes) / 1024;
  const Figures up = measure(hub, [&] { loop.run_until_done(send_big(session, big)); });
  const Figures down = measure(hub, [&] { loop.run_until_done(fetch_big(session, big)); });
  close(big.file);
  std::printf(
      "blob_large mib=%lu up_hub_cpu_s_per_gib=%.2f up_mib_per_s=%.0f down_hub_cpu_s_per_gib=%.2f "
      "down_mib_per_s=%.0f\n",
      mebibytes, up.hub_cpu / gibibytes, static_cast<double>(mebibytes) / up.wall, down.hub_cpu / gibibytes,
      static_cast<double>(mebibytes) / down.wall);

  std::vector<Small> files;
  for (std::size_t i = 0; i < count; ++i) {
    std::string content = net::random_bytes(kSmallBytes);
    std::string path = "/blob/" + to_hex(net::sha256(content));
    files.push_back({std::move(path), std::move(content)});
  }
  const Figures put = measure(hub, [&] { all_small(loop, session, files, true); });
  const Figures get = measure(hub, [&] { all_small(loop, session, files, false); });
  const auto number = static_cast<double>(count);
  std::printf("blob_small files=%zu put_per_s=%.0f put_hub_cpu_us=%.0f get_per_s=%.0f get_hub_cpu_us=%.0f\n", count,
              number / put.wall, put.hub_cpu * 1e6 / number, number / get.wall, get.hub_cpu * 1e6 / number);
  return 0;
}

}  // namespace hearth::bench
