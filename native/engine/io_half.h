// A connection's half in its lane: how its stream comes about, what is read from it, and its
// keepalive. It alone ends the connection.
//
// Guarded by its lane's turn, without a lock of its own. What the API thread has of it goes through
// ConnectionState.
#pragma once

#include <array>
#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "engine/connection_state.h"
#include "engine/ending.h"
#include "engine/keepalive.h"
#include "engine/packet_reader.h"
#include "engine/receiver.h"
#include "streams/connector.h"
#include "streams/tls_stream.h"

namespace aiomqtt {

// What is gathered while one read is worked through.
class Burst {
 public:
  explicit Burst(Inbox& inbox) : inbox_(inbox) {}
  Inbox::Writer& writer() {
    if (!writer_) writer_.emplace(inbox_);
    return *writer_;
  }
  RawBuffer& acks() { return acks_; }
  // Lets go of the inbox and hands over the acknowledgements.
  RawBuffer close() {
    writer_.reset();
    return std::exchange(acks_, {});
  }

 private:
  Inbox& inbox_;
  std::optional<Inbox::Writer> writer_;
  RawBuffer acks_;
};

class IoHalf {
 public:
  // Takes what is its of `options`.
  IoHalf(ConnectionState& state, ConnectionOptions& options, const PropertyValues& own);

  // -- the stream comes about, and goes --
  StreamOptions stream_options;
  std::unique_ptr<Connector> connector;
  std::unique_ptr<TlsStream> handshaking;
  std::string peer;  // "address:port"
  // How long a message may be held back.
  const std::chrono::milliseconds latency;
  // DISCONNECT was written: the connection ends when all has left.
  bool ends_when_empty = false;

  // -- what is read --
  PacketReader& reader() noexcept { return reader_; }
  void note_received(std::int64_t now, std::size_t bytes) noexcept {
    keepalive_.note_received(now);
    state_.meter.note_received(bytes);
  }
  enum class Taken : std::uint8_t { kHere, kForPaho, kNoRoom, kEnds };
  // Works on one packet. kNoRoom: it would deliver a message, for which there is no room yet, and
  // nothing has come of it. kForPaho: for_paho() is what Paho must read. kEnds: `ending` says why.
  [[nodiscard]] Taken receive(const Packet& packet, Burst& burst, Ending& ending);
  [[nodiscard]] Bytes for_paho() const noexcept { return for_paho_; }
  // After that: what Paho must read next, if anything. The PUBREL that it writes until then is not
  // sent: it answers a PUBREC that did not come.
  [[nodiscard]] Bytes take_then_for_paho() noexcept { return std::exchange(then_for_paho_, {}); }
  [[nodiscard]] bool keeps_pubrel() const noexcept { return !then_for_paho_.empty(); }
  // A PUBREC that was held is what Paho must read now.
  void hand_pubrec_to_paho(std::uint16_t packet_identifier, std::uint8_t code) noexcept;
  // After kNoRoom: what was read stays where it is until there is room, which JavaScript is told.
  // False: there is room by now.
  [[nodiscard]] bool stall(const Packet& packet, Burst& burst);
  // What was read ends within a large message. Reading stops there if there is no room for it, so
  // that it is not put together first.
  void check_announced(Burst& burst);
  // What receive() gathered leaves. True: the output must be flushed.
  [[nodiscard]] bool finish(Burst& burst);

  // Reading stops while any reason to pause holds; resuming leaves the other reasons.
  enum Pause : unsigned { kForRoom = 1, kByInbox = 2, kByReplies = 4 };
  void pause(Pause reason) noexcept;
  void resume(Pause reason) noexcept;
  [[nodiscard]] bool paused() const noexcept { return pauses_ != 0; }

  // Sends PINGREQ when it is time. False: the broker has been silent for too long.
  [[nodiscard]] bool keep_alive(std::int64_t now);
  // When to call it again at the latest, by the same clock.
  [[nodiscard]] std::int64_t next_look(std::int64_t now) const noexcept;
  [[nodiscard]] Keepalive& keepalive() noexcept { return keepalive_; }

  // Paho has seen CONNACK.
  void tell_opened();
  // The connection is about to end: tells the server why, where MQTT can (MQTT 5 section 4.13).
  void take_leave(const Ending& ending);
  // Ends it for JavaScript, once; what comes after is not heard.
  void end(const Ending& ending);

 private:
  [[nodiscard]] Taken violate(const Violation& violation, Ending& ending) {
    ending = violated(violation);
    return Taken::kEnds;
  }
  // What is to be done first of all with a packet, if not to take it.
  [[nodiscard]] std::optional<Taken> check_room(const Receiver::Demand& demand, Ending& ending);
  // Bytes of the queue's room that a packet needs.
  [[nodiscard]] static std::uint64_t room_for(const Receiver::Demand& demand) noexcept;
  void tell_stalled(Burst& burst);
  void tell_ended(const Ending& ending);
  [[nodiscard]] Taken on_publish(const Packet& packet, Ending& ending, Burst& burst);
  [[nodiscard]] Taken on_pubrel(const Packet& packet, Ending& ending, Burst& burst);
  [[nodiscard]] Taken on_connack(const Packet& packet, Ending& ending);
  [[nodiscard]] Taken on_acknowledgement(const Packet& packet, Ending& ending, Burst& burst);
  [[nodiscard]] Taken on_subscription_acknowledgement(const Packet& packet, Ending& ending);
  [[nodiscard]] Taken on_disconnect(const Packet& packet, Ending& ending);
  [[nodiscard]] Taken on_auth(const Packet& packet, Ending& ending, Burst& burst);
  // Paho gets no properties, which it would leak, and the short form where it will do.
  void set_ack_for_paho(std::uint8_t first, std::uint16_t packet_identifier,
                        std::uint8_t code) noexcept;

  ConnectionState& state_;
  const bool clean_start_;
  const std::uint64_t largest_message_;
  const std::uint64_t most_queued_;  // bytes
  std::uint64_t size_without_room_ = 0;
  PacketReader reader_;
  Receiver receiver_;
  Bytes for_paho_;
  std::array<std::uint8_t, 5> connack_for_paho_{};
  std::array<std::uint8_t, 5> ack_for_paho_{};
  std::array<std::uint8_t, 4> pubcomp_for_paho_{};
  Bytes then_for_paho_;
  bool told_of_lowering_ = false;
  std::vector<std::uint8_t> connack_properties_;
  bool session_present_ = false;
  bool accepted_ = false;
  unsigned pauses_ = 0;
  Keepalive keepalive_;
};

}  // namespace aiomqtt
