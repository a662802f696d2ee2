// Players that are not Hearth's watch an app by a watch link, as WHEP has it, and do nothing else.
#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "harness/api.h"
#include "harness/pairing.h"
#include "harness/player.h"
#include "harness/pool.h"
#include "harness/raw.h"
#include "harness/viewing.h"

namespace hearth::e2e {
namespace {

using testing::HasSubstr;

// Blue, until somebody types a line; red then.
constexpr const char* kColours = R"(printf '\033[44m\033[2J'; read line; printf '\033[41m\033[2J'; sleep 1000)";

struct Link {
  std::string id;
  std::string path;
  std::string token;
};

std::string header(const HttpAnswer& answer, const std::string& name) {
  const std::size_t at = answer.head.find("\r\n" + name + ": ");
  if (at == std::string::npos) return "";
  const std::size_t begin = at + name.size() + 4;
  return answer.head.substr(begin, answer.head.find("\r\n", begin) - begin);
}

class WhepTest : public PoolFixture {
 protected:
  void SetUp() override {
    PoolFixture::SetUp();
    for (const char* program : {"/usr/bin/Xvfb", "/usr/bin/xterm", "/usr/bin/ffmpeg"}) {
      if (!std::filesystem::exists(program)) GTEST_SKIP() << "SKIPPED: " << program << " is missing";
    }
  }

  static std::uint64_t start(Api& api) {
    v1::JobSpec spec = program({"xterm", "-b", "0", "-e", "sh", "-c", kColours});
    spec.set_window(true);
    const auto job = api.submit(spec);
    EXPECT_TRUE(job) << text_of(job.error());
    api.wait_until_running(*job);
    return *job;
  }
  // The app's own viewer, whose is the picture's size; so it has begun.
  static void watch(Viewing& viewing) {
    Result<void> opened;
    ASSERT_TRUE(eventually(seconds(60), [&] { return (opened = viewing.open()).has_value(); }))
        << text_of(opened.error());
  }

  Link make_link(std::uint64_t job, std::vector<std::string> options = {}) {
    std::vector<std::string> words{"app", "watch-link", std::to_string(job), "--json"};
    words.insert(words.end(), options.begin(), options.end());
    const Ended ended = pool().cli(words);
    EXPECT_EQ(ended.exit_code, 0) << ended.err;
    const nlohmann::json reply = nlohmann::json::parse(ended.out);
    const std::string address = reply["addresses"][0];
    return {reply["link"]["id"], address.substr(address.find("/whep/")), reply["token"]};
  }

  HttpAnswer ask(const std::string& method, const std::string& path, HeaderList headers, const std::string& body = "") {
    return https(pool().endpoint().port, method, path, headers, body);
  }
  HttpAnswer post(const Link& link, const std::string& offer) {
    return ask("POST", link.path, {{"Authorization", "Bearer " + link.token}, {"Content-Type", "application/sdp"}},
               offer);
  }
  HttpAnswer end(const std::string& session, const std::string& token) {
    return ask("DELETE", session, {{"Authorization", "Bearer " + token}});
  }

  // Gives the session's path.
  std::string play(Player& player, const Link& link) {
    HttpAnswer answer;
    EXPECT_TRUE(eventually(seconds(60), [&] { return (answer = post(link, player.offer())).status == 201; }))
        << answer.status << answer.body;
    EXPECT_TRUE(player.connect(answer.body)) << answer.body;
    return header(answer, "Location");
  }

