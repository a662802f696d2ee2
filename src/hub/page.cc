// The page's files, with the headers that keep it from loading or running anything else.
#include <algorithm>

#include <fmt/format.h>

#include "hub/parts.h"

namespace hearth::hub {

net::Async<void> serve_page(net::Exchange& exchange, const std::vector<PageFile>& page) {
  const net::RequestHead& head = exchange.head();
  if (head.method != "GET" && head.method != "HEAD") {
    co_await exchange.reply(net::text_response(405, "only GET"));
    co_return;
  }
  const std::string_view wanted = head.path == "/" ? "/index.html" : std::string_view(head.path);
  const auto file = std::ranges::find(page, wanted, &PageFile::path);
  if (file == page.end()) {
    co_await exchange.reply(net::text_response(404, page.empty() ? "this build has no page" : "no such file"));
    co_return;
  }
  net::Response response;
  response.body = file->content;
  response.headers.add("Content-Type", std::string(file->content_type));
  // Vite names assets by their content; everything else may change with the next version.
  const bool immutable = wanted.starts_with("/assets/");
  response.headers.add("Cache-Control", immutable ? "public, max-age=31536000, immutable" : "no-cache");
  response.headers.add(
      "Content-Security-Policy",
      "default-src 'self'; img-src 'self' blob: data:; media-src 'self' blob:; style-src 'self' 'unsafe-inline'; "
      "connect-src 'self'; object-src 'none'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'");
  response.headers.add("X-Content-Type-Options", "nosniff");
  response.headers.add("Referrer-Policy", "no-referrer");
  // Web programs are opened from here, at other ports of this host (web_door.h).
  response.headers.add("Cross-Origin-Opener-Policy", "same-origin");
  response.headers.add("Cross-Origin-Resource-Policy", "same-origin");
  co_await exchange.reply(std::move(response));
}

}  // namespace hearth::hub
