#include "streams/tls_context.h"

#include <algorithm>
#include <cstring>
#include <list>
#include <utility>

namespace aiomqtt {
namespace {

using openssl::library;

constexpr std::size_t kCachedContexts = 16;
constexpr std::size_t kReadBuffer = 64 * 1024;

// A PEM text that is read from.
class Pem {
 public:
  explicit Pem(const std::string& text)
      : bio_(library()->BIO_new_mem_buf(text.data(), static_cast<int>(text.size()))) {}
  ~Pem() { library()->BIO_free(bio_); }
  Pem(const Pem&) = delete;
  Pem& operator=(const Pem&) = delete;
  openssl::Bio* get() noexcept { return bio_; }

 private:
  openssl::Bio* bio_;
};

// Hands the passphrase to OpenSSL; without one it must not ask on the terminal.
int give_passphrase(char* buffer, int size, int, void* user) noexcept {
  const auto& passphrase = *static_cast<const std::string*>(user);
  const int length = std::min(size, static_cast<int>(passphrase.size()));
  std::memcpy(buffer, passphrase.data(), static_cast<std::size_t>(length));
  return length;
}

bool use_ca(openssl::Context* context, const std::string& text) {
  openssl::Store* const store = library()->SSL_CTX_get_cert_store(context);
  Pem pem(text);
  bool any = false;
  while (openssl::Certificate* certificate =
             library()->PEM_read_bio_X509(pem.get(), nullptr, nullptr, nullptr)) {
    library()->X509_STORE_add_cert(store, certificate);
    library()->X509_free(certificate);
    any = true;
  }
  if (any) library()->ERR_clear_error();  // the end of the text is no error
  return any;
}

bool use_crl(openssl::Context* context, const std::string& text) {
  openssl::Store* const store = library()->SSL_CTX_get_cert_store(context);
  Pem pem(text);
  bool any = false;
  while (openssl::Crl* crl =
             library()->PEM_read_bio_X509_CRL(pem.get(), nullptr, nullptr, nullptr)) {
    library()->X509_STORE_add_crl(store, crl);
    library()->X509_CRL_free(crl);
    any = true;
  }
  if (!any) return false;
  library()->ERR_clear_error();
  return library()->X509_STORE_set_flags(store, openssl::kCrlCheck | openssl::kCrlCheckAll) == 1;
}

bool use_certificate(openssl::Context* context, const std::string& text) {
  Pem pem(text);
  openssl::Certificate* const own =
      library()->PEM_read_bio_X509_AUX(pem.get(), nullptr, nullptr, nullptr);
  if (own == nullptr) return false;
  const bool used = library()->SSL_CTX_use_certificate(context, own) == 1;
  library()->X509_free(own);
  if (!used) return false;
  while (openssl::Certificate* chained =
             library()->PEM_read_bio_X509(pem.get(), nullptr, nullptr, nullptr)) {
    // Adds a reference of its own.
    const bool added = library()->SSL_CTX_ctrl(context, openssl::kCtrlChainCert, 1, chained) == 1;
    library()->X509_free(chained);
    if (!added) return false;
  }
  library()->ERR_clear_error();
  return true;
}

bool use_key(openssl::Context* context, const std::string& text, const std::string& passphrase) {
  Pem pem(text);
  openssl::Key* const key = library()->PEM_read_bio_PrivateKey(
      pem.get(), nullptr, give_passphrase, const_cast<std::string*>(&passphrase));
  if (key == nullptr) return false;
  const bool used = library()->SSL_CTX_use_PrivateKey(context, key) == 1 &&
                    library()->SSL_CTX_check_private_key(context) == 1;
  library()->EVP_PKEY_free(key);
  return used;
}

// Null, or the name of the option that OpenSSL did not like.
const char* set_up(openssl::Context* context, const TlsOptions& options) {
  const openssl::Library& l = *library();
  const auto set_list = [&](int command, const std::string& list) {
    return list.empty() ||
           l.SSL_CTX_ctrl(context, command, 0, const_cast<char*>(list.c_str())) == 1;
  };
  const auto set_version = [&](int command, int version) {
    return version == 0 || l.SSL_CTX_ctrl(context, command, version, nullptr) == 1;
  };
  l.SSL_CTX_ctrl(context, openssl::kCtrlMode,
                 openssl::kModeEnablePartialWrite | openssl::kModeAcceptMovingWriteBuffer |
                     openssl::kModeReleaseBuffers,
                 nullptr);
  // A read that renegotiates waits to write, and a write to read, which nobody here waits for.
  // TLS 1.3 has no renegotiation.
  l.SSL_CTX_set_options(context, openssl::kOpNoRenegotiation);
  l.SSL_CTX_ctrl(context, openssl::kCtrlSetReadAhead, 1, nullptr);
  l.SSL_CTX_set_default_read_buffer_len(context, kReadBuffer);
  l.SSL_CTX_set_verify(context, options.verify ? openssl::kVerifyPeer : openssl::kVerifyNone,
                       nullptr);
  // The versions and ciphers first: they decide how strong certificates and keys must be.
  if (!set_version(openssl::kCtrlSetMinProtoVersion, options.minimum_version) ||
      !set_version(openssl::kCtrlSetMaxProtoVersion, options.maximum_version)) {
    return "version";
  }
  if (!options.ciphers.empty() &&
      l.SSL_CTX_set_cipher_list(context, options.ciphers.c_str()) != 1) {
    return "ciphers";
  }
  if (!options.cipher_suites.empty() &&
      l.SSL_CTX_set_ciphersuites(context, options.cipher_suites.c_str()) != 1) {
    return "cipherSuites";
  }
  if (!options.ca.empty() && !use_ca(context, options.ca)) return "ca";
  if (!options.crl.empty() && !use_crl(context, options.crl)) return "crl";
  if (!options.certificate.empty() && !use_certificate(context, options.certificate)) {
    return "certificate";
  }
  if (!options.key.empty() && !use_key(context, options.key, options.passphrase)) return "key";
  if (!set_list(openssl::kCtrlSetGroupsList, options.groups)) return "groups";
  if (!set_list(openssl::kCtrlSetSigalgsList, options.signature_algorithms)) {
    return "signatureAlgorithms";
  }
  // Zero is success here, unlike everywhere else.
  if (!options.alpn.empty() &&
      l.SSL_CTX_set_alpn_protos(context, options.alpn.data(),
                                static_cast<unsigned>(options.alpn.size())) != 0) {
    return "alpn";
  }
  return nullptr;
}

using Cache = std::list<std::pair<std::string, std::shared_ptr<TlsContext>>>;

// Most recently used first. Never destroyed, like the thread that uses it.
Cache& cache() {
  static auto* const contexts = new Cache;
  return *contexts;
}

}  // namespace

std::string TlsOptions::context_key() const {
  std::string key;
  for (const std::string* part : {&ca, &crl, &certificate, &this->key, &passphrase, &ciphers,
                                  &cipher_suites, &groups, &signature_algorithms}) {
    key += std::to_string(part->size()) + ':' + *part;
  }
  key.append(alpn.begin(), alpn.end());
  key += '|' + std::to_string(minimum_version) + '|' + std::to_string(maximum_version) + '|' +
         (verify ? '1' : '0');
  return key;
}

std::shared_ptr<TlsContext> TlsContext::get(const TlsOptions& options, TlsError& error) {
  std::string key = options.context_key();
  Cache& contexts = cache();
  const auto found = std::find_if(contexts.begin(), contexts.end(),
                                  [&](const auto& entry) { return entry.first == key; });
  if (found != contexts.end()) {
    contexts.splice(contexts.begin(), contexts, found);
    return contexts.front().second;
  }
  const openssl::Library& l = *library();
  l.ERR_clear_error();
  openssl::Context* const made = l.SSL_CTX_new(l.TLS_client_method());
  if (made == nullptr) {
    error.text = take_openssl_error();
    return nullptr;
  }
  auto context = std::make_shared<TlsContext>(made);
  if (const char* const option = set_up(made, options)) {
    error.text = std::string(option) + ": " + take_openssl_error();
    return nullptr;
  }
  contexts.emplace_front(std::move(key), context);
  if (contexts.size() > kCachedContexts) contexts.pop_back();
  return context;
}

std::string take_openssl_error() {
  const openssl::Library& l = *library();
  // The oldest one is the cause of the others.
  const unsigned long code = l.ERR_get_error();
  l.ERR_clear_error();
  if (code == 0) return {};
  char text[256];
  l.ERR_error_string_n(code, text, sizeof text);
  return text;
}

}  // namespace aiomqtt
