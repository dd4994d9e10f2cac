// A byte stream to a broker: a socket, or TLS over one. A stream of Node's is a socket here, too:
// the other end of a pair (ts/).
//
// A stream belongs to its connection. Reads happen on the I/O thread; writes on either engine
// thread, under the connection's write lock; destruction on the I/O thread.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>

#include "platform/socket.h"

namespace aiomqtt {

class Stream {
 public:
  Stream() = default;
  Stream(const Stream&) = delete;
  Stream& operator=(const Stream&) = delete;
  virtual ~Stream() = default;

  virtual Transfer read(std::span<std::uint8_t> into) noexcept = 0;
  virtual Transfer write(std::span<const std::uint8_t> from) noexcept = 0;
  // Tells the peer that nothing more will be written.
  virtual void end_writing() noexcept = 0;
  // Many brokers leave Nagle's algorithm on: they hold their next packet back until the last one is
  // acknowledged, and the kernel would take 40 ms for that. To be said anew after each read.
  virtual void acknowledge_at_once() noexcept {}
  // Whether it holds bytes that the descriptor would not announce.
  [[nodiscard]] virtual bool has_more() const noexcept { return false; }
  // More about a kFailed than its errno tells, if there is more.
  [[nodiscard]] virtual std::string explanation() const { return {}; }
  // The descriptor to poll.
  [[nodiscard]] virtual NativeSocket descriptor() const noexcept = 0;
};

}  // namespace aiomqtt
