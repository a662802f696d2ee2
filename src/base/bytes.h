// Bytes and their spellings. Binary data is a std::string (as protobuf's is); a view of it is a std::string_view.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace hearth {

// Lower-case hexadecimal.
std::string to_hex(std::string_view bytes);

// Nothing if the text has an odd length or a character that is not hexadecimal.
std::optional<std::string> from_hex(std::string_view text);

// RFC 4648 section 5, unpadded.
std::string to_base64url(std::string_view bytes);

// Accepts unpadded and padded text of either alphabet (+/ and -_); nothing if it is malformed.
std::optional<std::string> from_base64(std::string_view text);

// "1.5 GiB", "640 KiB", "17 bytes".
std::string format_bytes(std::uint64_t count);

// "2G", "2GiB", "1.5g", "640K", "1048576": binary multiples, as people mean them for memory. Nothing if malformed or
// beyond 2^63.
std::optional<std::uint64_t> parse_bytes(std::string_view text);

bool is_utf8(std::string_view text);

// Its first bytes, at most so many, without half a character at the end.
std::string_view utf8_prefix(std::string_view text, std::size_t most_bytes);

// Whether the text is well-formed UTF-8 without control characters (C0, DEL, C1).
bool is_plain_utf8(std::string_view text);

// Whether the text is what people name things by in commands and addresses: 1 to 64 of a-z, 0-9, '.', '_' and '-', a
// letter or digit first.
bool is_short_name(std::string_view text);

// Compares in a time that depends on the lengths alone.
bool equal_constant_time(std::string_view a, std::string_view b);

}  // namespace hearth
