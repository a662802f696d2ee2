// Links of the drive: what a guest may do by each, method by method, and how they end.
#include <filesystem>
#include <fstream>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/bytes.h"
#include "harness/api.h"
#include "harness/pairing.h"
#include "harness/raw.h"
#include "hearth/v1/links.pb.h"

namespace hearth::e2e {
namespace {

using testing::HasSubstr;
using testing::Not;

struct Grant {
  std::string name;
  bool see = false;
  bool download = false;
  bool add = false;
  bool edit = false;
};
const std::vector<Grant> kGrants = {
    {.name = "seen", .see = true},
    {.name = "read", .see = true, .download = true},
    {.name = "added", .see = true, .download = true, .add = true},
    {.name = "box", .add = true},
    {.name = "edited", .see = true, .download = true, .add = true, .edit = true},
};

class LinksTest : public PoolFixture {
 protected:
  void SetUp() override {
    PoolFixture::SetUp();
    owner_ = std::make_unique<Api>(pool());
    write("secret.txt", "secret");
    write("shared/a.txt", "hello");
    write("shared/sub/b.txt", "bee");
  }
  std::filesystem::path file(const std::string& name) { return pool().home() / "drive" / name; }
  void write(const std::string& name, const std::string& text) {
    std::filesystem::create_directories(file(name).parent_path());
    std::ofstream(file(name)) << text;
  }
  std::string text(const std::string& name) {
    std::ifstream stream(file(name));
    return {std::istreambuf_iterator<char>(stream), std::istreambuf_iterator<char>()};
  }

  struct Made {
    std::string id;
    std::string secret;
    std::string cookie;  // once it is open

    std::string url(const std::string& below) const { return "/link/" + id + below; }
  };
  static v1::MakeLinkRequest request(const std::string& path, const Grant& grant) {
    v1::MakeLinkRequest request;
    request.set_path(path);
    request.mutable_rights()->set_see(grant.see);
    request.mutable_rights()->set_download(grant.download);
    request.mutable_rights()->set_add(grant.add);
    request.mutable_rights()->set_edit(grant.edit);
    return request;
  }
  Made make(const v1::MakeLinkRequest& request, Api* maker = nullptr) {
    const auto reply =
        (maker != nullptr ? *maker : *owner_).call<v1::MakeLinkReply>("hearth.v1.LinkService/Make", request);
    if (!reply) ADD_FAILURE() << text_of(reply.error());
    if (!reply) return {};
    const std::string address = reply->addresses(0);
    return {.id = reply->link().id(), .secret = address.substr(address.rfind('/') + 1), .cookie = {}};
  }
  Made make_open(const std::string& path, const Grant& grant) {
    Made made = make(request(path, grant));
    EXPECT_EQ(open(made), "200");
    return made;
  }
  // "200", or "CODE: WORDS" as the answer has them.
  std::string open(Made& link, const std::string& password = "") {
    const HttpAnswer answer =
        https(pool().endpoint().port, "POST", "/hearth.v1.LinkService/Open", {{"Content-Type", "application/json"}},
              R"({"id":")" + link.id + R"(","secret":")" + link.secret + R"(","password":")" + password + "\"}");
    const std::size_t at = answer.head.find("__Secure-hearth-link=");
    if (answer.status != 200 || at == std::string::npos) return std::to_string(answer.status) + " " + answer.body;
    EXPECT_THAT(answer.head, HasSubstr("; Path=/link/" + link.id + "/; Secure; HttpOnly; SameSite=Strict; Max-Age="));
    link.cookie = answer.head.substr(at, answer.head.find(';', at) - at);
    return "200";
  }
  HttpAnswer ask(const Made& link, const std::string& method, const std::string& below, HeaderList headers = {},
                 const std::string& body = "") {
    headers.emplace_back("Cookie", link.cookie);
    for (auto& [name, value] : headers) {
      if (name == "Destination" && value.starts_with('/')) value = link.url("/dav" + value);
    }
    return https(pool().endpoint().port, method, link.url(below), headers, body);
  }
  HttpAnswer call(const Made& link, const std::string& method, const std::string& json) {
    return ask(link, "POST", "/hearth.v1." + method, {{"Content-Type", "application/json"}}, json);
  }
  HttpAnswer upload(const Made& link, const std::string& path, const std::string& body,
                    const std::string& if_exists = "") {
    std::string metadata = "path " + to_base64url(path);
    if (!if_exists.empty()) metadata += ",ifexists " + to_base64url(if_exists);
    return ask(link, "POST", "/upload/",
               {{"Tus-Resumable", "1.0.0"},
                {"Upload-Length", std::to_string(body.size())},
                {"Upload-Metadata", metadata},
                {"Content-Type", "application/offset+octet-stream"}},
               body);
  }
  v1::ListLinksReply list() {
    return owner_->call<v1::ListLinksReply>("hearth.v1.LinkService/List", v1::ListLinksRequest())
        .value_or(v1::ListLinksReply());
  }
  bool revoke(const Made& link) {
    v1::RevokeLinkRequest request;
    request.set_id(link.id);
    return owner_->call<v1::RevokeLinkReply>("hearth.v1.LinkService/Revoke", request).has_value();
  }
  // A request on a connection of its own, of which nothing is read yet.
  RawConnection begin(const Made& link, const std::string& first_line, const std::string& headers = "") {
    RawConnection connection(pool().endpoint().port, Layer::kTls);
    connection.send(first_line + " HTTP/1.1\r\nHost: 127.0.0.1\r\nCookie: " + link.cookie + "\r\n" + headers + "\r\n");
    return connection;
  }

