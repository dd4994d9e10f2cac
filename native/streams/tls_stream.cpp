#include "streams/tls_stream.h"

#include <algorithm>
#include <cerrno>
#include <climits>

namespace aiomqtt {
namespace {

using openssl::library;

int int_size(std::size_t size) noexcept {
  return static_cast<int>(std::min<std::size_t>(size, INT_MAX));
}

}  // namespace

TlsStream::TlsStream(std::unique_ptr<Stream> below, std::shared_ptr<TlsContext> context,
                     openssl::Session* session) noexcept
    : below_(std::move(below)), context_(std::move(context)), session_(session) {}

std::unique_ptr<TlsStream> TlsStream::make(std::unique_ptr<Stream> below, const TlsOptions& options,
                                           TlsError& error) {
  std::shared_ptr<TlsContext> context = TlsContext::get(options, error);
  if (!context) return nullptr;
  const openssl::Library& l = *library();
  openssl::Session* const session = l.SSL_new(context->get());
  std::unique_ptr<TlsStream> stream(new TlsStream(std::move(below), std::move(context), session));
  bool good =
      session != nullptr && l.SSL_set_fd(session, static_cast<int>(stream->descriptor())) == 1;
  if (good && !options.server_name.empty()) {
    good = l.SSL_ctrl(session, openssl::kCtrlSetTlsextHostname, openssl::kTlsextNametypeHostName,
                      const_cast<char*>(options.server_name.c_str())) == 1;
  }
  if (good && options.verify && !options.verified_host.empty()) {
    l.SSL_set_hostflags(session, openssl::kNoPartialWildcards);
    const char* const host = options.verified_host.c_str();
    // An address if it parses as one, else a name.
    good = l.X509_VERIFY_PARAM_set1_ip_asc(l.SSL_get0_param(session), host) == 1 ||
           l.SSL_set1_host(session, host) == 1;
  }
  if (!good) {
    error.text = take_openssl_error();
    return nullptr;
  }
  l.ERR_clear_error();
  l.SSL_set_connect_state(session);
  return stream;
}

TlsStream::~TlsStream() {
  if (session_ != nullptr) library()->SSL_free(session_);
}

TlsStream::Handshake TlsStream::shake_hands(TlsError& error, int& system_error) noexcept {
  const openssl::Library& l = *library();
  l.ERR_clear_error();
  clear_socket_error();
  const int result = l.SSL_do_handshake(session_);
  below_->acknowledge_at_once();
  if (result == 1) return Handshake::kDone;
  const int saved_errno = last_socket_error();
  switch (l.SSL_get_error(session_, result)) {
    case openssl::kErrorWantRead:
      return Handshake::kWantsRead;
    case openssl::kErrorWantWrite:
      return Handshake::kWantsWrite;
    case openssl::kErrorSyscall:
      system_error = saved_errno;
      return Handshake::kFailed;
    default:
      error.verify_result = l.SSL_get_verify_result(session_);
      error.text = take_openssl_error();
      return Handshake::kFailed;
  }
}

Transfer TlsStream::read(std::span<std::uint8_t> into) noexcept {
  const openssl::Library& l = *library();
  const std::lock_guard lock(mutex_);
  std::size_t moved = 0;
  // Record by record, until there is no more or no more room: one pass of the caller for many.
  while (moved < into.size()) {
    l.ERR_clear_error();
    clear_socket_error();
    const int result = l.SSL_read(session_, into.data() + moved, int_size(into.size() - moved));
    if (result <= 0) {
      // What was read comes first; the failure comes again with the next read.
      if (moved > 0) break;
      const Transfer nothing = failure(result);
      below_->acknowledge_at_once();
      return nothing;
    }
    moved += static_cast<std::size_t>(result);
  }
  below_->acknowledge_at_once();
  return {Transfer::State::kMoved, moved, 0};
}

Transfer TlsStream::write(std::span<const std::uint8_t> from) noexcept {
  const openssl::Library& l = *library();
  const std::lock_guard lock(mutex_);
  l.ERR_clear_error();
  clear_socket_error();
  const int result = l.SSL_write(session_, from.data(), int_size(from.size()));
  if (result > 0) return {Transfer::State::kMoved, static_cast<std::size_t>(result), 0};
  return failure(result);
}

Transfer TlsStream::failure(int result) noexcept {
  const int saved_errno = last_socket_error();
  const openssl::Library& l = *library();
  switch (l.SSL_get_error(session_, result)) {
    case openssl::kErrorWantRead:
    case openssl::kErrorWantWrite:
      return {Transfer::State::kWouldBlock, 0, 0};
    case openssl::kErrorZeroReturn:
      return {Transfer::State::kEnded, 0, 0};
    case openssl::kErrorSyscall:
      if (saved_errno == 0) return {Transfer::State::kEnded, 0, 0};
      return {Transfer::State::kFailed, 0, saved_errno};
    default:
      explanation_ = take_openssl_error();
      // OpenSSL 3 reports an end without close_notify as an error of the protocol; it is the end.
      if (explanation_.find("unexpected eof") != std::string::npos) {
        return {Transfer::State::kEnded, 0, 0};
      }
      return {Transfer::State::kFailed, 0, EPROTO};
  }
}

void TlsStream::end_writing() noexcept {
  const std::lock_guard lock(mutex_);
  library()->ERR_clear_error();
  library()->SSL_shutdown(session_);
  below_->end_writing();
}

std::string TlsStream::explanation() const {
  const std::lock_guard lock(mutex_);
  return explanation_;
}

bool TlsStream::has_more() const noexcept {
  const std::lock_guard lock(mutex_);
  return library()->SSL_has_pending(session_) == 1;
}

}  // namespace aiomqtt
