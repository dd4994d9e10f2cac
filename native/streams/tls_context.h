// TLS as a connection wants it, and the OpenSSL context made of that. Contexts are costly (the
// root certificates alone take milliseconds to parse), so equal options share one. I/O thread only.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "streams/openssl.h"

namespace aiomqtt {

// Everything in memory: files were read before. Texts are PEM.
struct TlsOptions {
  std::string ca;           // trusted certificates, one after the other
  std::string crl;          // revocation lists; empty: none are checked
  std::string certificate;  // ours, followed by its chain; empty: none
  std::string key;
  std::string passphrase;
  std::string ciphers;        // for TLS 1.2, OpenSSL's list format; empty: the library's choice
  std::string cipher_suites;  // for TLS 1.3; empty: the library's choice
  std::string groups;
  std::string signature_algorithms;
  std::vector<std::uint8_t> alpn;  // as on the wire; empty: none
  int minimum_version = 0;         // 0x0303 is TLS 1.2; 0: the library's choice
  int maximum_version = 0;
  bool verify = true;       // the chain
  std::string server_name;  // sent to the server; empty: none is
  std::string
      verified_host;  // must be in the certificate, a name or an address; empty: any will do

  // Equal for options that share a context.
  [[nodiscard]] std::string context_key() const;
};

// What went wrong: OpenSSL's text, "error:0A00010B:SSL routines::wrong version number", after the
// option that it is about, if it is about one: "key: error:...".
struct TlsError {
  std::string text;
  long verify_result = 0;  // X509_V_ERR_..., 0 if that is not what failed
};

class TlsContext {
 public:
  // Null, and `error` says why. Needs openssl::library().
  [[nodiscard]] static std::shared_ptr<TlsContext> get(const TlsOptions& options, TlsError& error);

  explicit TlsContext(openssl::Context* context) noexcept : context_(context) {}
  ~TlsContext() { openssl::library()->SSL_CTX_free(context_); }
  TlsContext(const TlsContext&) = delete;
  TlsContext& operator=(const TlsContext&) = delete;

  [[nodiscard]] openssl::Context* get() const noexcept { return context_; }

 private:
  openssl::Context* context_;
};

// The first error of this thread's OpenSSL queue, which is emptied.
[[nodiscard]] std::string take_openssl_error();

}  // namespace aiomqtt
