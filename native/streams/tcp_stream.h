// A connected TCP socket.
#pragma once

#include "streams/descriptor.h"
#include "streams/stream.h"

namespace aiomqtt {

class TcpStream final : public Stream {
 public:
  explicit TcpStream(Descriptor socket) noexcept : socket_(std::move(socket)) {}

  Transfer read(std::span<std::uint8_t> into) noexcept override;
  Transfer write(std::span<const std::uint8_t> from) noexcept override;
  void end_writing() noexcept override;
  [[nodiscard]] int descriptor() const noexcept override { return socket_.get(); }

 private:
  Descriptor socket_;
};

}  // namespace aiomqtt
