#include "net/crypto.h"

#include <gtest/gtest.h>
#include <openssl/ec.h>
#include <openssl/evp.h>
#include <sys/stat.h>

#include <cstdlib>
#include <fstream>

#include "base/bytes.h"
#include "net/openssl.h"

namespace hearth::net {
namespace {

std::string hex(std::string_view text) { return from_hex(text).value(); }

// The prefix of an Ed25519 SubjectPublicKeyInfo (RFC 8410).
std::string ed25519_spki(std::string_view raw) { return hex("302a300506032b6570032100") + std::string(raw); }

TEST(Crypto, HashesLikeTheStandards) {
  EXPECT_EQ(to_hex(sha256("abc")), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
  // RFC 4231, test cases 1 and 2.
  EXPECT_EQ(to_hex(hmac_sha256(std::string(20, '\x0b'), "Hi There")),
            "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7");
  EXPECT_EQ(to_hex(hmac_sha256("Jefe", "what do ya want for nothing?")),
            "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843");
}

TEST(Crypto, HashesPieceByPiece) {
  Sha256 hash;
  hash.update("a");
  hash.update("");
  Sha256 moved = std::move(hash);
  moved.update("bc");
  EXPECT_EQ(moved.finish(), sha256("abc"));
}

TEST(Crypto, RandomBytesDiffer) {
  EXPECT_EQ(random_bytes(0), "");
  EXPECT_EQ(random_bytes(33).size(), 33U);
  EXPECT_NE(random_bytes(16), random_bytes(16));
}

TEST(Crypto, VerifiesEd25519OfRfc8032) {
  // RFC 8032, section 7.1, tests 1 and 3.
  std::string first = ed25519_spki(hex("d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a"));
  std::string signature = hex(
      "e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e065224901555fb8821590a33bacc61e39701cf9b46bd25bf5f0595bbe24"
      "655141438e7a100b");
  EXPECT_TRUE(verify_signature(KeyKind::kEd25519, first, "", signature));
  EXPECT_FALSE(verify_signature(KeyKind::kEd25519, first, "x", signature));
  std::string third = ed25519_spki(hex("fc51cd8e6218a1a38da47ed00230f0580816ed13ba3303ac5deb911548908025"));
  std::string third_signature = hex(
      "6291d657deec24024827e69c3abe01a30ce548a284743a445e3680d7db5ac3ac18ff9b538d16f290ae67f760984dc6594a7c15e9716ed28d"
      "c027beceea1ec40a");
  EXPECT_TRUE(verify_signature(KeyKind::kEd25519, third, hex("af82"), third_signature));
  EXPECT_FALSE(verify_signature(KeyKind::kEd25519, first, hex("af82"), third_signature));
}

TEST(Crypto, VerifiesWhatTheIdentitySigns) {
  IdentityKey key = IdentityKey::generate();
  EXPECT_EQ(key.public_key().size(), 32U);
  EXPECT_EQ(key.public_key_spki(), ed25519_spki(key.public_key()));
  std::string signature = key.sign("hello");
  ASSERT_EQ(signature.size(), 64U);
  EXPECT_TRUE(verify_signature(KeyKind::kEd25519, key.public_key_spki(), "hello", signature));
  for (std::size_t i = 0; i < signature.size(); i += 7) {
    std::string tampered = signature;
    tampered[i] = static_cast<char>(tampered[i] ^ 1);
    EXPECT_FALSE(verify_signature(KeyKind::kEd25519, key.public_key_spki(), "hello", tampered));
  }
}

// A signature as WebCrypto gives it.
std::string raw_ecdsa(EVP_PKEY* key, std::string_view bytes) {
  DigestPtr context(EVP_MD_CTX_new());
  std::string der(128, '\0');
  std::size_t size = der.size();
  EXPECT_EQ(EVP_DigestSignInit(context.get(), nullptr, EVP_sha256(), nullptr, key), 1);
  EXPECT_EQ(EVP_DigestSign(context.get(), as_bytes(der), &size, as_bytes(bytes), bytes.size()), 1);
  const unsigned char* at = as_bytes(std::string_view(der));
  EcdsaSigPtr pair(d2i_ECDSA_SIG(nullptr, &at, static_cast<long>(size)));
  std::string out(64, '\0');
  EXPECT_EQ(BN_bn2binpad(ECDSA_SIG_get0_r(pair.get()), as_bytes(out), 32), 32);
  EXPECT_EQ(BN_bn2binpad(ECDSA_SIG_get0_s(pair.get()), as_bytes(out) + 32, 32), 32);
  return out;
}

TEST(Crypto, VerifiesP256AsWebCryptoSigns) {
  KeyPtr key(EVP_EC_gen("P-256"));
  std::string spki = spki_of(key.get());
  EXPECT_TRUE(is_public_key(KeyKind::kEcdsaP256, spki));
  for (int i = 0; i < 50; ++i) {  // some have leading zeros
    std::string text = "message " + std::to_string(i);
    std::string signature = raw_ecdsa(key.get(), text);
    EXPECT_TRUE(verify_signature(KeyKind::kEcdsaP256, spki, text, signature));
    EXPECT_FALSE(verify_signature(KeyKind::kEcdsaP256, spki, text + "x", signature));
  }
  EXPECT_FALSE(verify_signature(KeyKind::kEcdsaP256, spki, "x", std::string(64, '\0')));
  EXPECT_FALSE(verify_signature(KeyKind::kEcdsaP256, spki, "x", std::string(64, '\xff')));
}

TEST(Crypto, RefusesMalformedKeys) {
  IdentityKey identity = IdentityKey::generate();
  std::string spki = identity.public_key_spki();
  KeyPtr p256(EVP_EC_gen("P-256"));
  KeyPtr p384(EVP_EC_gen("P-384"));
  EXPECT_TRUE(is_public_key(KeyKind::kEd25519, spki));
  EXPECT_FALSE(is_public_key(KeyKind::kEcdsaP256, spki));
  EXPECT_FALSE(is_public_key(KeyKind::kEd25519, spki_of(p256.get())));
  EXPECT_FALSE(is_public_key(KeyKind::kEcdsaP256, spki_of(p384.get())));
  EXPECT_FALSE(is_public_key(KeyKind::kEd25519, ""));
  EXPECT_FALSE(is_public_key(KeyKind::kEd25519, spki + "x"));
  EXPECT_FALSE(is_public_key(KeyKind::kEd25519, spki.substr(1)));
  EXPECT_FALSE(is_public_key(KeyKind::kEd25519, std::string(1000, '0')));
  EXPECT_FALSE(verify_signature(KeyKind::kEd25519, "junk", "x", std::string(64, 'x')));
  EXPECT_FALSE(verify_signature(KeyKind::kEd25519, spki, "x", "short"));
}

class IdentityFile : public ::testing::Test {
 public:
  IdentityFile() {
    std::string name = std::filesystem::temp_directory_path() / "hearth-crypto-XXXXXX";
    folder_ = ::mkdtemp(name.data());
    file_ = folder_ / "identity.pem";
  }
  ~IdentityFile() override { std::filesystem::remove_all(folder_); }

 protected:
  std::filesystem::path folder_;
  std::filesystem::path file_;
};

TEST_F(IdentityFile, IsMadeOnceAndForItsOwnerOnly) {
  Result<IdentityKey> first = IdentityKey::load_or_create(file_);
  ASSERT_TRUE(first) << first.error().message;
  struct stat info = {};
  ASSERT_EQ(::stat(file_.c_str(), &info), 0);
  EXPECT_EQ(info.st_mode & 0777, 0600U);
  Result<IdentityKey> second = IdentityKey::load_or_create(file_);
  ASSERT_TRUE(second) << second.error().message;
  EXPECT_EQ(first->public_key(), second->public_key());
  EXPECT_EQ(std::distance(std::filesystem::directory_iterator(folder_), {}), 1);
}

TEST_F(IdentityFile, MustNotBeReadableByOthers) {
  ASSERT_TRUE(IdentityKey::load_or_create(file_));
  ASSERT_EQ(::chmod(file_.c_str(), 0640), 0);
  Result<IdentityKey> key = IdentityKey::load_or_create(file_);
  ASSERT_FALSE(key);
  EXPECT_EQ(key.error().code, Code::kPermissionDenied);
}

TEST_F(IdentityFile, MustHoldAKeyOfTheRightKind) {
  std::ofstream(file_) << "no key";
  ASSERT_EQ(::chmod(file_.c_str(), 0600), 0);
  Result<IdentityKey> key = IdentityKey::load_or_create(file_);
  ASSERT_FALSE(key);
  EXPECT_EQ(key.error().code, Code::kInvalidArgument);
}

TEST_F(IdentityFile, NeedsItsFolder) {
  Result<IdentityKey> key = IdentityKey::load_or_create(folder_ / "none" / "identity.pem");
  ASSERT_FALSE(key);
  EXPECT_EQ(key.error().code, Code::kNotFound);
}

}  // namespace
}  // namespace hearth::net
