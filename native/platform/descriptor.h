// An owned socket, or on POSIX systems any file descriptor.
#pragma once

#include <utility>

#include "platform/socket.h"

namespace aiomqtt {

class Descriptor {
 public:
  Descriptor() = default;
  explicit Descriptor(NativeSocket fd) noexcept : fd_(fd) {}
  Descriptor(Descriptor&& other) noexcept : fd_(std::exchange(other.fd_, kNoSocket)) {}
  Descriptor& operator=(Descriptor&& other) noexcept {
    if (this != &other) {
      reset();
      fd_ = std::exchange(other.fd_, kNoSocket);
    }
    return *this;
  }
  ~Descriptor() { reset(); }

  [[nodiscard]] NativeSocket get() const noexcept { return fd_; }
  explicit operator bool() const noexcept { return fd_ != kNoSocket; }
  void reset() noexcept {
    if (fd_ != kNoSocket) close_socket(fd_);
    fd_ = kNoSocket;
  }

 private:
  NativeSocket fd_ = kNoSocket;
};

}  // namespace aiomqtt
