#include "net/password.h"

#include <gtest/gtest.h>

namespace hearth::net {
namespace {

TEST(PasswordTest, FitsItsHashAloneAndEachHashHasASaltOfItsOwn) {
  const std::string hash = password_hash("correct horse");
  EXPECT_TRUE(password_fits("correct horse", hash));
  EXPECT_FALSE(password_fits("correct horses", hash));
  EXPECT_FALSE(password_fits("", hash));
  EXPECT_NE(password_hash("correct horse"), hash);
}

TEST(PasswordTest, IsScryptAsTheStandardHasIt) {
  // RFC 7914, section 12: scrypt("pleaseletmein", "SodiumChloride", 16384, 8, 1), its first 32 bytes.
  EXPECT_TRUE(password_fits("pleaseletmein",
                            "scrypt$16384$8$1$U29kaXVtQ2hsb3JpZGU$cCO9yzr9c0hGHAbNgf046_2o-7qQT44-qbVD9lRdofI"));
}

TEST(PasswordTest, WhatIsNoHashFitsNothing) {
  for (const char* text : {"", "scrypt", "scrypt$1$2$3$4", "md5$16384$8$1$AAAA$AAAA", "scrypt$16384$8$1$AAAA$AAAA",
                           "scrypt$99999999999999999999$8$1$AAAA$AAAA",
                           // 4 GiB
                           "scrypt$4194304$8$1$U29kaXVtQ2hsb3JpZGU$cCO9yzr9c0hGHAbNgf046_2o-7qQT44-qbVD9lRdofI"}) {
    EXPECT_FALSE(password_fits("a", text)) << text;
  }
}

}  // namespace
}  // namespace hearth::net
