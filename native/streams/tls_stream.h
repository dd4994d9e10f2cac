// TLS over a connected socket, by Node's OpenSSL. The handshake is driven by the I/O thread before
// anyone else uses the stream; afterwards reads and writes may come from two threads, which OpenSSL
// does not allow for one session, hence the lock.
#pragma once

#include <memory>
#include <mutex>

#include "platform/descriptor.h"
#include "streams/stream.h"
#include "streams/tls_context.h"

namespace aiomqtt {

class TlsStream final : public Stream {
 public:
  // Null, and `error` says why.
  [[nodiscard]] static std::unique_ptr<TlsStream> make(std::unique_ptr<Stream> below,
                                                       const TlsOptions& options, TlsError& error);
  ~TlsStream() override;

  enum class Handshake : std::uint8_t { kDone, kWantsRead, kWantsWrite, kFailed };
  // On kFailed `error` says why; an empty text and no verify result: the peer went away, errno or 0
  // in `system_error`.
  [[nodiscard]] Handshake shake_hands(TlsError& error, int& system_error) noexcept;

  Transfer read(std::span<std::uint8_t> into) noexcept override;
  Transfer write(std::span<const std::uint8_t> from) noexcept override;
  void end_writing() noexcept override;
  [[nodiscard]] bool has_more() const noexcept override;
  [[nodiscard]] std::string explanation() const override;
  [[nodiscard]] NativeSocket descriptor() const noexcept override { return below_->descriptor(); }

 private:
  TlsStream(std::unique_ptr<Stream> below, std::shared_ptr<TlsContext> context,
            openssl::Session* session) noexcept;
  [[nodiscard]] Transfer failure(int result) noexcept;

  mutable std::mutex mutex_;
  std::unique_ptr<Stream> below_;
  std::shared_ptr<TlsContext> context_;
  openssl::Session* session_;
  std::string explanation_;
};

}  // namespace aiomqtt
