#include "account/wipe_record.h"

#include <gtest/gtest.h>

namespace hearth::account {
namespace {

v1::WipeStatement statement() {
  v1::WipeStatement made;
  made.set_job_id(17);
  made.set_task(3);
  made.set_epoch(2);
  made.set_level("fence");
  made.add_storage("memory");
  made.mutable_wiped()->set_unix_millis(1'790'000'000'000);
  return made;
}

TEST(WipeRecord, IsVerifiedByItselfAlone) {
  const v1::WipeRecord record = sign_wipe(net::IdentityKey::generate(), statement());
  Result<v1::WipeRecord> read = wipe_from_line(wipe_to_line(record));
  ASSERT_TRUE(read) << read.error().message;
  Result<v1::WipeStatement> verified = verify_wipe(*read);
  ASSERT_TRUE(verified) << verified.error().message;
  EXPECT_EQ(verified->SerializeAsString(), statement().SerializeAsString());
}

TEST(WipeRecord, AnyChangeIsNoticed) {
  const v1::WipeRecord record = sign_wipe(net::IdentityKey::generate(), statement());
  v1::WipeStatement other = statement();
  other.set_task(4);
  v1::WipeRecord changed = record;
  changed.set_statement(other.SerializeAsString());
  EXPECT_EQ(verify_wipe(changed).error().code, Code::kDataLoss);
  changed = record;
  changed.set_node_key(net::IdentityKey::generate().public_key_spki());
  EXPECT_EQ(verify_wipe(changed).error().code, Code::kDataLoss);
  changed = record;
  changed.mutable_signature()->pop_back();
  EXPECT_EQ(verify_wipe(changed).error().code, Code::kDataLoss);
  EXPECT_EQ(verify_wipe({}).error().code, Code::kDataLoss) << "nothing is no proof";
}

TEST(WipeRecord, LinesThatAreNoneAreRefused) {
  for (const char* line : {"", "{", "[]", R"({"statement": 3})", R"({"unknown": ""})"}) {
    EXPECT_EQ(wipe_from_line(line).error().code, Code::kInvalidArgument) << line;
  }
}

TEST(WipeRecord, KeysHaveShortNames) {
  const net::IdentityKey key = net::IdentityKey::generate();
  EXPECT_EQ(key_name(key.public_key_spki()).size(), 19U);
  EXPECT_NE(key_name(key.public_key_spki()), key_name(net::IdentityKey::generate().public_key_spki()));
}

}  // namespace
}  // namespace hearth::account
