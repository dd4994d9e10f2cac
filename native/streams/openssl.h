// OpenSSL 3 as the running Node exports it: found by name when TLS is first used, so that the addon
// links none and shares Node's. Where a runtime exports none, TLS goes another way (ts/).
#pragma once

#include <cstddef>
#include <cstdint>

namespace aiomqtt::openssl {

// OpenSSL's types, which are opaque here.
struct Method;
struct Context;  // SSL_CTX
struct Session;  // SSL
struct Bio;
struct Certificate;  // X509
struct Key;          // EVP_PKEY
struct Store;        // X509_STORE
struct Crl;          // X509_CRL
struct VerifyParameters;

using PasswordCallback = int (*)(char* buffer, int size, int writing, void* user);
using VerifyCallback = int (*)(int ok, void* store_context);

// The functions in use, under OpenSSL's names and with its signatures.
struct Library {
  unsigned long (*OpenSSL_version_num)();
  const Method* (*TLS_client_method)();
  Context* (*SSL_CTX_new)(const Method*);
  void (*SSL_CTX_free)(Context*);
  long (*SSL_CTX_ctrl)(Context*, int, long, void*);
  std::uint64_t (*SSL_CTX_set_options)(Context*, std::uint64_t);
  void (*SSL_CTX_set_verify)(Context*, int, VerifyCallback);
  Store* (*SSL_CTX_get_cert_store)(const Context*);
  int (*SSL_CTX_use_certificate)(Context*, Certificate*);
  int (*SSL_CTX_use_PrivateKey)(Context*, Key*);
  int (*SSL_CTX_check_private_key)(const Context*);
  int (*SSL_CTX_set_cipher_list)(Context*, const char*);
  int (*SSL_CTX_set_ciphersuites)(Context*, const char*);
  int (*SSL_CTX_set_alpn_protos)(Context*, const unsigned char*, unsigned);
  void (*SSL_CTX_set_default_read_buffer_len)(Context*, std::size_t);
  Session* (*SSL_new)(Context*);
  void (*SSL_free)(Session*);
  int (*SSL_set_fd)(Session*, int);
  long (*SSL_ctrl)(Session*, int, long, void*);
  void (*SSL_set_connect_state)(Session*);
  int (*SSL_do_handshake)(Session*);
  int (*SSL_read)(Session*, void*, int);
  int (*SSL_write)(Session*, const void*, int);
  int (*SSL_shutdown)(Session*);
  int (*SSL_get_error)(const Session*, int);
  int (*SSL_has_pending)(const Session*);
  long (*SSL_get_verify_result)(const Session*);
  int (*SSL_set1_host)(Session*, const char*);
  void (*SSL_set_hostflags)(Session*, unsigned);
  VerifyParameters* (*SSL_get0_param)(Session*);
  int (*X509_VERIFY_PARAM_set1_ip_asc)(VerifyParameters*, const char*);
  Bio* (*BIO_new_mem_buf)(const void*, int);
  int (*BIO_free)(Bio*);
  Certificate* (*PEM_read_bio_X509)(Bio*, Certificate**, PasswordCallback, void*);
  Certificate* (*PEM_read_bio_X509_AUX)(Bio*, Certificate**, PasswordCallback, void*);
  Crl* (*PEM_read_bio_X509_CRL)(Bio*, Crl**, PasswordCallback, void*);
  Key* (*PEM_read_bio_PrivateKey)(Bio*, Key**, PasswordCallback, void*);
  void (*X509_free)(Certificate*);
  void (*X509_CRL_free)(Crl*);
  void (*EVP_PKEY_free)(Key*);
  int (*X509_STORE_add_cert)(Store*, Certificate*);
  int (*X509_STORE_add_crl)(Store*, Crl*);
  int (*X509_STORE_set_flags)(Store*, unsigned long);
  unsigned long (*ERR_get_error)();
  void (*ERR_clear_error)();
  void (*ERR_error_string_n)(unsigned long, char*, std::size_t);
};

// Null where the process has no OpenSSL 3. Thread-safe.
[[nodiscard]] const Library* library() noexcept;

// Constants of <openssl/ssl.h>, <openssl/tls1.h> and <openssl/x509_vfy.h>.
inline constexpr int kErrorSsl = 1;
inline constexpr int kErrorWantRead = 2;
inline constexpr int kErrorWantWrite = 3;
inline constexpr int kErrorSyscall = 5;
inline constexpr int kErrorZeroReturn = 6;
inline constexpr int kVerifyNone = 0;
inline constexpr int kVerifyPeer = 1;
inline constexpr int kCtrlMode = 33;
inline constexpr int kCtrlSetReadAhead = 41;
inline constexpr int kCtrlSetTlsextHostname = 55;
inline constexpr int kTlsextNametypeHostName = 0;
inline constexpr int kCtrlChainCert = 89;
inline constexpr int kCtrlSetGroupsList = 92;
inline constexpr int kCtrlSetSigalgsList = 98;
inline constexpr int kCtrlSetMinProtoVersion = 123;
inline constexpr int kCtrlSetMaxProtoVersion = 124;
inline constexpr long kModeEnablePartialWrite = 1;
inline constexpr long kModeAcceptMovingWriteBuffer = 2;
inline constexpr long kModeReleaseBuffers = 16;
inline constexpr std::uint64_t kOpNoRenegotiation = std::uint64_t{1} << 30;
inline constexpr unsigned kNoPartialWildcards = 4;
inline constexpr unsigned long kCrlCheck = 4;
inline constexpr unsigned long kCrlCheckAll = 8;

}  // namespace aiomqtt::openssl
