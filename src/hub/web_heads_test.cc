#include "hub/web_heads.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace hearth::hub {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

const WebOrigin kOrigin{.id = "0123456789abcdef0123456789abcdef", .port = 8888, .is_confined = true};
constexpr const char* kHidden = "__Secure-hearth-door-0123456789abcdef0123456789abcdef-";

net::RequestHead request(std::vector<std::pair<std::string, std::string>> fields) {
  net::RequestHead head{.method = "GET", .path = "/", .query = "", .headers = {}, .content_length = 0};
  head.headers.add("Host", "pc.local:7444");
  for (auto& [name, value] : fields) head.headers.add(name, value);
  return head;
}

std::string asked(const std::string& name, std::vector<std::pair<std::string, std::string>> fields) {
  const net::Headers headers = request_for_program(kOrigin, request(std::move(fields)));
  return headers.has(name) ? std::string(headers.get(name)) : "(none)";
}

std::vector<std::string> answered(const std::string& name, std::vector<std::pair<std::string, std::string>> fields,
                                  const WebOrigin& origin = kOrigin) {
  net::Headers headers;
  for (auto& [field, value] : fields) headers.add(field, value);
  std::vector<std::string> values;
  for (const auto& [field, value] : answer_for_browser(origin, headers, "pc.local:7444").fields()) {
    if (field == name) values.push_back(value);
  }
  return values;
}

TEST(WebHeads, AskAsABrowserOfTheProgramsOwnMachine) {
  EXPECT_EQ(asked("Host", {}), "localhost:8888");
  EXPECT_EQ(asked("Connection", {{"Connection", "keep-alive"}}), "close");
  EXPECT_EQ(asked("Origin", {{"Origin", "https://pc.local:7444"}}), "http://localhost:8888");
  EXPECT_EQ(asked("Origin", {{"Origin", "null"}}), "null");
  EXPECT_EQ(asked("Referer", {{"Referer", "https://pc.local:7444/a?b"}}), "http://localhost:8888/a?b");
  EXPECT_EQ(asked("Referer", {{"Referer", "https://pc.local:7444@evil/a"}}), "(none)");
  EXPECT_EQ(asked("Referer", {{"Referer", "https://pc.local:7443/"}}), "(none)");
  EXPECT_EQ(asked("X-Forwarded-Host", {{"X-Forwarded-Host", "evil"}}), "(none)");
  EXPECT_EQ(asked("X-Own", {{"X-Own", "1"}}), "1");
  EXPECT_EQ(asked("X-Own", {{"X-Own", "1"}, {"Connection", "close, x-own"}}), "(none)");
  EXPECT_EQ(asked("Upgrade", {{"Connection", "Upgrade"}, {"Upgrade", "h2c"}}), "(none)");
  EXPECT_EQ(asked("Upgrade", {{"Connection", "Upgrade"}, {"Upgrade", "websocket"}}), "websocket");
  EXPECT_EQ(asked("Connection", {{"Connection", "Upgrade, x"}, {"Upgrade", "websocket"}}), "Upgrade");
}

TEST(WebHeads, FrameTheBodyOnce) {
  net::RequestHead chunked = request({{"Transfer-Encoding", "chunked"}});
  chunked.content_length.reset();
  const net::Headers headers = request_for_program(kOrigin, chunked);
  EXPECT_EQ(headers.get("Transfer-Encoding"), "chunked");
  EXPECT_FALSE(headers.has("Content-Length"));
  EXPECT_EQ(asked("Content-Length", {}), "(none)");
  EXPECT_EQ(asked("Content-Length", {{"Content-Length", "0"}}), "0");
  EXPECT_THAT(answered("Content-Length", {{"Content-Length", "3"}}), IsEmpty());
}

TEST(WebHeads, KeepTheHubsCookiesFromTheProgram) {
  EXPECT_EQ(asked("Cookie", {{"Cookie", "__Host-hearth=x"}}), "(none)");
  EXPECT_EQ(asked("Cookie", {{"Cookie", "a=1;__host-HEARTH=x ; b=2;; __Secure-hearth-link=y"}}), "a=1; b=2");
  EXPECT_EQ(asked("Cookie", {{"Cookie", entry_cookie(kOrigin) + "=secret; a"}}), "a");
  EXPECT_EQ(asked("Cookie", {{"Cookie", "a=1"}, {"cookie", "__Host-hearth=x; b=2"}}), "a=1; b=2");
}

