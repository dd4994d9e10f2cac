// Races TCP connections to a host's addresses (RFC 8305, "happy eyeballs"): the next attempt starts
// when the last one failed or took 250 ms; the first to connect wins, the others are closed.
// Lives on the I/O thread, which polls the attempts' descriptors and calls back in.
#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "platform/descriptor.h"
#include "platform/poller.h"
#include "streams/address.h"
#include "streams/socket_stream.h"
#include "streams/stream.h"

namespace aiomqtt {

class Connector {
 public:
  using Clock = std::chrono::steady_clock;
  static constexpr std::chrono::milliseconds kAttemptDelay{250};
  static constexpr std::size_t kMostAttempts = 64;

  // Attempts register with `poller` as token(connection, attempt number).
  Connector(std::vector<Address> addresses, SocketSetup setup, Poller& poller,
            std::uint32_t connection);
  ~Connector();
  Connector(const Connector&) = delete;
  Connector& operator=(const Connector&) = delete;

  enum class State : std::uint8_t { kConnecting, kConnected, kFailed };

  State start(Clock::time_point now);
  // An attempt's descriptor is ready.
  State on_ready(std::size_t attempt, Clock::time_point now);
  // Time passed; call at or after next_attempt_at().
  State on_time(Clock::time_point now);
  [[nodiscard]] Clock::time_point next_attempt_at() const noexcept { return next_attempt_at_; }

  // After kConnected: the winner, no longer registered with the poller.
  [[nodiscard]] std::unique_ptr<Stream> take_stream();
  // The winner's address after kConnected, that of the last failure after kFailed.
  [[nodiscard]] const std::string& address() const noexcept { return address_; }
  // After kFailed: the last errno.
  [[nodiscard]] int error() const noexcept { return error_; }

 private:
  State start_next(Clock::time_point now);
  State fail(std::size_t attempt, int error, Clock::time_point now);
  State win(std::size_t attempt);

  std::vector<Address> addresses_;
  SocketSetup setup_;
  std::vector<Descriptor> attempts_;
  Poller& poller_;
  std::uint32_t connection_;
  std::size_t pending_ = 0;
  Clock::time_point next_attempt_at_ = Clock::time_point::max();
  Descriptor winner_;
  SocketStream::Kind winner_kind_ = SocketStream::Kind::kTcp;
  std::string address_;
  int error_ = 0;
};

}  // namespace aiomqtt
