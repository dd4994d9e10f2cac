// One MQTT connection, from name lookup's answer to the last byte of its stream, in halves by
// thread: api() is the API thread's and io() the I/O thread's. What both touch is state(), whose
// members guard themselves.
//
// JavaScript's thread makes it and never touches it again. The I/O thread alone ends it, which
// tells JavaScript at once; then the API thread destroys the Paho handle and the engine forgets the
// connection. Both engine threads hold shared pointers, so neither sees it vanish.
#pragma once

#include <cstdint>
#include <memory>

#include "engine/api_half.h"
#include "engine/connection_state.h"
#include "engine/io_half.h"

namespace aiomqtt {

class ApiThread;
class Lane;

class Connection final : public PahoListener, public std::enable_shared_from_this<Connection> {
 public:
  // `thread`: the API thread that feeds it, when a publish waits for one that is over.
  Connection(std::uint32_t number, ConnectionOptions options, std::shared_ptr<Inbox> inbox,
             std::shared_ptr<Lane> lane, ApiThread& thread);

  // -- any thread --
  ConnectionState& state() noexcept { return state_; }
  [[nodiscard]] const ConnectionState& state() const noexcept { return state_; }
  [[nodiscard]] std::uint32_t number() const noexcept { return state_.number; }
  [[nodiscard]] const std::shared_ptr<Inbox>& inbox() const noexcept { return state_.inbox; }
  [[nodiscard]] bool ended() const noexcept { return state_.ended; }
  Output& output() noexcept { return state_.output; }
  [[nodiscard]] Lane& lane() const noexcept { return *lane_; }

  // -- API thread --
  ApiHalf& api() noexcept { return api_; }

  // -- I/O thread --
  IoHalf& io() noexcept { return io_; }

  // -- Paho's callbacks: on either engine thread, Paho's lock held --
  void on_paho_connected() noexcept override;  // I/O thread
  void on_paho_finished(std::uint16_t packet_identifier) noexcept override;

 private:
  Connection(std::uint32_t number, ConnectionOptions& options, const PropertyValues& own,
             std::shared_ptr<Inbox> inbox, std::shared_ptr<Lane> lane, ApiThread& thread);

  ApiThread& thread_;
  const std::shared_ptr<Lane> lane_;  // has the poller, so it goes last
  ConnectionState state_;
  IoHalf io_;
  ApiHalf api_;
};

}  // namespace aiomqtt