  std::unique_ptr<Api> owner_;
};

struct Step {
  std::string what;
  std::string method;
  std::string below;
  HeaderList headers;
  std::string body;
  std::vector<unsigned> statuses;  // by grant, in the order of kGrants
};

const HeaderList kDepth = {{"Depth", "1"}};
const HeaderList kJson = {{"Content-Type", "application/json"}};
const HeaderList kTus = {{"Tus-Resumable", "1.0.0"},
                         {"Upload-Length", "2"},
                         {"Upload-Metadata", "path L3VwLnR4dA=="},  // /up.txt
                         {"Content-Type", "application/offset+octet-stream"}};
const std::string kLock =
    "<lockinfo xmlns=\"DAV:\"><lockscope><exclusive/></lockscope><locktype><write/></locktype></lockinfo>";
const std::string kProperty =
    "<propertyupdate xmlns=\"DAV:\"><set><prop><a xmlns=\"urn:x\">1</a></prop></set></propertyupdate>";

// One after the other on the same folder: {a.txt, sub/b.txt}.
const std::vector<Step> kSteps = {
    {"options", "OPTIONS", "/dav/", {}, "", {204, 204, 204, 204, 204}},
    {"list", "PROPFIND", "/dav/", kDepth, "", {207, 207, 207, 403, 207}},
    {"read", "GET", "/dav/a.txt", {}, "", {403, 200, 200, 403, 200}},
    {"head", "HEAD", "/dav/a.txt", {}, "", {403, 200, 200, 403, 200}},
    {"read what is not there", "GET", "/dav/none", {}, "", {403, 404, 404, 403, 404}},
    {"zip", "GET", "/dav/?zip", {}, "", {403, 200, 200, 403, 200}},
    {"zip by names", "POST", "/dav/?zip", {}, "name=a.txt", {403, 200, 200, 403, 200}},
    {"put", "PUT", "/dav/new.txt", {}, "new", {403, 403, 201, 201, 201}},
    {"put in its place", "PUT", "/dav/a.txt", {}, "other", {403, 403, 201, 201, 204}},
    {"put on the root", "PUT", "/dav", {}, "other", {403, 403, 403, 403, 405}},
    {"make a folder", "MKCOL", "/dav/made", {}, "", {403, 403, 201, 403, 201}},
    {"copy", "COPY", "/dav/a.txt", {{"Destination", "/copy.txt"}}, "", {403, 403, 201, 403, 201}},
    {"copy onto", "COPY", "/dav/a.txt", {{"Destination", "/sub/b.txt"}}, "", {403, 403, 412, 403, 204}},
    {"move", "MOVE", "/dav/sub/b.txt", {{"Destination", "/moved.txt"}}, "", {403, 403, 403, 403, 201}},
    {"move the root", "MOVE", "/dav/", {{"Destination", "/x"}}, "", {403, 403, 403, 403, 403}},
    {"move onto the root", "MOVE", "/dav/sub", {{"Destination", "/"}}, "", {403, 403, 403, 403, 403}},
    {"properties", "PROPPATCH", "/dav/sub", {}, kProperty, {403, 403, 403, 403, 207}},
    {"lock", "LOCK", "/dav/locked.txt", {}, kLock, {403, 403, 403, 403, 201}},
    {"unlock", "UNLOCK", "/dav/sub", {{"Lock-Token", "<urn:uuid:1>"}}, "", {403, 403, 403, 403, 409}},
    {"upload", "POST", "/upload/", kTus, "up", {403, 403, 201, 201, 201}},
    {"list by a call", "POST", "/hearth.v1.DriveService/List", kJson, "{}", {200, 200, 200, 403, 200}},
    {"folder by a call",
     "POST",
     "/hearth.v1.DriveService/MakeFolder",
     kJson,
     R"({"path":"/called"})",
     {403, 403, 200, 403, 200}},
    {"rename by a call",
     "POST",
     "/hearth.v1.DriveService/Move",
     kJson,
     R"({"paths":["/a.txt"],"folder":"/","name":"c.txt"})",
     {403, 403, 403, 403, 200}},
    {"copy by a call",
     "POST",
     "/hearth.v1.DriveService/Move",
     kJson,
     R"({"paths":["/sub"],"folder":"/","copy":true})",
     {403, 403, 200, 403, 200}},
    {"remove by a call",
     "POST",
     "/hearth.v1.DriveService/Remove",
     kJson,
     R"({"paths":["/new.txt"]})",
     {403, 403, 403, 403, 200}},
    {"remove the root by a call",
     "POST",
     "/hearth.v1.DriveService/Remove",
     kJson,
     R"({"paths":["/"]})",
     {403, 403, 403, 403, 403}},
    {"look", "POST", "/hearth.v1.LinkService/Look", kJson, "{}", {200, 200, 200, 200, 200}},
    {"remove", "DELETE", "/dav/sub", {}, "", {403, 403, 403, 403, 204}},
    {"remove the root", "DELETE", "/dav/", {}, "", {403, 403, 403, 403, 403}},
    {"the family's", "POST", "/hearth.v1.DriveService/Usage", kJson, "{}", {404, 404, 404, 404, 404}},
    {"the trash", "POST", "/hearth.v1.DriveService/ListTrash", kJson, "{}", {404, 404, 404, 404, 404}},
    {"the links", "POST", "/hearth.v1.LinkService/List", kJson, "{}", {404, 404, 404, 404, 404}},
};

TEST_F(LinksTest, EachRightIsWhatItSaysForEachMethod) {
  for (std::size_t i = 0; i < kGrants.size(); ++i) {
    const std::string& name = kGrants[i].name;
    write(name + "/a.txt", "hello");
    write(name + "/sub/b.txt", "bee");
    const Made link = make_open("/" + name, kGrants[i]);
    for (const Step& step : kSteps) {
      const HttpAnswer answer = ask(link, step.method, step.below, step.headers, step.body);
      EXPECT_EQ(answer.status, step.statuses.at(i)) << name << ": " << step.what << "\n" << answer.body;
    }
    // What the family has is not a guest's.
    EXPECT_EQ(https(pool().endpoint().port, "GET", "/dav/secret.txt", {{"Cookie", link.cookie}}, "").status, 401U);
  }
  for (const char* name : {"seen", "read"}) {
    const auto entries = std::filesystem::recursive_directory_iterator(file(name));
    EXPECT_EQ(std::distance(std::filesystem::begin(entries), std::filesystem::end(entries)), 3) << name;
  }
  // Who may add replaces nothing; who edits does.
  for (const char* name : {"added", "box"}) {
    EXPECT_EQ(text(std::string(name) + "/a.txt"), "hello");
    EXPECT_EQ(text(std::string(name) + "/a (2).txt"), "other");
    EXPECT_EQ(text(std::string(name) + "/sub/b.txt"), "bee");
  }
  EXPECT_EQ(text("edited/c.txt"), "other");
  EXPECT_EQ(text("edited/moved.txt"), "other");
  EXPECT_FALSE(std::filesystem::exists(file("edited/sub")));
}

TEST_F(LinksTest, NothingOutsideCanBeNamed) {
  const Made link = make_open("/shared", kGrants.back());
  const Made other = make_open("/shared/sub", kGrants.back());
  std::filesystem::create_symlink(file("secret.txt"), file("shared/way-out"));
  std::filesystem::create_directory_symlink(file("."), file("shared/out"));
  for (const char* below : {"/dav/../secret.txt", "/dav/%2e%2e/secret.txt", "/dav/..%2fsecret.txt", "/dav//secret.txt",
                            "/dav/sub/../../secret.txt", "/dav/way-out", "/dav/out/secret.txt", "/davsecret.txt",
                            "/../../dav/secret.txt"}) {
    const HttpAnswer answer = ask(link, "GET", below);
    EXPECT_GE(answer.status, 400U) << below;
    EXPECT_THAT(answer.body, Not(HasSubstr("secret\n"))) << below;
    EXPECT_NE(answer.body, "secret") << below;
  }
  for (const std::string& to : std::vector<std::string>{
           "http://127.0.0.1/dav/x", "https://elsewhere/dav/x", "https://127.0.0.1/dav/x",
           "https://127.0.0.1" + other.url("/dav/x"), "https://127.0.0.1" + link.url("/dav/../x"),
           "https://127.0.0.1" + link.url("/dav/%2e%2e/x"), "https://127.0.0.1" + link.url("/dav/out/x"),
           "https://127.0.0.1" + link.url("/davx"), "x"}) {
    for (const char* method : {"COPY", "MOVE"}) {
      EXPECT_GE(ask(link, method, "/dav/a.txt", {{"Destination", to}}).status, 400U) << method << " " << to;
    }
  }
  for (const char* path : {"/../x", "..", "/.", "//x", "/a/../../x", "", "/", "/out/x", "/way-out/x"}) {
    for (const char* if_exists : {"rename", "replace"}) {
      EXPECT_GE(upload(link, path, "up", if_exists).status, 400U) << path;
    }
  }
  for (const char* json :
       {R"({"paths":["/../secret.txt"],"folder":"/"})", R"({"paths":["/a.txt"],"folder":"/.."})",
        R"({"paths":["/a.txt"],"folder":"/","name":"../x"})", R"({"paths":["/a.txt"],"folder":"/out"})"}) {
    EXPECT_GE(call(link, "DriveService/Move", json).status, 400U) << json;
  }
  EXPECT_EQ(ask(link, "POST", "/dav/?zip", {}, "name=..%2Fsecret.txt").status, 400U);
  EXPECT_EQ(text("shared/a.txt"), "hello");
  EXPECT_EQ(text("secret.txt"), "secret");
  EXPECT_FALSE(std::filesystem::exists(file("x")));
  // One link's cookie opens no other link.
  Made mixed = other;
  mixed.cookie = link.cookie;
  EXPECT_EQ(ask(mixed, "GET", "/dav/b.txt").status, 401U);
  // No error says where in the drive the shared folder lies.
  for (const std::string& body :
       {ask(link, "GET", "/dav/none/x").body, ask(link, "PUT", "/dav/none/x", {}, "x").body,
        ask(link, "MKCOL", "/dav/sub").body, call(link, "DriveService/MakeFolder", R"({"path":"/none/x"})").body,
        ask(link, "PROPFIND", "/dav/", kDepth).body, ask(link, "LOCK", "/dav/none/x", {}, kLock).body}) {
    EXPECT_THAT(body, Not(HasSubstr("/shared"))) << body;
  }
}

TEST_F(LinksTest, OneFileIsSharedWithoutItsFolder) {
  const Made link = make_open("/shared/a.txt", kGrants[1]);
  EXPECT_THAT(call(link, "LinkService/Look", "{}").body,
              AllOf(HasSubstr(R"("name":"a.txt")"), HasSubstr(R"("bytes":"5")"), Not(HasSubstr("folder"))));
  EXPECT_EQ(ask(link, "GET", "/dav").body, "hello");
  EXPECT_EQ(ask(link, "GET", "/dav", {{"Range", "bytes=1-3"}}).body, "ell");
  EXPECT_EQ(ask(link, "GET", "/dav/b.txt").status, 404U);
  EXPECT_EQ(ask(link, "GET", "/dav/a.txt").status, 404U);
  EXPECT_EQ(call(link, "DriveService/List", "{}").status, 400U);
  const Made edited = make_open("/shared/a.txt", kGrants.back());
  EXPECT_EQ(ask(edited, "PUT", "/dav", {}, "changed").status, 204U);
  EXPECT_EQ(text("shared/a.txt"), "changed");
  EXPECT_GE(upload(edited, "/", "up").status, 400U);
  EXPECT_GE(upload(edited, "/x", "up").status, 400U);
  EXPECT_EQ(ask(edited, "DELETE", "/dav").status, 403U);
  EXPECT_FALSE(owner_->call<v1::MakeLinkReply>("hearth.v1.LinkService/Make", request("/shared/a.txt", kGrants[2])));
  // What was shared has gone: nobody makes it anew through its link.
  const Made folder = make_open("/shared/sub", kGrants.back());
  std::filesystem::remove_all(file("shared/sub"));
  EXPECT_EQ(upload(folder, "/x", "up").status, 404U);
  EXPECT_EQ(ask(folder, "MKCOL", "/dav/").status, 404U);
  EXPECT_NE(call(folder, "DriveService/MakeFolder", R"({"path":"/"})").status, 200U);
  EXPECT_FALSE(std::filesystem::exists(file("shared/sub")));
}

TEST_F(LinksTest, ADropBoxTakesFilesAndTellsNothing) {
  const Made box = make_open("/shared", kGrants[3]);
  const HttpAnswer taken = upload(box, "/a.txt", "mine");
  EXPECT_EQ(taken.status, 201U);
  EXPECT_THAT(taken.head, AllOf(HasSubstr("Hearth-Path: %2Fa.txt"), HasSubstr("Location: " + box.url("/upload/"))));
  EXPECT_EQ(upload(box, "/a.txt", "again", "fail").status, 201U);
  EXPECT_EQ(upload(box, "/a.txt", "third", "replace").status, 201U);
  EXPECT_EQ(upload(box, "/new/folder/c.txt", "deep").status, 201U);
  EXPECT_EQ(ask(box, "PUT", "/dav/none/d.txt", {}, "put").status, 201U);
  EXPECT_EQ(text("shared/a.txt"), "hello");
  EXPECT_EQ(text("shared/a (2).txt"), "mine");
  EXPECT_EQ(text("shared/a (3).txt"), "again");
  EXPECT_EQ(text("shared/a (4).txt"), "third");
  EXPECT_EQ(text("shared/new/folder/c.txt"), "deep");
  EXPECT_EQ(text("shared/none/d.txt"), "put");
  EXPECT_THAT(call(box, "LinkService/Look", "{}").body, Not(HasSubstr("bytes")));
  // Another link's guests know nothing of this one's uploads.
  const Made other = make_open("/shared", kGrants[3]);
  const std::size_t at = taken.head.find("/upload/");
  const std::string place = taken.head.substr(at, 8 + 32);
  EXPECT_EQ(ask(box, "HEAD", place, {{"Tus-Resumable", "1.0.0"}}).status, 200U);
  EXPECT_EQ(ask(other, "HEAD", place, {{"Tus-Resumable", "1.0.0"}}).status, 404U);
}

TEST_F(LinksTest, WhateverKeepsAGuestOutSaysWhatItIs) {
  Made link = make(request("/shared", kGrants[1]));
  Made wrong = link;
  wrong.secret = "aaaaaaaaaaaaaaaaaaaaaa";
  EXPECT_THAT(open(wrong), AllOf(HasSubstr("401"), HasSubstr("copy all of it")));
  wrong.id = "000000000000";
  EXPECT_THAT(open(wrong), AllOf(HasSubstr("404"), HasSubstr("no such link")));
  wrong.id = "nonsense";
  EXPECT_THAT(open(wrong), HasSubstr("404"));

  v1::MakeLinkRequest once = request("/shared", kGrants[1]);
  once.set_max_uses(1);
  Made used = make(once);
  EXPECT_EQ(open(used), "200");
  Made again = used;
  EXPECT_THAT(open(again), AllOf(HasSubstr("400"), HasSubstr("good for 1 use")));
  EXPECT_EQ(ask(used, "GET", "/dav/a.txt").body, "hello") << "who is in stays in";

  v1::MakeLinkRequest locked = request("/shared", kGrants[1]);
  locked.set_password("hunter22");
  Made secret = make(locked);
  EXPECT_THAT(open(secret), AllOf(HasSubstr("403"), HasSubstr("asks for a password")));
  EXPECT_THAT(open(secret, "hunter2"), AllOf(HasSubstr("403"), HasSubstr("not the link's password")));
  EXPECT_EQ(open(secret, "hunter22"), "200");
  std::string said;
  for (int i = 0; i < 12 && !said.starts_with("429"); ++i) said = open(secret, "guess");
  EXPECT_THAT(said, HasSubstr("too many wrong tries"));
  EXPECT_EQ(ask(secret, "GET", "/dav/a.txt").body, "hello") << "who is in is not kept out by somebody's guesses";

  // Without a cookie, with a forged one, from another site's page.
  Made stranger = link;
  for (const char* cookie : {"", "__Secure-hearth-link=", "__Secure-hearth-link=9999999999999.AAAA"}) {
    stranger.cookie = cookie;
    EXPECT_EQ(ask(stranger, "GET", "/dav/a.txt").status, 401U) << cookie;
  }
  EXPECT_EQ(ask(used, "GET", "/dav/a.txt", {{"Origin", "https://evil.example"}}).status, 401U);
}

// As file managers do, which keep no cookies.
TEST_F(LinksTest, AProgramOpensALinkByItsSecretAsPassword) {
  std::map<std::string, Made> links;
  for (const Grant& grant : kGrants) links[grant.name] = make(request("/shared", grant));
  const auto curl = [&](const std::string& user, std::vector<std::string> options, const std::string& path) {
    options.insert(options.begin(), {"curl", "-sS", "--cacert", pool().home() / "hub" / "certificate.pem", "-w",
                                     " %{http_code}", "-u", user});
    options.push_back("https://127.0.0.1:" + std::to_string(pool().endpoint().port) + path);
    const Ended ended = run_program(options);
    return ended.out + ended.err;
  };
  const auto by = [&](const std::string& name, std::vector<std::string> options, const std::string& below) {
    return curl("anybody:" + links[name].secret, std::move(options), links[name].url("/dav" + below));
  };
  EXPECT_EQ(by("read", {}, "/a.txt"), "hello 200");
  EXPECT_THAT(by("seen", {"-X", "PROPFIND", "-H", "Depth: 1"}, "/"), AllOf(HasSubstr("/dav/sub/"), HasSubstr(" 207")));
  EXPECT_THAT(by("seen", {}, "/a.txt"), HasSubstr(" 403"));
  EXPECT_THAT(by("read", {"-T", file("secret.txt")}, "/new.txt"), HasSubstr(" 403"));
  EXPECT_THAT(by("added", {"-T", file("secret.txt")}, "/new.txt"), HasSubstr(" 201"));
  EXPECT_THAT(by("box", {"-X", "PROPFIND"}, "/"), HasSubstr(" 403"));
  EXPECT_THAT(by("edited", {"-X", "DELETE"}, "/new.txt"), HasSubstr(" 204"));
  EXPECT_THAT(by("edited", {"--path-as-is"}, "/../secret.txt"), testing::Not(HasSubstr("secret 200")));

  const std::string url = "https://127.0.0.1:" + std::to_string(pool().endpoint().port) + links["edited"].url("/dav/");
  const auto rclone = [&](std::vector<std::string> words) {
    const std::string hidden = run_program({"rclone", "obscure", links["edited"].secret}).out;
    words.insert(words.begin(), "rclone");
    words.insert(words.end(), {"--config", "/dev/null", "--ca-cert", pool().home() / "hub" / "certificate.pem",
                               "--webdav-url", url, "--webdav-vendor", "owncloud", "--webdav-user", "me",
                               "--webdav-pass", hidden.substr(0, hidden.find('\n'))});
    const Ended ended = run_program(words);
    EXPECT_EQ(ended.exit_code, 0) << ended.err;
    return ended.out;
  };
  rclone({"copyto", file("secret.txt"), ":webdav:sub/sent.txt"});
  EXPECT_EQ(text("shared/sub/sent.txt"), "secret");
  EXPECT_THAT(rclone({"lsf", "-R", ":webdav:"}), AllOf(HasSubstr("a.txt\n"), HasSubstr("sub/b.txt\n")));
  rclone({"moveto", ":webdav:sub/sent.txt", ":webdav:moved.txt"});
  EXPECT_EQ(text("shared/moved.txt"), "secret");

  // Whoever has no password is asked for one, at no other place than this.
  const HttpAnswer asked = https(pool().endpoint().port, "GET", links["read"].url("/dav/a.txt"), {}, "");
  EXPECT_EQ(asked.status, 401U);
  EXPECT_THAT(asked.head, HasSubstr("WWW-Authenticate: Basic"));
  EXPECT_THAT(curl("anybody:" + links["seen"].secret, {}, links["read"].url("/dav/a.txt")), HasSubstr(" 401"));
  EXPECT_THAT(by("read", {"-H", "Origin: https://evil.example"}, "/a.txt"), HasSubstr(" 401"));
  EXPECT_THAT(curl("anybody:" + links["read"].secret, {}, "/dav/shared/a.txt"), HasSubstr(" 401"));
  EXPECT_THAT(curl("anybody:" + links["read"].secret, {}, links["read"].url("/upload/")), HasSubstr(" 401"));

  v1::RevokeLinkRequest taken;
  taken.set_id(links["read"].id);
  ASSERT_TRUE(owner_->call<v1::RevokeLinkReply>("hearth.v1.LinkService/Revoke", taken));
  EXPECT_THAT(by("read", {}, "/a.txt"), HasSubstr(" 403"));
}

TEST_F(LinksTest, AProgramsWayInIsOneUseAndAsksForTheLinksPassword) {
  v1::MakeLinkRequest wanted = request("/shared", kGrants[1]);
  wanted.set_max_uses(1);
  wanted.set_password("hunter22");
  const Made link = make(wanted);
  const auto curl = [&](const std::string& password) {
    const Ended ended =
        run_program({"curl", "-sS", "--cacert", pool().home() / "hub" / "certificate.pem", "-w", " %{http_code}", "-u",
                     "anybody:" + password,
                     "https://127.0.0.1:" + std::to_string(pool().endpoint().port) + link.url("/dav/a.txt")});
    return ended.out + ended.err;
  };
  EXPECT_THAT(curl(link.secret), AllOf(HasSubstr("asks for a password"), HasSubstr(" 401")));
  EXPECT_THAT(curl(link.secret + ":wrong"), HasSubstr(" 401"));
  for (int i = 0; i < 3; ++i) EXPECT_EQ(curl(link.secret + ":hunter22"), "hello 200");
  EXPECT_EQ(list().links(0).uses(), 1U);
  Made other = link;
  EXPECT_THAT(open(other, "hunter22"), HasSubstr("used")) << "and who is in by the page counts as well";
  EXPECT_EQ(curl(link.secret + ":hunter22"), "hello 200") << "who is in stays in";
}

TEST_F(LinksTest, ARevokedLinkDiesInTheMiddleOfWhatIsOpen) {
  write("shared/large.bin", "");
  std::filesystem::resize_file(file("shared/large.bin"), 1ULL << 30U);
  const Made link = make_open("/shared", kGrants.back());
  RawConnection download = begin(link, "GET " + link.url("/dav/large.bin"));
  RawConnection zip = begin(link, "GET " + link.url("/dav/?zip"));
  RawConnection sending = begin(link, "PUT " + link.url("/dav/up.bin"), "Content-Length: 1000000\r\n");
  EXPECT_THAT(download.receive(seconds(20), 12), HasSubstr("200"));
  EXPECT_THAT(zip.receive(seconds(20), 12), HasSubstr("200"));
  ASSERT_TRUE(sending.send("some"));
  ASSERT_TRUE(eventually(seconds(20), [&] {
    std::error_code error;
    const std::filesystem::directory_iterator received(file(".hearth/new"), error);
    return !error && received != std::filesystem::directory_iterator();
  }));
  ASSERT_TRUE(revoke(link));
  // Nobody waits for a limit of time here: each ends because it is cut, long before all was sent.
  EXPECT_TRUE(download.closed_within(seconds(20)));
  EXPECT_TRUE(zip.closed_within(seconds(20)));
  EXPECT_TRUE(sending.closed_within(seconds(20)));
  EXPECT_FALSE(std::filesystem::exists(file("shared/up.bin")));
  EXPECT_THAT(ask(link, "GET", "/dav/a.txt").body, HasSubstr("there is no such link"));
  Made again = link;
  EXPECT_THAT(open(again), AllOf(HasSubstr("404"), HasSubstr("taken back")));
  EXPECT_FALSE(revoke(link));
}

TEST_F(LinksTest, ALinkThatRunsOutCutsWhatIsOpen) {
  write("shared/large.bin", "");
  std::filesystem::resize_file(file("shared/large.bin"), 1ULL << 30U);
  v1::MakeLinkRequest brief = request("/shared", kGrants[1]);
  brief.set_seconds(3);
  Made link = make(brief);
  ASSERT_EQ(open(link), "200");
  RawConnection download = begin(link, "GET " + link.url("/dav/large.bin"));
  EXPECT_THAT(download.receive(seconds(20), 12), HasSubstr("200"));
  // The server's own limit for a reader that does not read is longer.
  EXPECT_TRUE(download.closed_within(seconds(20)));
  EXPECT_THAT(open(link), AllOf(HasSubstr("400"), HasSubstr("has expired")));
  ASSERT_EQ(list().links_size(), 1);
  EXPECT_TRUE(list().links(0).has_ended());
}

TEST_F(LinksTest, ALinkEndsWithWhoeverMadeIt) {
  const std::filesystem::path phone = pair_device(pool(), "phone", v1::ROLE_MEMBER);
  Api maker(phone);
  Made link = make(request("/shared", kGrants[1]), &maker);
  ASSERT_EQ(open(link), "200");
  EXPECT_EQ(list().links(0).maker(), "phone");
  ASSERT_EQ(pool().cli({"devices", "revoke", "phone"}).exit_code, 0);
  EXPECT_EQ(ask(link, "GET", "/dav/a.txt").status, 401U);
  EXPECT_TRUE(eventually(seconds(20), [&] { return list().links_size() == 0; }));
}

TEST_F(LinksTest, WhoeverMadeALinkOrAnOwnerTakesItBack) {
  const std::filesystem::path phone = pair_device(pool(), "phone", v1::ROLE_MEMBER);
  const std::filesystem::path tablet = pair_device(pool(), "tablet", v1::ROLE_MEMBER);
  Api member(phone);
  Api other(tablet);
  const auto take_back = [](Api& who, const std::string& id) {
    v1::RevokeLinkRequest asked;
    asked.set_id(id);
    return who.call<v1::RevokeLinkReply>("hearth.v1.LinkService/Revoke", asked);
  };
  const auto is_theirs = [](Api& who) {
    return who.call<v1::ListLinksReply>("hearth.v1.LinkService/List", v1::ListLinksRequest())->links(0).is_yours();
  };
  Made link = make(request("/shared", kGrants[1]));
  ASSERT_EQ(open(link), "200");
  const std::string of_owner = list().links(0).id();
  EXPECT_TRUE(list().links(0).is_yours());
  EXPECT_FALSE(is_theirs(member));
  const auto refused = take_back(member, of_owner);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, Code::kPermissionDenied);
  EXPECT_THAT(refused.error().message, HasSubstr("an owner, takes it back"));
  EXPECT_EQ(ask(link, "GET", "/dav/a.txt").body, "hello");
  Api owner(pool());
  EXPECT_TRUE(take_back(owner, of_owner));
  for (Api* who : {&member, &owner}) {
    make(request("/shared", kGrants[1]), &member);
    const std::string id = list().links(0).id();
    EXPECT_FALSE(take_back(other, id));
    EXPECT_TRUE(take_back(*who, id));
  }
  make(request("/shared", kGrants[1]), &member);
  ASSERT_EQ(pool().cli({"account", "set", "mia"}).exit_code, 0);
  for (const char* device : {"phone", "tablet"}) {
    ASSERT_EQ(pool().cli({"account", "assign", device, "mia"}).exit_code, 0);
  }
  EXPECT_TRUE(is_theirs(other));
  EXPECT_TRUE(take_back(other, list().links(0).id())) << "another device of the same person";
}

