#include "streams/openssl.h"

#include "platform/process.h"

namespace aiomqtt::openssl {
namespace {

template <typename Function>
bool find(Function& function, const char* name) noexcept {
  function = reinterpret_cast<Function>(find_symbol(name));
  return function != nullptr;
}

bool load(Library& l) noexcept {
  constexpr unsigned long kOpenssl3 = 0x30000000UL;
  if (!find(l.OpenSSL_version_num, "OpenSSL_version_num")) return false;
  if (l.OpenSSL_version_num() < kOpenssl3) return false;
  return find(l.TLS_client_method, "TLS_client_method") && find(l.SSL_CTX_new, "SSL_CTX_new") &&
         find(l.SSL_CTX_free, "SSL_CTX_free") && find(l.SSL_CTX_ctrl, "SSL_CTX_ctrl") &&
         find(l.SSL_CTX_set_options, "SSL_CTX_set_options") &&
         find(l.SSL_CTX_set_verify, "SSL_CTX_set_verify") &&
         find(l.SSL_CTX_get_cert_store, "SSL_CTX_get_cert_store") &&
         find(l.SSL_CTX_use_certificate, "SSL_CTX_use_certificate") &&
         find(l.SSL_CTX_use_PrivateKey, "SSL_CTX_use_PrivateKey") &&
         find(l.SSL_CTX_check_private_key, "SSL_CTX_check_private_key") &&
         find(l.SSL_CTX_set_cipher_list, "SSL_CTX_set_cipher_list") &&
         find(l.SSL_CTX_set_ciphersuites, "SSL_CTX_set_ciphersuites") &&
         find(l.SSL_CTX_set_alpn_protos, "SSL_CTX_set_alpn_protos") &&
         find(l.SSL_CTX_set_default_read_buffer_len, "SSL_CTX_set_default_read_buffer_len") &&
         find(l.SSL_new, "SSL_new") && find(l.SSL_free, "SSL_free") &&
         find(l.SSL_set_fd, "SSL_set_fd") && find(l.SSL_ctrl, "SSL_ctrl") &&
         find(l.SSL_set_connect_state, "SSL_set_connect_state") &&
         find(l.SSL_do_handshake, "SSL_do_handshake") && find(l.SSL_read, "SSL_read") &&
         find(l.SSL_write, "SSL_write") && find(l.SSL_shutdown, "SSL_shutdown") &&
         find(l.SSL_get_error, "SSL_get_error") && find(l.SSL_has_pending, "SSL_has_pending") &&
         find(l.SSL_get_verify_result, "SSL_get_verify_result") &&
         find(l.SSL_set1_host, "SSL_set1_host") && find(l.SSL_set_hostflags, "SSL_set_hostflags") &&
         find(l.SSL_get0_param, "SSL_get0_param") &&
         find(l.X509_VERIFY_PARAM_set1_ip_asc, "X509_VERIFY_PARAM_set1_ip_asc") &&
         find(l.BIO_new_mem_buf, "BIO_new_mem_buf") && find(l.BIO_free, "BIO_free") &&
         find(l.PEM_read_bio_X509, "PEM_read_bio_X509") &&
         find(l.PEM_read_bio_X509_AUX, "PEM_read_bio_X509_AUX") &&
         find(l.PEM_read_bio_X509_CRL, "PEM_read_bio_X509_CRL") &&
         find(l.PEM_read_bio_PrivateKey, "PEM_read_bio_PrivateKey") &&
         find(l.X509_free, "X509_free") && find(l.X509_CRL_free, "X509_CRL_free") &&
         find(l.EVP_PKEY_free, "EVP_PKEY_free") &&
         find(l.X509_STORE_add_cert, "X509_STORE_add_cert") &&
         find(l.X509_STORE_add_crl, "X509_STORE_add_crl") &&
         find(l.X509_STORE_set_flags, "X509_STORE_set_flags") &&
         find(l.ERR_get_error, "ERR_get_error") && find(l.ERR_clear_error, "ERR_clear_error") &&
         find(l.ERR_error_string_n, "ERR_error_string_n");
}

}  // namespace

const Library* library() noexcept {
  static const Library* const found = [] {
    static Library library{};
    return load(library) ? &library : nullptr;
  }();
  return found;
}

}  // namespace aiomqtt::openssl
