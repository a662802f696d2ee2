// Web programs of jobs: a browser reaches one at an origin of its own, as the device that opened it and nobody else.
#include <arpa/inet.h>
#include <sys/socket.h>
#include <unistd.h>

#include <fstream>
#include <set>

#include <nlohmann/json.hpp>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/bytes.h"
#include "harness/api.h"
#include "harness/pairing.h"
#include "harness/pool.h"
#include "harness/raw.h"
#include "hearth/v1/apps.pb.h"
#include "hearth/v1/devices.pb.h"

namespace hearth::e2e {
namespace {

using testing::AllOf;
using testing::HasSubstr;
using testing::Not;
using Json = nlohmann::json;

const std::string kHost = "Host: 127.0.0.1\r\n";

// A browser that was let in, or would be.
struct Door {
  std::uint16_t port = 0;
  std::string path;    // with its ticket
  std::string cookie;  // once it was let in

  HeaderList headers() const { return {{"Cookie", cookie}, {"Sec-Fetch-Site", "same-origin"}}; }
  HttpAnswer get(const std::string& target) const { return https(port, "GET", target, headers(), ""); }
  std::string head_of(const std::string& method, const std::string& target) const {
    return method + " " + target + " HTTP/1.1\r\n" + kHost + "Cookie: " + cookie +
           "\r\nSec-Fetch-Site: same-origin\r\n";
  }
  HttpAnswer enter() {
    const HttpAnswer answer = https(port, "GET", path, {{"Sec-Fetch-Site", "same-site"}}, "");
    const std::size_t begin = answer.head.find("__Host-hearth-door-");
    if (begin != std::string::npos) cookie = answer.head.substr(begin, answer.head.find(';', begin) - begin);
    return answer;
  }
};

class WebTest : public PoolFixture {
 protected:
  static std::string source() {
    std::ifstream file(HEARTH_WEB_PROGRAM);
    return {std::istreambuf_iterator<char>(file), {}};
  }
  static std::uint64_t start(Api& api, std::uint32_t web_port = 9000) {
    v1::JobSpec spec = program({"/usr/bin/python3", "-c", source()});
    spec.set_web_port(web_port);
    const auto job = api.submit(spec);
    EXPECT_TRUE(job) << text_of(job.error());
    api.wait_until_running(*job);
    return *job;
  }
  static Result<v1::OpenWebReply> ask(Api& api, std::uint64_t job, std::uint32_t port = 0, std::uint32_t task = 0) {
    v1::OpenWebRequest request;
    request.set_job_id(job);
    request.set_port(port);
    request.set_task(task);
    return api.call<v1::OpenWebReply>("hearth.v1.AppService/OpenWeb", request);
  }
  // Once the program listens.
  static Door open(Api& api, std::uint64_t job, std::uint32_t port = 0) {
    Result<v1::OpenWebReply> reply = fail(Code::kUnknown, "not asked");
    EXPECT_TRUE(eventually(seconds(60), [&] { return (reply = ask(api, job, port)).has_value(); }))
        << text_of(reply.error());
    if (!reply) return {};
    return {.port = static_cast<std::uint16_t>(reply->door()), .path = reply->path(), .cookie = {}};
  }
  static Door enter(Api& api, std::uint64_t job, std::uint32_t port = 0) {
    Door door = open(api, job, port);
    EXPECT_EQ(door.enter().status, 200U);
    EXPECT_FALSE(door.cookie.empty());
    return door;
  }
  static std::string header(const Json& told, const std::string& name) {
    for (const auto& pair : told["headers"]) {
      if (pair[0] == name) return pair[1];
    }
    return "(none)";
  }
};

TEST_F(WebTest, AProgramSeesABrowserOfItsOwnMachine) {
  Api owner(pool());
  const Door door = enter(owner, start(owner));
  HeaderList headers = door.headers();
  headers.front().second += "; __Host-hearth=a-session; __Secure-hearth-link=b; theme=dark";
  headers.emplace_back("Origin", "https://127.0.0.1");
  headers.emplace_back("Referer", "https://127.0.0.1/page?x");
  headers.emplace_back("X-Forwarded-For", "10.0.0.1");
  headers.emplace_back("Proxy-Authorization", "Basic x");
  const HttpAnswer answer = https(door.port, "GET", "/a%2Fb//c/../d?x=1&y", headers, "");
  ASSERT_EQ(answer.status, 200U) << answer.head << answer.body;
  const Json told = Json::parse(answer.body);
  EXPECT_EQ(told["path"], "/a%2Fb//c/../d?x=1&y");
  EXPECT_EQ(header(told, "Host"), "localhost:9000");
  EXPECT_EQ(header(told, "Origin"), "http://localhost:9000");
  EXPECT_EQ(header(told, "Referer"), "http://localhost:9000/page?x");
  EXPECT_EQ(header(told, "Cookie"), "theme=dark");
  EXPECT_EQ(header(told, "X-Forwarded-For"), "(none)");
  EXPECT_EQ(header(told, "Proxy-Authorization"), "(none)");
  EXPECT_THAT(door.get("/away").head, HasSubstr("Location: /told?a\r\n"));
  EXPECT_EQ(https(door.port, "HEAD", "/", door.headers(), "").body, "");
}

TEST_F(WebTest, CarriesBodiesStreamsAndWebSockets) {
  Api owner(pool());
  const Door door = enter(owner, start(owner));
  const std::string large(8 << 20, 'u');
  const HttpAnswer echoed = https(door.port, "POST", "/echo", door.headers(), large);
  EXPECT_EQ(echoed.status, 200U);
  EXPECT_TRUE(echoed.body == large) << echoed.body.size() << " bytes came back";

  RawConnection chunked(door.port, Layer::kTls);
  chunked.send(door.head_of("POST", "/echo") + "Connection: close\r\nTransfer-Encoding: chunked\r\n\r\n");
  chunked.send("3\r\nabc\r\n4;x=y\r\ndefg\r\n");
  chunked.send("0\r\n\r\n");
  EXPECT_THAT(chunked.receive(seconds(30)), HasSubstr("\r\n\r\nabcdefg"));

  RawConnection events(door.port, Layer::kTls);
  events.send(door.head_of("GET", "/events") + "\r\n");
  std::string came;
  EXPECT_TRUE(eventually(seconds(30), [&] {
    came += events.receive(milliseconds(100));
    return came.contains("data: one");
  })) << came;

  RawConnection socket(door.port, Layer::kTls);
  socket.send(door.head_of("GET", "/socket") +
              "Origin: https://127.0.0.1\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n"
              "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n");
  std::string answer;
  EXPECT_TRUE(eventually(seconds(30), [&] {
    answer += socket.receive(milliseconds(100));
    return answer.ends_with("\r\n\r\n");
  })) << answer;
  EXPECT_THAT(answer, AllOf(HasSubstr("HTTP/1.1 101 "), HasSubstr("s3pPLMBiTxaQ9kYGzzhZRbK+xOo=")));
  for (int i = 0; i < 3; ++i) {
    socket.send(std::string("\x81\x85\0\0\0\0hello", 11));
    EXPECT_EQ(socket.receive(seconds(30), 7), "\x81\x05hello");
  }
}

TEST_F(WebTest, LetsInByATicketOnceAndItsOwnPagesAlone) {
  Api owner(pool());
  const std::uint64_t job = start(owner);
  Door door = open(owner, job);
  const Door uninvited = door;
  EXPECT_EQ(door.get("/told").status, 401U) << "without a cookie";
  const HttpAnswer entered = door.enter();
  EXPECT_THAT(entered.head, AllOf(HasSubstr("; Path=/; Secure; HttpOnly; SameSite=Strict\r\n"),
                                  HasSubstr("Clear-Site-Data: \"storage\"\r\n"), HasSubstr("Cache-Control: no-store")));
  EXPECT_EQ(door.get("/told").status, 200U);
  EXPECT_EQ(https(door.port, "GET", uninvited.path, {}, "").status, 403U) << "the same ticket again";
  EXPECT_EQ(https(door.port, "GET", "/.hearth-enter?ticket=00", {}, "").status, 403U);
  EXPECT_THAT(https(door.port, "GET", door.path, door.headers(), "").head, Not(HasSubstr("Clear-Site-Data")))
      << "one who is in keeps what he has";

  const auto status = [&](const HeaderList& more) {
    HeaderList headers = {{"Cookie", door.cookie}};
    headers.insert(headers.end(), more.begin(), more.end());
    return https(door.port, "GET", "/told", headers, "").status;
  };
  EXPECT_EQ(status({{"Sec-Fetch-Site", "none"}}), 200U);
  EXPECT_EQ(status({{"Sec-Fetch-Site", "same-site"}}), 403U) << "another door's page, or the hub's";
  EXPECT_EQ(status({{"Sec-Fetch-Site", "cross-site"}}), 403U);
  EXPECT_EQ(status({}), 403U) << "a browser that does not say who asks";
  EXPECT_EQ(status({{"Sec-Fetch-Site", "same-origin"}, {"Origin", "https://127.0.0.1:1"}}), 403U);
  EXPECT_EQ(status({{"Sec-Fetch-Site", "same-origin"}, {"Service-Worker", "script"}}), 403U);
  RawConnection socket(door.port, Layer::kTls);
  socket.send(door.head_of("GET", "/socket") + "Connection: Upgrade\r\nUpgrade: websocket\r\n\r\n");
  EXPECT_EQ(socket.receive(seconds(30), 12).substr(0, 12), "HTTP/1.1 403") << "a WebSocket without its origin";

  // Each door is another port, another cookie.
  const Door other = enter(owner, start(owner));
  EXPECT_NE(other.port, door.port);
  EXPECT_EQ(https(door.port, "GET", "/told", other.headers(), "").status, 401U);
  EXPECT_EQ(ask(owner, job)->door(), door.port) << "the same door for the same place";
}

TEST_F(WebTest, AHostileProgramStaysWithinItsOrigin) {
  Api owner(pool());
  const Door door = enter(owner, start(owner));
  const std::string head = door.get("/hostile").head;
  for (const char* gone : {"Strict-Transport-Security", "Clear-Site-Data", "Alt-Svc", "stolen",
                           "Service-Worker-Allowed", "max-age=9", "X-Hop", "Domain="}) {
    EXPECT_THAT(head, Not(HasSubstr(gone)));
  }
  EXPECT_THAT(head, AllOf(HasSubstr("Cache-Control: no-store\r\n"), HasSubstr("Permissions-Policy: camera=()"),
                          HasSubstr("connect-src 'self' wss://127.0.0.1 data: blob:;"),
                          HasSubstr("Set-Cookie: seen=yes; Path=/; Secure\r\n")));
  // What scripts cannot see is this door's alone: another program is not sent it.
  const std::size_t at = head.find("__Secure-hearth-door-");
  ASSERT_NE(at, std::string::npos) << head;
  const std::string hidden = head.substr(at, head.find(';', at) - at);
  EXPECT_THAT(hidden, testing::EndsWith("-sid=secret"));
  const Door other = enter(owner, start(owner));
  const auto cookies_at = [&](const Door& place) {
    const HeaderList headers = {{"Cookie", place.cookie + "; " + hidden + "; seen=yes"}, {"Sec-Fetch-Site", "none"}};
    return header(Json::parse(https(place.port, "GET", "/told", headers, "").body), "Cookie");
  };
  EXPECT_EQ(cookies_at(door), "sid=secret; seen=yes");
  EXPECT_EQ(cookies_at(other), "seen=yes");

  // Its pages ask the hub in vain, though the browser sends them with its cookie.
  const std::uint16_t hub = pool().endpoint().port;
  const std::string session = "__Host-hearth=" + owner.token();
  const auto list = [&](const HeaderList& more) {
    HeaderList headers = {{"Cookie", session}, {"Content-Type", "application/json"}};
    headers.insert(headers.end(), more.begin(), more.end());
    return https(hub, "POST", "/hearth.v1.JobService/List", headers, "{}").status;
  };
  EXPECT_EQ(list({{"Sec-Fetch-Site", "same-origin"}, {"Origin", "https://127.0.0.1"}}), 200U);
  EXPECT_EQ(list({{"Sec-Fetch-Site", "same-site"}}), 401U);
  EXPECT_EQ(list({{"Origin", "https://127.0.0.1:" + std::to_string(door.port)}}), 401U);
  EXPECT_EQ(https(hub, "GET", "/dav/", {{"Cookie", session}, {"Sec-Fetch-Site", "same-site"}}, "").status, 401U);
}

TEST_F(WebTest, NeitherSideSmugglesARequestOrAnAnswer) {
  Api owner(pool());
  const Door door = enter(owner, start(owner));
  const auto status = [&](const std::string& bytes) {
    RawConnection connection(door.port, Layer::kTls);
    connection.send(bytes);
    return connection.receive(seconds(30), 12).substr(0, 12);
  };
  EXPECT_EQ(status(door.head_of("POST", "/echo") + "Content-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"),
            "HTTP/1.1 400");
  EXPECT_EQ(status(door.head_of("POST", "/echo") + "Content-Length: 3\r\nContent-Length: 4\r\n\r\nabcd"),
            "HTTP/1.1 400");
  EXPECT_EQ(status(door.head_of("POST", "/echo") + "Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n"),
            "HTTP/1.1 501");
  EXPECT_EQ(status(door.head_of("GET", "http://127.0.0.1/told") + "\r\n"), "HTTP/1.1 400");
  EXPECT_EQ(status(door.head_of("GET", "/told") + "X: " + std::string(40'000, 'x') + "\r\n\r\n"), "HTTP/1.1 431");
  EXPECT_EQ(status("GET /told HTTP/1.1\r\nHost: a\"b\r\n\r\n"), "HTTP/1.1 400");

  EXPECT_EQ(door.get("/both").status, 502U);
  EXPECT_EQ(door.get("/long").status, 502U);
  EXPECT_EQ(door.get("/nonsense").status, 502U);
  EXPECT_EQ(door.get("/less").body, "less") << "and the connection's end, before its announced length";
  EXPECT_EQ(door.get("/more").body, "ok");
  RawConnection kept(door.port, Layer::kTls);
  kept.send(door.head_of("GET", "/more") + "\r\n" + door.head_of("GET", "/away") + "Connection: close\r\n\r\n");
  const std::string answers = kept.receive(seconds(30));
  EXPECT_THAT(answers, AllOf(HasSubstr("ok"), HasSubstr("/told?a"), Not(HasSubstr("evil"))));
}

TEST_F(WebTest, ARevokedDevicesBrowserIsCutOffAtOnce) {
  Api phone(pair_device(pool(), "phone", v1::ROLE_MEMBER));
  const Door door = enter(phone, start(phone));
  RawConnection events(door.port, Layer::kTls);
  events.send(door.head_of("GET", "/events") + "\r\n");
  std::string came;
  ASSERT_TRUE(eventually(seconds(30), [&] {
    came += events.receive(milliseconds(100));
    return came.contains("data: one");
  })) << came;
  ASSERT_EQ(pool().cli({"devices", "revoke", "phone"}).exit_code, 0);
  EXPECT_TRUE(events.closed_within(seconds(20)));
  EXPECT_NE(door.get("/told").status, 200U);
}

TEST_F(WebTest, TheDoorClosesWithTheJob) {
  Api owner(pool());
  const std::uint64_t job = start(owner);
  const Door door = enter(owner, job);
  RawConnection events(door.port, Layer::kTls);
  events.send(door.head_of("GET", "/events") + "\r\n");
  ASSERT_THAT(events.receive(seconds(30), 12), HasSubstr("200"));
  ASSERT_TRUE(owner.cancel(job));
  owner.wait(job);
  EXPECT_TRUE(events.closed_within(seconds(20)));
  EXPECT_TRUE(eventually(seconds(20), [&] {
    const int socket = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    sockaddr_in place{
        .sin_family = AF_INET, .sin_port = htons(door.port), .sin_addr = {htonl(INADDR_LOOPBACK)}, .sin_zero = {}};
    const bool is_closed = ::connect(socket, reinterpret_cast<sockaddr*>(&place), sizeof place) != 0;
    ::close(socket);
    return is_closed;
  })) << "somebody listens at the door's port";
}

TEST_F(WebTest, IsForTheJobsOwnDeviceAndThePoolsOwners) {
  Api owner(pool());
  const std::uint64_t job = start(owner);
  open(owner, job);
  Api member(pair_device(pool(), "member", v1::ROLE_MEMBER));
  const auto refused = ask(member, job);
  ASSERT_FALSE(refused);
  EXPECT_THAT(refused.error().message, HasSubstr("only that device, an owner's or an operator's"));
  EXPECT_THAT(pool().cli({"audit"}).out, Not(HasSubstr("job.forward")));
  const std::uint64_t members = start(member);
  const Door door = enter(owner, members);
  EXPECT_EQ(door.get("/told").status, 200U);
  EXPECT_THAT(pool().cli({"audit"}).out, HasSubstr("job.forward"));
}

TEST_F(WebTest, ADeviceHasSomeDoorsAndTheOldestGivesWay) {
  Api owner(pool());
  const std::uint64_t job = start(owner, 0);
  v1::JobSpec many = program({"/usr/bin/python3", "-c",
                              "import socket, threading\n"
                              "all = [socket.create_server(('127.0.0.1', 9000 + i)) for i in range(9)]\n"
                              "threading.Event().wait()"});
  const auto other = owner.submit(many);
  ASSERT_TRUE(other);
  owner.wait_until_running(*other);
  const Door first = enter(owner, job, 9000);
  std::set<std::uint16_t> ports = {first.port};
  for (std::uint32_t i = 0; i < 7; ++i) ports.insert(open(owner, *other, 9000 + i).port);
  EXPECT_EQ(ports.size(), 8U);
  EXPECT_EQ(first.get("/told").status, 200U) << "which makes it the one used last";
  open(owner, *other, 9007);
  EXPECT_EQ(first.get("/told").status, 200U);
}

TEST_F(WebTest, CommandsSayWhatIsWrong) {
  const auto says = [&](const std::vector<std::string>& words, int code, const std::string& text) {
    const Ended ended = pool().cli(words);
    EXPECT_EQ(ended.exit_code, code) << text << ended.err;
    EXPECT_THAT(ended.err, HasSubstr(text));
  };
  says({"run", "--web", "0", "--", "true"}, 2, "--web 0: a whole number from 1 to 65535 is needed");
  says({"run", "--web", "80", "--terminal", "--", "true"}, 2, "--window, --terminal and --web: a program has one");
  says({"run", "--web", "80", "-n", "2", "--", "true"}, 2, "a job of one task");
  says({"app", "add", "--web", "x", "Notes", "--", "true"}, 2, "--web x");
  says({"app", "add", "--web", "80", "--terminal", "Notes", "--", "true"}, 2, "--terminal and --web");
  says({"open", "99999"}, 1, "there is no job 99999");
  says({"open", "1", "0"}, 2, "from 1 to 65535");
  Api owner(pool());
  const auto silent = owner.submit(shell("sleep 1000"));
  ASSERT_TRUE(silent);
  owner.wait_until_running(*silent);
  says({"open", std::to_string(*silent)}, 2, "the port that it listens on is needed");
  EXPECT_TRUE(eventually(seconds(30), [&] {
    return pool().cli({"open", std::to_string(*silent), "9000"}).err.contains("nothing in the task takes connections");
  }));
  const std::uint64_t job = start(owner);
  Door door = open(owner, job);
  const Ended opened = pool().cli({"open", "--json", std::to_string(job)});
  EXPECT_EQ(opened.exit_code, 0) << opened.err;
  const std::string link = Json::parse(opened.out)["link"];
  ASSERT_THAT(link, testing::StartsWith("https://127.0.0.1:" + std::to_string(door.port) + "/.hearth-enter?ticket="));
  door.path = link.substr(link.find("/.hearth"));
  EXPECT_EQ(door.enter().status, 200U);
  ASSERT_TRUE(owner.cancel(job));
  ASSERT_TRUE(owner.cancel(*silent));

  ASSERT_EQ(
      pool().cli({"app", "add", "--web", "9000", "Notes", "--", "python3", "-m", "http.server", "9000"}).exit_code, 0);
  EXPECT_TRUE(eventually(seconds(60), [&] { return pool().cli({"app", "list"}).out.contains("web 9000"); }));
  const Ended started = pool().cli({"app", "start", "Notes"});
  ASSERT_EQ(started.exit_code, 0) << started.err;
  EXPECT_EQ(enter(owner, std::stoull(started.out)).get("/").status, 200U);
}

}  // namespace
}  // namespace hearth::e2e