TEST_F(LinksTest, LinksAndGuestsOutliveARestartAndTheirSecretsAreNowhere) {
  v1::MakeLinkRequest asked = request("/shared", kGrants[1]);
  asked.set_label("Mia's wedding");
  asked.set_password("hunter22");
  Made link = make(asked);
  ASSERT_EQ(open(link, "hunter22"), "200");
  ASSERT_EQ(pool().cli({"down"}).exit_code, 0);
  for (const char* kept : {"log", "drive/.hearth/links"}) {
    std::ifstream stream(pool().home() / kept);
    const std::string text((std::istreambuf_iterator<char>(stream)), std::istreambuf_iterator<char>());
    EXPECT_FALSE(text.empty()) << kept;
    EXPECT_THAT(text, AllOf(Not(HasSubstr(link.secret)), Not(HasSubstr("hunter22")))) << kept;
  }
  pool().up();
  EXPECT_EQ(ask(link, "GET", "/dav/a.txt").body, "hello");
  EXPECT_EQ(open(link, "hunter22"), "200");
  ASSERT_EQ(list().links_size(), 1);
  EXPECT_EQ(list().links(0).uses(), 2U);
  EXPECT_EQ(list().links(0).label(), "Mia's wedding");
  EXPECT_TRUE(list().links(0).has_last_used());
}

