// What was read from one connection, while its packets are worked through; it stops at each one
// that is Paho's until Paho has read it. What is written meanwhile leaves together.
//
// Guarded by its lane's turn.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <vector>

#include "engine/connection.h"
#include "engine/ending.h"

namespace aiomqtt {

class Reading {
 public:
  [[nodiscard]] bool is_on() const noexcept { return connection_ != nullptr; }
  // Whose bytes they are, while it is on.
  [[nodiscard]] const std::shared_ptr<Connection>& connection() const noexcept {
    return connection_;
  }

  // The connection's reader has something.
  void begin(const std::shared_ptr<Connection>& connection);
  // A PUBREC that was held is what Paho must read first.
  void begin_with_pubrec(const std::shared_ptr<Connection>& connection,
                         std::uint16_t packet_identifier, std::uint8_t code);

  // kForPaho: a packet is Paho's; after note_handed_over() go_on() continues behind it. With the
  // others it is over, and with kEnds the connection must end: `ending` says why.
  enum class Step : std::uint8_t { kOver, kForPaho, kEnds };
  [[nodiscard]] Step go_on(Ending& ending);
  // Packets that were worked through so far.
  [[nodiscard]] std::size_t packets() const noexcept { return packets_; }

  // The packet that is Paho's, from where the last call ended. Null when `connection` has none, or
  // less than `size` bytes of it are left.
  [[nodiscard]] const std::uint8_t* take_for_paho(std::uint32_t connection,
                                                  std::size_t size) noexcept;
  // Paho has read it. True: another one is Paho's at once.
  [[nodiscard]] bool note_handed_over();
  // What was begun is left as it is: its connection ends.
  void drop() noexcept;
  void note_unflushed(std::shared_ptr<Connection> connection);
  // Sends the bytes of the connections that were noted.
  void flush();

 private:
  void finish();

  std::shared_ptr<Connection> connection_;
  std::optional<Burst> burst_;
  // Paho worked in this burst, and what it said was not rung for.
  bool rings_later_ = false;
  Bytes for_paho_;
  std::size_t packets_ = 0;
  std::vector<std::shared_ptr<Connection>> unflushed_;
};

}  // namespace aiomqtt
