// The other side of the wire: loopback listeners and peers that do what the test tells them, byte
// for byte. Everything that waits has a deadline and throws a Failure when it passes.
#pragma once

#include <chrono>
#include <cstdint>
#include <exception>
#include <functional>
#include <thread>

#include "platform/descriptor.h"
#include "streams/address.h"
#include "tests/bytes.h"

namespace aiomqtt::testing {

// For what happens at once unless it never happens; generous, as sanitizers and CI are slow.
inline constexpr std::chrono::seconds kPatience{15};

// A connection that a listener took.
class Peer {
 public:
  explicit Peer(Descriptor socket);

  void send(Bytes bytes);
  // Each byte in a segment of its own.
  void send_bytewise(Bytes bytes);

  // The next packet, read with so many bytes a system call at most. Fails when the stream ends
  // first.
  Buffer read_packet(std::size_t at_once = kAtOnce);
  // Exactly so many bytes.
  Buffer read_bytes(std::size_t count, std::size_t at_once = kAtOnce);
  // Fails unless the next packet is this one.
  void expect(const Buffer& packet);
  // Fails unless the stream ends here: neither more bytes nor a reset.
  void expect_end();
  // Everything until the stream ends or is reset.
  Buffer read_to_end();

  // The address that the client connects from.
  [[nodiscard]] std::string client_host() const;

  // Closes with FIN, or with RST if there is something unread.
  void close();
  // Closes with RST.
  void reset();
  [[nodiscard]] int descriptor() const { return socket_.get(); }

 private:
  static constexpr std::size_t kAtOnce = 64 * 1024;

  enum class Received : std::uint8_t { kBytes, kEnd, kReset };

  // Reads some bytes into received_.
  Received receive(std::size_t most);
  void receive_bytes(std::size_t most);
  [[nodiscard]] Bytes untaken() const;

  Descriptor socket_;
  Buffer received_;
  std::size_t taken_ = 0;  // of received_
};

class Listener {
 public:
  struct Options {
    int family = AF_INET;  // or AF_INET6, AF_UNIX
    int backlog = 512;
    int receive_buffer = 0;  // bytes; 0 is the system's choice
    int segment_size = 0;    // bytes; 0 is the system's choice
  };

  Listener() : Listener(Options{}) {}
  explicit Listener(const Options& options);
  ~Listener();

  [[nodiscard]] Address address() const { return address_; }
  Peer accept();
  // True when a connection waits to be accepted.
  [[nodiscard]] bool has_waiting() const;

 private:
  Descriptor socket_;
  Address address_;
};

// A port where connections are refused for as long as this lives.
class RefusingPort {
 public:
  explicit RefusingPort(int family = AF_INET);
  [[nodiscard]] Address address() const { return address_; }

 private:
  Descriptor socket_;
  Address address_;
};

// A port where connections are neither accepted nor refused: its queue is full.
class SilentPort {
 public:
  explicit SilentPort(int family = AF_INET);
  [[nodiscard]] Address address() const { return listener_.address(); }

 private:
  Listener listener_;
  Descriptor filler_;
};

// Runs something beside the test. What it throws is thrown again by join().
class Background {
 public:
  explicit Background(std::function<void()> action);
  ~Background();
  Background(const Background&) = delete;
  Background& operator=(const Background&) = delete;
  void join();

 private:
  std::exception_ptr failure_;
  std::thread thread_;
};

}  // namespace aiomqtt::testing