TEST(WebHeads, GiveEachDoorItsOwnHiddenCookies) {
  EXPECT_THAT(answered("Set-Cookie", {{"Set-Cookie", "sid=a=b; Path=/x; HttpOnly; Domain=pc.local; Max-Age=5"}}),
              ElementsAre(std::string(kHidden) + "sid=a=b; Path=/x; Max-Age=5; Secure; HttpOnly"));
  EXPECT_EQ(asked("Cookie", {{"Cookie", std::string(kHidden) + "sid=a=b; " +
                                            "__Secure-hearth-door-ffffffffffffffffffffffffffffffff-sid=c"}}),
            "sid=a=b");
  // One that scripts see keeps its name, and ends a hidden one of that name.
  EXPECT_THAT(answered("Set-Cookie", {{"Set-Cookie", "_xsrf=1; SameSite=Lax; secure; path=/a"}}),
              ElementsAre("_xsrf=1; SameSite=Lax; path=/a; Secure",
                          std::string(kHidden) + "_xsrf=; path=/a; Max-Age=0; Secure; HttpOnly"));
}

TEST(WebHeads, LetNoProgramSetWhatIsTheHubs) {
  for (const char* cookie : {"__Host-hearth=x; Secure; Path=/", "__HOST-Hearth=x", " __Secure-hearth-link=x",
                             "__Host-hearth-door-0=x", "=__Host-hearth=x", "__Host-hearth", "", ";HttpOnly"}) {
    EXPECT_THAT(answered("Set-Cookie", {{"Set-Cookie", cookie}}), IsEmpty()) << cookie;
  }
}

TEST(WebHeads, AnswerWithNothingThatReachesBeyondTheDoor) {
  for (const char* name : {"Strict-Transport-Security", "clear-site-data", "ALT-SVC", "Public-Key-Pins", "NEL",
                           "Report-To", "Service-Worker-Allowed", "Upgrade", "Keep-Alive", "Expires"}) {
    EXPECT_THAT(answered(name, {{name, "x"}}), IsEmpty()) << name;
  }
  EXPECT_THAT(answered("Cache-Control", {{"Cache-Control", "max-age=99"}}), ElementsAre("no-store"));
  EXPECT_THAT(answered("X-Hop", {{"Connection", "X-Hop"}, {"X-Hop", "x"}}), IsEmpty());
  EXPECT_THAT(answered("Content-Security-Policy", {{"Content-Security-Policy", "default-src *"}}),
              ElementsAre("default-src *", testing::HasSubstr("connect-src 'self' wss://pc.local:7444 data: blob:")));
  WebOrigin free = kOrigin;
  free.is_confined = false;
  EXPECT_THAT(answered("Content-Security-Policy", {}, free), ElementsAre("frame-ancestors 'self'"));
}

TEST(WebHeads, LeadBackToTheDoor) {
  const auto location = [](const std::string& value, std::uint16_t port = 8888) {
    WebOrigin origin = kOrigin;
    origin.port = port;
    return answered("Location", {{"Location", value}}, origin).front();
  };
  EXPECT_EQ(location("http://localhost:8888/tree?a#b"), "/tree?a#b");
  EXPECT_EQ(location("HTTP://127.0.0.1:8888"), "/");
  EXPECT_EQ(location("https://[::1]:8888?x"), "/?x");
  EXPECT_EQ(location("//localhost:8888/a"), "/a");
  EXPECT_EQ(location("http://localhost/a", 80), "/a");
  EXPECT_EQ(location("http://localhost:88881/a"), "http://localhost:88881/a");
  EXPECT_EQ(location("http://localhost:8888.evil/a"), "http://localhost:8888.evil/a");
  EXPECT_EQ(location("/a"), "/a");
  EXPECT_EQ(location("https://example.org/a"), "https://example.org/a");
}

TEST(WebHeads, EndCookiesOfDoorsThatAreGone) {
  const std::string gone = "__Host-hearth-door-ffffffffffffffffffffffffffffffff";
  EXPECT_THAT(ends_of_stale_cookies("a=1; __Host-hearth=x; " + gone + "=y; " + kHidden + "sid=z", {kOrigin.id}),
              ElementsAre(gone + "=; Path=/; Max-Age=0; Secure; HttpOnly"));
  EXPECT_THAT(ends_of_stale_cookies("", {}), IsEmpty());
}

TEST(WebHeads, TakeAHostThatIsPlain) {
  for (const char* host : {"pc.local:7444", "192.168.1.7:7444", "[fe80::1]:7444", "x"})
    EXPECT_TRUE(is_plain_host(host));
  for (const char* host : {"", "a b", "a;b", "a'b", "a/b", "a@b", "a,b"}) EXPECT_FALSE(is_plain_host(host)) << host;
}

}  // namespace
}  // namespace hearth::hub
