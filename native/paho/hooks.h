// The one header between Paho and the engine: what Paho's code reaches in the places of its own
// waits, sockets and packet identifiers, which the engine implements; and where its trace goes.
// What the engine calls of Paho is in paho_client.h.
//
// All of it is called from C, so nothing of it throws.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>

#include "mqtt/raw_buffer.h"
#include "mqtt/wire.h"

namespace aiomqtt {

// A packet as Paho writes it.
struct PahoPacket {
  // The fixed header, of which the first byte may be changed: Paho never sets DUP.
  std::span<std::uint8_t> head;
  // What follows it. Of PUBLISH: the topic's length, the topic, the packet identifier and the
  // properties, the payload.
  std::array<Bytes, 4> rest;
  // In place of the last part, if that was lent to Paho (PahoClient::publish); else null.
  SharedBuffer shared;
};

class PahoHooks {
 public:
  // -- the thread of Paho's that sends --
  // It has nothing to do. Returns when Paho has commands to process; Paho's lock is not held.
  virtual void wait_for_commands() noexcept = 0;
  // The packet identifier for the operation that is being handed to Paho just now; 0: none is free.
  [[nodiscard]] virtual std::uint16_t assign_packet_identifier() noexcept = 0;

  // -- the thread of Paho's that reads --
  // Waits until a packet is there for Paho; returns its connection's number.
  [[nodiscard]] virtual std::uint32_t next_packet() noexcept = 0;
  // Reads on in that packet. Null when `connection` has none, or less than `size` bytes of it are
  // left.
  [[nodiscard]] virtual const std::uint8_t* take(std::uint32_t connection,
                                                 std::size_t size) noexcept = 0;

  // -- either of them, Paho's lock held --
  // Paho's list of commands got something, or might have.
  virtual void note_command() noexcept = 0;
  [[nodiscard]] virtual bool has_connection(std::uint32_t connection) noexcept = 0;
  virtual void write(std::uint32_t connection, PahoPacket packet) noexcept = 0;

 protected:
  ~PahoHooks() = default;
};

// Hears Paho's trace. Called on any thread, also with Paho's lock held; null: nobody listens.
using TraceListener = void (*)(int level, const char* text) noexcept;
void set_trace_listener(TraceListener listener) noexcept;

}  // namespace aiomqtt
