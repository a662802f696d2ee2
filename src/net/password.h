// Passwords that people choose, kept so that whoever reads what is kept must try each guess at a cost: scrypt (RFC
// 7914) with 32 MiB, some 60 ms a try. Blocks: call it on a worker.
//
//   std::string kept = password_hash("correct horse");          // "scrypt$32768$8$1$SALT$HASH"
//   password_fits("correct horse", kept);
#pragma once

#include <string>
#include <string_view>

namespace hearth::net {

inline constexpr std::size_t kMaxPasswordBytes = 200;

std::string password_hash(std::string_view password);

// False for another password, and for a text that is no such hash or asks for more than 256 MiB.
bool password_fits(std::string_view password, std::string_view hash);

}  // namespace hearth::net
