#include "net/loopback.h"

#include <gtest/gtest.h>

namespace hearth::net {
namespace {

TEST(Loopback, IsWhatThisPcCallsItself) {
  for (const char* own : {"127.0.0.1", "127.8.9.10", "::1", "::ffff:127.0.0.1"}) EXPECT_TRUE(is_loopback(own)) << own;
  for (const char* other :
       {"", "128.0.0.1", "10.0.0.127", "127.", "::2", "::ffff:10.0.0.1", "localhost", "127.evil.example"}) {
    EXPECT_FALSE(is_loopback(other)) << other;
  }
}

}  // namespace
}  // namespace hearth::net
