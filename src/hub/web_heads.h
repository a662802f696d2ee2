// What a web program and a browser are told of each other's heads, at a door (web_door.h). The program sees a browser
// of its own machine, at http://localhost:PORT, and nothing of the pool. The browser sees answers without what acts
// beyond the door's own origin: cookies, and some headers, are a whole host's, and the hub's own page is at the same
// host.
//
// Cookies that scripts cannot see (HttpOnly) get a name that is the door's own, so that no other program is sent them;
// those that scripts may see keep their names, since scripts look for them, and are the host's, as any two programs of
// one host share them.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "net/http.h"

namespace hearth::hub {

// A door, as far as heads go.
struct WebOrigin {
  std::string id;           // nobody can guess it: 32 hexadecimal digits
  std::uint16_t port = 0;   // that the program listens on
  bool is_confined = true;  // its job reaches no Internet: nor do its pages, by the browser's
};

// The cookie that lets a browser in at the door, and the one that hides a program's from other doors.
std::string entry_cookie(const WebOrigin& origin);

// "192.168.1.7:7444" and the like: nothing that could end a header, or a value within one.
bool is_plain_host(std::string_view host);

bool asks_for_websocket(const net::RequestHead& head);

// What the program is asked, its body aside: Content-Length or Transfer-Encoding follow from `head.content_length`.
net::Headers request_for_program(const WebOrigin& origin, const net::RequestHead& head);

// What the browser is answered. `host`: as it asked for it, a plain one. Without what tells the body's length.
net::Headers answer_for_browser(const WebOrigin& origin, const net::Headers& headers, std::string_view host);

// Cookies of doors other than these, which a browser has sent: headers that end them.
std::vector<std::string> ends_of_stale_cookies(std::string_view cookies, const std::vector<std::string>& living);

}  // namespace hearth::hub
