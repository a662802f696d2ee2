#include "net/crypto.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <utility>

#include <openssl/bio.h>
#include <openssl/bn.h>
#include <openssl/ec.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/pem.h>
#include <openssl/rand.h>
#include <openssl/x509.h>

#include "base/check.h"
#include "base/fd.h"
#include "net/openssl.h"

namespace hearth::net {
namespace {

constexpr std::size_t kMaxSpkiBytes = 128;
constexpr std::size_t kMaxKeyFileBytes = 4096;
// SubjectPublicKeyInfo up to the key: SEQUENCE { SEQUENCE { OID 1.3.101.112 }, BIT STRING of 32 bytes }.
constexpr std::string_view kEd25519SpkiHead("\x30\x2a\x30\x05\x06\x03\x2b\x65\x70\x03\x21\x00", 12);

Result<std::string> read_key_file(int file) {
  std::string text(kMaxKeyFileBytes, '\0');
  ssize_t count = ::pread(file, text.data(), text.size(), 0);
  if (count < 0) return fail_errno(errno, "reading the identity key");
  text.resize(static_cast<std::size_t>(count));
  return text;
}

Result<void> write_new_file(const std::string& name, std::string_view content) {
  Fd file(::open(name.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600));
  if (file.get() < 0) return fail_errno(errno, "creating " + name);
  ssize_t count = ::write(file.get(), content.data(), content.size());
  if (count < 0) return fail_errno(errno, "writing " + name);
  if (std::cmp_not_equal(count, content.size()))
    return fail(Code::kResourceExhausted, "writing " + name + ": no space");
  if (::fsync(file.get()) != 0) return fail_errno(errno, "writing " + name);
  return {};
}

// Written aside first, so that the file is whole or absent, and never replaces a key that is there already.
Result<void> create_key_file(const std::filesystem::path& path, std::string_view content) {
  std::string aside = path.string() + ".new-" + to_hex(random_bytes(6));
  Result<void> written = write_new_file(aside, content);
  bool linked = written && (::link(aside.c_str(), path.c_str()) == 0 || errno == EEXIST);
  int error = errno;
  ::unlink(aside.c_str());
  if (!written) return written;
  if (!linked) return fail_errno(error, "creating " + path.string());
  Fd folder(::open(path.has_parent_path() ? path.parent_path().c_str() : ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (folder.get() >= 0) ::fsync(folder.get());
  return {};
}

std::string private_key_pem(EVP_PKEY* key) {
  BioPtr bio(BIO_new(BIO_s_mem()));
  CHECK(bio && PEM_write_bio_PKCS8PrivateKey(bio.get(), key, nullptr, nullptr, 0, nullptr, nullptr) == 1);
  char* data = nullptr;
  long size = BIO_get_mem_data(bio.get(), &data);
  return {data, static_cast<std::size_t>(size)};
}

KeyPtr ed25519_key(std::string_view raw) {
  return KeyPtr(EVP_PKEY_new_raw_public_key(EVP_PKEY_ED25519, nullptr, as_bytes(raw), raw.size()));
}

// Of exactly that kind, with nothing after it. An Ed25519 key has one spelling (RFC 8410): OpenSSL's decoder would take
// thirty times as long to find it, as long as verifying the signature.
KeyPtr parse_public_key(KeyKind kind, std::string_view spki) {
  if (kind == KeyKind::kEd25519) {
    bool spelled = spki.size() == kEd25519SpkiHead.size() + 32 && spki.starts_with(kEd25519SpkiHead);
    return spelled ? ed25519_key(spki.substr(kEd25519SpkiHead.size())) : nullptr;
  }
  if (spki.empty() || spki.size() > kMaxSpkiBytes) return nullptr;
  const unsigned char* at = as_bytes(spki);
  KeyPtr key(d2i_PUBKEY(nullptr, &at, static_cast<long>(spki.size())));
  if (!key || at != as_bytes(spki) + spki.size()) return nullptr;
  if (EVP_PKEY_get_id(key.get()) != EVP_PKEY_EC) return nullptr;
  char group[32] = {};
  std::size_t size = 0;
  bool named = EVP_PKEY_get_group_name(key.get(), group, sizeof group, &size) == 1;
  return named && std::string_view(group) == "prime256v1" ? std::move(key) : nullptr;
}

// WebCrypto's r | s as the DER that OpenSSL takes.
std::string ecdsa_der(std::string_view signature) {
  EcdsaSigPtr pair(ECDSA_SIG_new());
  BIGNUM* r = BN_bin2bn(as_bytes(signature), 32, nullptr);
  BIGNUM* s = BN_bin2bn(as_bytes(signature) + 32, 32, nullptr);
  CHECK(pair && r != nullptr && s != nullptr && ECDSA_SIG_set0(pair.get(), r, s) == 1);
  unsigned char* der = nullptr;
  int size = i2d_ECDSA_SIG(pair.get(), &der);
  CHECK(size > 0);
  std::string out(reinterpret_cast<char*>(der), static_cast<std::size_t>(size));
  OPENSSL_free(der);
  return out;
}

bool verify_with(EVP_PKEY* key, const EVP_MD* digest, std::string_view bytes, std::string_view signature) {
  DigestPtr context(EVP_MD_CTX_new());
  bool good =
      context && EVP_DigestVerifyInit(context.get(), nullptr, digest, nullptr, key) == 1 &&
      EVP_DigestVerify(context.get(), as_bytes(signature), signature.size(), as_bytes(bytes), bytes.size()) == 1;
  clear_openssl_errors();
  return good;
}

}  // namespace

void clear_openssl_errors() { ERR_clear_error(); }

std::string spki_of(EVP_PKEY* key) {
  unsigned char* der = nullptr;
  int size = i2d_PUBKEY(key, &der);
  CHECK(size > 0);
  std::string out(reinterpret_cast<char*>(der), static_cast<std::size_t>(size));
  OPENSSL_free(der);
  return out;
}

std::string random_bytes(std::size_t count) {
  std::string out(count, '\0');
  CHECK(RAND_bytes(as_bytes(out), static_cast<int>(count)) == 1);
  return out;
}

std::string sha256(std::string_view bytes) {
  std::string out(32, '\0');
  CHECK(EVP_Digest(bytes.data(), bytes.size(), as_bytes(out), nullptr, EVP_sha256(), nullptr) == 1);
  return out;
}

std::string hmac_sha256(std::string_view key, std::string_view bytes) {
  std::string out(32, '\0');
  CHECK(HMAC(EVP_sha256(), key.data(), static_cast<int>(key.size()), as_bytes(bytes), bytes.size(), as_bytes(out),
             nullptr) != nullptr);
  return out;
}

struct Sha256::State {
  DigestPtr context{EVP_MD_CTX_new()};
};

Sha256::Sha256() : state_(std::make_unique<State>()) {
  CHECK(state_->context && EVP_DigestInit_ex(state_->context.get(), EVP_sha256(), nullptr) == 1);
}

Sha256::~Sha256() = default;
Sha256::Sha256(Sha256&&) noexcept = default;
Sha256& Sha256::operator=(Sha256&&) noexcept = default;

void Sha256::update(std::string_view bytes) {
  CHECK(EVP_DigestUpdate(state_->context.get(), bytes.data(), bytes.size()) == 1);
}

std::string Sha256::finish() {
  std::string out(32, '\0');
  CHECK(EVP_DigestFinal_ex(state_->context.get(), as_bytes(out), nullptr) == 1);
  return out;
}

struct IdentityKey::State {
  KeyPtr key;
  std::string public_key;

  explicit State(KeyPtr pair) : key(std::move(pair)), public_key(32, '\0') {
    std::size_t size = 32;
    CHECK(EVP_PKEY_get_raw_public_key(key.get(), as_bytes(public_key), &size) == 1 && size == 32);
  }
};

IdentityKey::IdentityKey(std::unique_ptr<State> state) : state_(std::move(state)) {}
IdentityKey::IdentityKey(IdentityKey&&) noexcept = default;
IdentityKey& IdentityKey::operator=(IdentityKey&&) noexcept = default;
IdentityKey::~IdentityKey() = default;

IdentityKey IdentityKey::generate() {
  KeyPtr key(EVP_PKEY_Q_keygen(nullptr, nullptr, "ED25519"));
  CHECK(key != nullptr);
  return IdentityKey(std::make_unique<State>(std::move(key)));
}

Result<IdentityKey> IdentityKey::load_or_create(const std::filesystem::path& file) {
  Fd open_file(::open(file.c_str(), O_RDONLY | O_CLOEXEC));
  if (open_file.get() < 0 && errno == ENOENT) {
    Result<void> created = create_key_file(file, private_key_pem(generate().state().key.get()));
    if (!created) return std::unexpected(created.error());
    open_file = Fd(::open(file.c_str(), O_RDONLY | O_CLOEXEC));
  }
  if (open_file.get() < 0) return fail_errno(errno, "opening the identity key " + file.string());
  struct stat info = {};
  if (::fstat(open_file.get(), &info) != 0) return fail_errno(errno, "opening the identity key " + file.string());
  if ((info.st_mode & 077) != 0) {
    return fail(Code::kPermissionDenied, "the identity key " + file.string() +
                                             " can be read by others; run: chmod 600 " + file.string() +
                                             " (and make a new key if somebody may have copied it)");
  }
  Result<std::string> text = read_key_file(open_file.get());
  if (!text) return std::unexpected(text.error());
  BioPtr bio(BIO_new_mem_buf(text->data(), static_cast<int>(text->size())));
  // No passphrase: without the callback OpenSSL would ask on the terminal.
  auto no_password = [](char*, int, int, void*) { return -1; };
  KeyPtr key(PEM_read_bio_PrivateKey(bio.get(), nullptr, no_password, nullptr));
  clear_openssl_errors();
  if (!key || EVP_PKEY_get_id(key.get()) != EVP_PKEY_ED25519) {
    return fail(Code::kInvalidArgument, file.string() +
                                            " holds no Ed25519 key (PEM, PKCS #8, without a password); "
                                            "move it away to have a new one made");
  }
  return IdentityKey(std::make_unique<State>(std::move(key)));
}

const std::string& IdentityKey::public_key() const { return state_->public_key; }

std::string IdentityKey::public_key_spki() const { return spki_of(state_->key.get()); }

std::string IdentityKey::sign(std::string_view bytes) const {
  DigestPtr context(EVP_MD_CTX_new());
  std::string out(64, '\0');
  std::size_t size = out.size();
  CHECK(context && EVP_DigestSignInit(context.get(), nullptr, nullptr, nullptr, state_->key.get()) == 1);
  CHECK(EVP_DigestSign(context.get(), as_bytes(out), &size, as_bytes(bytes), bytes.size()) == 1 && size == 64);
  return out;
}

bool is_public_key(KeyKind kind, std::string_view spki) {
  bool good = parse_public_key(kind, spki) != nullptr;
  clear_openssl_errors();
  return good;
}

bool verify_signature(KeyKind kind, std::string_view spki, std::string_view bytes, std::string_view signature) {
  if (signature.size() != 64) return false;
  KeyPtr key = parse_public_key(kind, spki);
  clear_openssl_errors();
  if (!key) return false;
  if (kind == KeyKind::kEd25519) return verify_with(key.get(), nullptr, bytes, signature);
  return verify_with(key.get(), EVP_sha256(), bytes, ecdsa_der(signature));
}

bool verify_ed25519(std::string_view public_key, std::string_view bytes, std::string_view signature) {
  if (public_key.size() != 32 || signature.size() != 64) return false;
  KeyPtr key = ed25519_key(public_key);
  clear_openssl_errors();
  return key && verify_with(key.get(), nullptr, bytes, signature);
}

}  // namespace hearth::net
