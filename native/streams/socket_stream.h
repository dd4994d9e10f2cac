// A connected socket: TCP, a unix socket, or one end of a pair.
#pragma once

#include "platform/descriptor.h"
#include "streams/stream.h"

namespace aiomqtt {

class SocketStream final : public Stream {
 public:
  enum class Kind : std::uint8_t { kTcp, kLocal };
  SocketStream(Descriptor socket, Kind kind) noexcept : socket_(std::move(socket)), kind_(kind) {}

  Transfer read(std::span<std::uint8_t> into) noexcept override;
  Transfer write(std::span<const std::uint8_t> from) noexcept override;
  void end_writing() noexcept override;
  void acknowledge_at_once() noexcept override;
  [[nodiscard]] NativeSocket descriptor() const noexcept override { return socket_.get(); }

 private:
  Descriptor socket_;
  Kind kind_;
};

}  // namespace aiomqtt