  // hearth-media of those who may only watch.
  bool nobody_plays() {
    for (const pid_t process : descendants_of(pool().node_process())) {
      if (command_line(process).contains("/hearth-media --watch")) return false;
    }
    return true;
  }
};

TEST_F(WhepTest, APlayerSeesTheAppMoveUntilItEnds) {
  Api owner(pool());
  const std::uint64_t job = start(owner);
  Viewing own(owner, job);
  watch(own);
  EXPECT_TRUE(own.becomes("00f", scratch().path()));
  const Link link = make_link(job, {"--name", "television"});
  Player player;
  const HttpAnswer answer = post(link, player.offer());
  ASSERT_EQ(answer.status, 201U) << answer.body;
  EXPECT_EQ(header(answer, "Content-Type"), "application/sdp");
  EXPECT_THAT(header(answer, "Location"), testing::StartsWith(link.path + "/"));
  EXPECT_NE(header(answer, "ETag"), "");
  EXPECT_EQ(header(answer, "Access-Control-Allow-Origin"), "*");
  EXPECT_THAT(answer.body, HasSubstr("m=application 0 ")) << "it gets no data channel";
  ASSERT_TRUE(player.connect(answer.body));
  EXPECT_TRUE(player.becomes("00f", scratch().path(), Viewing::kWidth, Viewing::kHeight));
  EXPECT_TRUE(player.began_with_key());
  EXPECT_THAT(pool().cli({"app", "watch-links"}).out, HasSubstr("1 of 2"));
  EXPECT_THAT(pool().cli({"app", "shared"}).out, HasSubstr("1 by link television"));
  EXPECT_THAT(pool().cli({"audit"}).out, HasSubstr("app.watch "));
  own.type("now\n");
  EXPECT_TRUE(player.becomes("f00", scratch().path(), Viewing::kWidth, Viewing::kHeight));

  const std::string session = header(answer, "Location");
  EXPECT_EQ(end(session, link.token).status, 200U);
  EXPECT_EQ(end(session, link.token).status, 404U);
  EXPECT_TRUE(eventually(seconds(20), [&] { return nobody_plays(); }));
  EXPECT_THAT(pool().cli({"app", "watch-links"}).out, HasSubstr("0 of 2"));
  ASSERT_EQ(pool().cli({"cancel", std::to_string(job)}).exit_code, 0);
  EXPECT_TRUE(eventually(seconds(20), [&] { return post(link, player.offer()).status == 401; }));
}

TEST_F(WhepTest, WhoHasNotThisLinksTokenGetsNothing) {
  Api owner(pool());
  const std::uint64_t job = start(owner);
  Viewing own(owner, job);
  watch(own);
  const Link link = make_link(job);
  const Link other = make_link(start(owner));
  const std::string offer = Player().offer();
  const HttpAnswer without = ask("POST", link.path, {{"Content-Type", "application/sdp"}}, offer);
  EXPECT_EQ(without.status, 401U);
  EXPECT_THAT(header(without, "WWW-Authenticate"), HasSubstr("Bearer"));
  EXPECT_EQ(post({link.id, link.path, other.token}, offer).status, 401U);
  EXPECT_EQ(post({link.id, link.path, ""}, offer).status, 401U);
  EXPECT_EQ(post({link.id, "/whep/999-1", link.token}, offer).status, 401U) << "no word of which apps there are";
  EXPECT_EQ(post({link.id, link.path, owner.token()}, offer).status, 401U) << "a device's session is none";
  const std::string cookie = "__Host-hearth=" + owner.token();
  EXPECT_EQ(ask("POST", link.path, {{"Cookie", cookie}, {"Content-Type", "application/sdp"}}, offer).status, 401U);
  for (int i = 0; i < 30; ++i) post({link.id, link.path, "wrong"}, offer);
  const HttpAnswer limited = post(link, offer);
  EXPECT_EQ(limited.status, 429U) << limited.body;
  EXPECT_NE(header(limited, "Retry-After"), "");
}

TEST_F(WhepTest, ATakenBackLinkEndsItsPlayersAndNobodyElses) {
  Api owner(pool());
  const std::uint64_t job = start(owner);
  Viewing own(owner, job);
  watch(own);
  EXPECT_TRUE(own.becomes("00f", scratch().path()));
  const Link link = make_link(job);
  const Link kept = make_link(job, {"--players", "1"});
  Player cut;
  Player goes_on;
  play(cut, link);
  const std::string session = play(goes_on, kept);
  EXPECT_TRUE(cut.becomes("00f", scratch().path(), Viewing::kWidth, Viewing::kHeight));
  const HttpAnswer full = post(kept, cut.offer());
  EXPECT_EQ(full.status, 429U) << full.body;
  EXPECT_EQ(header(full, "Retry-After"), "10");
  EXPECT_EQ(end(session, link.token).status, 401U) << "another link's player";
  EXPECT_EQ(end(link.path + session.substr(session.rfind('/')), link.token).status, 404U);

  ASSERT_EQ(pool().cli({"app", "unwatch", link.id}).exit_code, 0);
  EXPECT_THAT(pool().cli({"app", "watch-links"}).out, testing::Not(HasSubstr(link.id + " ")));
  EXPECT_EQ(post(link, cut.offer()).status, 401U);
  while (cut.packets_within(500) > 0) {
  }
  own.type("now\n");
  EXPECT_TRUE(goes_on.becomes("f00", scratch().path(), Viewing::kWidth, Viewing::kHeight));
  EXPECT_EQ(cut.packets_within(500), 0);

  // One that has run out.
  const Link brief = make_link(job, {"--until", "2s"});
  Player late;
  play(late, brief);
  EXPECT_TRUE(eventually(seconds(20), [&] { return post(brief, late.offer()).status == 401; }));
  // It is looked for four times a second.
  EXPECT_TRUE(
      eventually(seconds(20), [&] { return !pool().cli({"app", "watch-links"}).out.contains(brief.id + " "); }));
  EXPECT_EQ(pool().cli({"app", "unwatch", brief.id}).exit_code, 1);
  // And everybody.
  ASSERT_EQ(pool().cli({"app", "unshare", std::to_string(job)}).exit_code, 0);
  EXPECT_TRUE(eventually(seconds(20), [&] { return nobody_plays(); }));
}

TEST_F(WhepTest, SaysWhatItDoesNotTake) {
  Api owner(pool());
  const std::uint64_t job = start(owner);
  Viewing own(owner, job);
  watch(own);
  const Link link = make_link(job);
  const std::string bearer = "Bearer " + link.token;
  const std::string offer = Player().offer();
  const HttpAnswer asked = ask("OPTIONS", link.path, {{"Origin", "https://player.example"}});
  EXPECT_EQ(asked.status, 204U);
  EXPECT_EQ(header(asked, "Access-Control-Allow-Origin"), "*");
  EXPECT_THAT(header(asked, "Access-Control-Allow-Headers"), HasSubstr("Authorization"));
  EXPECT_THAT(header(asked, "Access-Control-Allow-Methods"), HasSubstr("DELETE"));
  EXPECT_EQ(header(asked, "Access-Control-Allow-Credentials"), "");
  EXPECT_EQ(header(asked, "Accept-Post"), "application/sdp");
  EXPECT_EQ(ask("GET", link.path, {{"Authorization", bearer}}).status, 405U);
  EXPECT_EQ(ask("PATCH", link.path + "/0123", {{"Authorization", bearer}}, "a=end-of-candidates").status, 405U);
  EXPECT_EQ(ask("POST", "/whep/television", {{"Authorization", bearer}}, offer).status, 404U);
  EXPECT_EQ(ask("POST", link.path, {{"Authorization", bearer}, {"Content-Type", "text/plain"}}, offer).status, 415U);
  EXPECT_EQ(post(link, std::string(20'000, 'a')).status, 413U);
  const auto refused = [&](const std::string& body, unsigned status, const std::string& why) {
    HttpAnswer answer;
    EXPECT_TRUE(eventually(seconds(20), [&] { return (answer = post(link, body)).status != 503; }));
    EXPECT_EQ(answer.status, status) << answer.body;
    EXPECT_THAT(answer.body, HasSubstr(why));
  };
  refused("v=0\r\n", 400, "no media");
  refused("hello", 400, "no media");
  refused(offer + "a=x:\xff\r\n", 400, "UTF-8");
  std::string changed = offer;
  changed.replace(changed.find("profile-level-id=42e01f"), 23, "profile-level-id=640c1f");
  changed.replace(changed.find("VP8/90000"), 9, "VP9/90000");
  refused(changed, 406, "H.264");
  changed = offer;
  changed.replace(changed.find("a=recvonly"), 10, "a=sendonly");
  refused(changed, 406, "H.264");
  EXPECT_TRUE(eventually(seconds(20), [&] { return nobody_plays(); }));
  ASSERT_EQ(pool().cli({"cancel", std::to_string(job)}).exit_code, 0);
}

TEST_F(WhepTest, IsMadeByThoseWhoMayShareTheAppAndOutlivesTheHub) {
  Api owner(pool());
  const std::uint64_t job = start(owner);
  Viewing own(owner, job);
  watch(own);
  EXPECT_TRUE(own.becomes("00f", scratch().path()));
  Api mia(pair_device(pool(), "mia", v1::ROLE_MEMBER));
  v1::MakeWatchLinkRequest request;
  request.set_job_id(job);
  request.set_seconds(60);
  request.set_max_players(1);
  const auto make = [&](Api& api) {
    return api.call<v1::MakeWatchLinkReply>("hearth.v1.AudienceService/MakeWatchLink", request);
  };
  EXPECT_EQ(make(mia).error().code, Code::kPermissionDenied);
  ASSERT_EQ(pool().cli({"app", "share", std::to_string(job), "--with", "mia"}).exit_code, 0);
  EXPECT_EQ(make(mia).error().code, Code::kPermissionDenied) << "to watch is not to share";
  request.set_max_players(7);
  EXPECT_EQ(make(owner).error().code, Code::kInvalidArgument);
  request.set_max_players(1);
  request.set_seconds(INT64_MAX);
  EXPECT_EQ(make(owner).error().code, Code::kInvalidArgument);
  v1::JobSpec text = program({"sleep", "1000"});
  text.set_terminal(true);
  const auto terminal = owner.submit(text);
  ASSERT_TRUE(terminal);
  EXPECT_THAT(pool().cli({"app", "watch-link", std::to_string(*terminal)}).err, HasSubstr("text program"));
  EXPECT_EQ(pool().cli({"app", "watch-link", "999"}).exit_code, 1);

  const Link link = make_link(job);
  const pid_t hub = pool().hub_process();
  ::kill(hub, SIGKILL);
  EXPECT_TRUE(eventually(seconds(30), [&] { return pool().hub_process() != hub; }));
  Player player;
  play(player, link);
  EXPECT_TRUE(player.becomes("00f", scratch().path(), Viewing::kWidth, Viewing::kHeight));
}

TEST_F(WhepTest, WhoGoesWithoutAWordMakesRoom) {
  Api owner(pool());
  const std::uint64_t job = start(owner);
  Viewing own(owner, job);
  watch(own);
  EXPECT_TRUE(own.becomes("00f", scratch().path()));
  const Link link = make_link(job, {"--players", "1"});
  {
    Player player;
    play(player, link);
    EXPECT_GT(player.packets_within(1'000), 0);
  }
  EXPECT_EQ(post(link, Player().offer()).status, 429U);
  Player next;
  play(next, link);
  EXPECT_TRUE(next.becomes("00f", scratch().path(), Viewing::kWidth, Viewing::kHeight));
}

}  // namespace
}  // namespace hearth::e2e
