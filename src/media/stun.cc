#include "media/stun.h"

#include <array>

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <boost/crc.hpp>

#include "media/bits.h"

namespace hearth::media {
namespace {

constexpr std::uint32_t kCookie = 0x2112a442;
constexpr std::size_t kHeader = 20;
constexpr std::size_t kTransaction = 12;
constexpr std::size_t kSha1 = 20;
constexpr std::size_t kMaxBytes = 1'500;
constexpr std::uint32_t kFingerprintMask = 0x5354554e;

enum Type : std::uint16_t { kBindingRequest = 0x0001, kBindingAnswer = 0x0101 };
enum Attribute : std::uint16_t {
  kUsername = 0x0006,
  kIntegrity = 0x0008,
  kXorMapped = 0x0020,
  kPriority = 0x0024,
  kUseCandidate = 0x0025,
  kFingerprint = 0x8028,
  kControlled = 0x8029,
};

std::string hmac_sha1(std::string_view bytes, std::string_view key) {
  std::array<unsigned char, kSha1> digest{};
  unsigned length = 0;
  ::HMAC(::EVP_sha1(), key.data(), static_cast<int>(key.size()), reinterpret_cast<const unsigned char*>(bytes.data()),
         bytes.size(), digest.data(), &length);
  return {reinterpret_cast<const char*>(digest.data()), digest.size()};
}

std::string begin(Type type, std::string_view transaction) {
  std::string message;
  put(message, type, 2);
  put(message, 0, 2);
  put(message, kCookie, 4);
  message += transaction;
  return message;
}

void add(std::string& message, Attribute attribute, std::string_view value) {
  put(message, attribute, 2);
  put(message, value.size(), 2);
  message += value;
  message.append((4 - value.size() % 4) % 4, '\0');
}

// Both sums are over a header that counts what they add.
std::string finish(std::string message, std::string_view password) {
  put_at(message, 2, message.size() - kHeader + 4 + kSha1, 2);
  add(message, kIntegrity, hmac_sha1(message, password));
  put_at(message, 2, message.size() - kHeader + 8, 2);
  boost::crc_32_type crc;
  crc.process_bytes(message.data(), message.size());
  std::string sum;
  put(sum, crc.checksum() ^ kFingerprintMask, 4);
  add(message, kFingerprint, sum);
  return message;
}

bool is_signed(std::string_view datagram, std::size_t at, std::string_view password) {
  std::string covered(datagram.substr(0, at));
  put_at(covered, 2, at - kHeader + 4 + kSha1, 2);
  const std::string wanted = hmac_sha1(covered, password);
  return ::CRYPTO_memcmp(wanted.data(), datagram.data() + at + 4, kSha1) == 0;
}

}  // namespace

bool is_stun(std::string_view datagram) {
  return datagram.size() >= kHeader && static_cast<unsigned char>(datagram[0]) < 2 &&
         number_at(datagram, 4, 4) == kCookie;
}

Result<Stun> parse_stun(std::string_view datagram, std::string_view password) {
  const auto wrong = [] { return fail(Code::kInvalidArgument, "that is no STUN binding"); };
  if (!is_stun(datagram) || datagram.size() > kMaxBytes || number_at(datagram, 2, 2) != datagram.size() - kHeader) {
    return wrong();
  }
  Stun stun;
  const std::uint64_t type = number_at(datagram, 0, 2);
  if (type != kBindingRequest && type != kBindingAnswer) return wrong();
  stun.kind = type == kBindingRequest ? Stun::Kind::kRequest : Stun::Kind::kAnswer;
  stun.transaction = datagram.substr(8, kTransaction);
  for (std::size_t at = kHeader; at + 4 <= datagram.size();) {
    const std::uint64_t attribute = number_at(datagram, at, 2);
    const std::size_t length = number_at(datagram, at + 2, 2);
    if (at + 4 + length > datagram.size()) return wrong();
    if (attribute == kIntegrity) {
      if (length != kSha1 || !is_signed(datagram, at, password)) break;
      return stun;
    }
    if (attribute == kUsername) stun.username = datagram.substr(at + 4, length);
    if (attribute == kUseCandidate) stun.use_candidate = true;
    at += 4 + (length + 3) / 4 * 4;
  }
  return fail(Code::kUnauthenticated, "it is not under the password that was agreed on");
}

std::string stun_answer(std::string_view transaction, const Address& seen_from, std::string_view password) {
  std::string message = begin(kBindingAnswer, transaction);
  std::string mask;
  put(mask, kCookie, 4);
  mask += transaction;
  std::string mapped;
  put(mapped, seen_from.is_v4() ? 1 : 2, 2);
  put(mapped, seen_from.port ^ (kCookie >> 16), 2);
  const std::size_t first = seen_from.is_v4() ? 12 : 0;
  for (std::size_t i = first; i < seen_from.ip.size(); ++i) {
    mapped.push_back(static_cast<char>(seen_from.ip[i] ^ static_cast<unsigned char>(mask[i - first])));
  }
  add(message, kXorMapped, mapped);
  return finish(std::move(message), password);
}

std::string stun_request(std::string_view transaction, std::string_view username, std::uint32_t priority,
                         std::uint64_t tie_breaker, std::string_view password) {
  std::string message = begin(kBindingRequest, transaction);
  add(message, kUsername, username);
  std::string value;
  put(value, priority, 4);
  add(message, kPriority, value);
  value.clear();
  put(value, tie_breaker, 8);
  add(message, kControlled, value);
  return finish(std::move(message), password);
}

}  // namespace hearth::media
