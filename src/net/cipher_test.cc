#include "net/cipher.h"

#include <gtest/gtest.h>

#include "base/bytes.h"

namespace hearth::net {
namespace {

TEST(CounterCipher, IsAesInCounterMode) {
  // NIST SP 800-38A has no vector that begins at 0; this one is openssl enc -aes-256-ctr of 32 zero bytes.
  std::string bytes(32, '\0');
  CounterCipher(std::string(32, '\0'), 0).apply(bytes);
  EXPECT_EQ(to_hex(bytes), "dc95c078a2408989ad48a21492842087530f8afbc74536b9a963b4f1c4cb738b");
}

TEST(CounterCipher, AnyPartCanBeEncipheredAloneAndPieceByPiece) {
  const std::string key(32, 'k');
  std::string whole;
  for (int i = 0; i < 100'000; ++i) whole.push_back(static_cast<char>(i * 7));
  const std::string plain = whole;
  CounterCipher(key, 0).apply(whole);
  EXPECT_NE(whole, plain);
  std::string part = plain.substr(65'536);
  CounterCipher(key, 65'536).apply(part);
  EXPECT_EQ(part, whole.substr(65'536));
  CounterCipher both(key, 0);
  std::string first = whole.substr(0, 777);
  std::string rest = whole.substr(777);
  both.apply(first);
  both.apply(rest);
  EXPECT_EQ(first + rest, plain);
}

TEST(Sha1, IsThatOfTheStandard) { EXPECT_EQ(to_hex(sha1("abc")), "a9993e364706816aba3e25717850c26c9cd0d89d"); }

}  // namespace
}  // namespace hearth::net