TEST_F(LinksTest, TheCommandLineSharesListsAndTakesBack) {
  const Ended shared = pool().cli({"drive", "share", "/shared", "--drop-box", "--uses", "2", "--name", "in here"});
  ASSERT_EQ(shared.exit_code, 0) << shared.err;
  EXPECT_THAT(shared.out, testing::MatchesRegex("https://127.0.0.1:[0-9]+/#/link/[0-9a-f]{12}/[A-Za-z0-9_-]{22}\n"));
  const std::string id = list().links(0).id();
  EXPECT_THAT(shared.err, HasSubstr("hearth drive unshare " + id));
  EXPECT_THAT(pool().cli({"drive", "links"}).out,
              AllOf(HasSubstr(id), HasSubstr("drop-box"), HasSubstr("0 of 2"), HasSubstr("in here")));
  EXPECT_THAT(pool().cli({"drive", "share", "/shared", "--drop-box", "--edit"}).err, HasSubstr("no other right"));
  EXPECT_THAT(pool().cli({"drive", "share", "/none"}).err, HasSubstr("/none"));
  EXPECT_EQ(pool().cli({"drive", "unshare", id}).exit_code, 0);
  EXPECT_THAT(pool().cli({"drive", "unshare", id}).err, HasSubstr("hearth drive links"));
  EXPECT_THAT(pool().cli({"audit"}).out, AllOf(HasSubstr("link.make"), HasSubstr("link.revoke"), HasSubstr(id)));
}

TEST_F(LinksTest, OnlyTheHouseholdShares) {
  const std::filesystem::path neighbour = pair_device(pool(), "neighbour", v1::ROLE_MEMBER);
  ASSERT_EQ(pool().cli({"devices", "ring", "neighbour", "friend"}).exit_code, 0);
  Api friends(neighbour);
  for (const char* method : {"Make", "List", "Revoke"}) {
    const auto refused =
        friends.call<v1::ListLinksReply>(std::string("hearth.v1.LinkService/") + method, v1::ListLinksRequest());
    ASSERT_FALSE(refused) << method;
    EXPECT_EQ(refused.error().code, Code::kPermissionDenied) << method;
  }
}

}  // namespace
}  // namespace hearth::e2e
