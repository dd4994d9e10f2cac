// One MQTT connection, from name lookup's answer to the last byte of its stream.
//
// Threads and ownership. JavaScript's thread makes it and never touches it again. The I/O thread
// owns its stream, reads, keeps it alive and alone ends it (end()), which tells JavaScript at once;
// then the API thread destroys the Paho handle and the engine forgets the connection. Both engine
// threads hold shared pointers, so neither sees it vanish.
#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "engine/authentication.h"
#include "engine/clock.h"
#include "engine/held_messages.h"
#include "engine/inbox.h"
#include "engine/operations.h"
#include "engine/outbound.h"
#include "engine/output.h"
#include "engine/packet_reader.h"
#include "engine/receiver.h"
#include "engine/traffic.h"
#include "paho/paho_client.h"
#include "streams/address.h"
#include "streams/connector.h"
#include "streams/tls_stream.h"

namespace aiomqtt {

// The part of a connection's poller tokens that is its stream; smaller ones are the connector's.
inline constexpr std::uint32_t kStreamPart = 0xffffffff;

struct ConnectionOptions {
  std::vector<Address> addresses;
  SocketSetup socket;
  // A connected socket to use instead of connecting to one of the addresses; ours to close.
  Descriptor descriptor;
  std::optional<TlsOptions> tls;
  ConnectFields fields;
  std::uint16_t max_inflight = 65535;
  // Outbound topic aliases to use at most.
  std::uint16_t topic_aliases = 0;
  // JavaScript acknowledges QoS 1 and 2 messages itself.
  bool hold_acknowledgements = false;
  // JavaScript says when the PUBREC of its publish is answered with PUBREL.
  bool hold_releases = false;
  // What the last connection of the same session left behind (a SESSION event); may be empty.
  std::vector<std::uint8_t> session;
};

// Why a connection ended; the words of a CLOSED event.
struct Ending {
  enum Cause : std::uint32_t {
    kLocal,
    kAborted,
    kTransport,
    kRefused,
    kServerDisconnect,
    kKeepalive,
    kProtocol,
    kTls
  };
  // What a transport error happened to.
  enum Step : std::uint32_t { kConnecting = 1, kReading = 2, kWriting = 3, kShakingHands = 4 };

  Cause cause = kLocal;
  std::uint32_t code = 0;
  int error = 0;
  Bytes detail;
};

// What the I/O thread gathers while it works through one read.
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

class Connection final : public PahoListener, public std::enable_shared_from_this<Connection> {
 public:
  Connection(std::uint32_t number, ConnectionOptions options, std::shared_ptr<Inbox> inbox,
             Poller& poller);

  [[nodiscard]] std::uint32_t number() const noexcept { return number_; }
  [[nodiscard]] const std::shared_ptr<Inbox>& inbox() const noexcept { return inbox_; }
  [[nodiscard]] bool ended() const noexcept { return ended_; }
  Output& output() noexcept { return output_; }
  // Any thread.
  [[nodiscard]] Traffic traffic() const noexcept;
  Outbound& outbound() noexcept { return outbound_; }

  // -- API thread --
  // The stream is up: Paho sends CONNECT.
  int establish();
  // All commands but CLOSE. Appends to `done` what is over already.
  void submit(CommandView command, const SharedBuffer& payload, std::vector<Outbound::Done>& done);
  // Nothing that still arrives is of interest, and the end of the stream is no loss.
  void note_closing() noexcept {
    closing_ = true;
    output_.end_replies();
  }
  // DISCONNECT with a reason, which Paho has no way to send; nothing more is sent after it.
  void disconnect(std::uint8_t reason);
  // Paho sends DISCONNECT, if the connection was accepted, and lets go.
  void release() noexcept;

  // -- I/O thread, but for closing() --
  ConnectionOptions& options() noexcept { return options_; }
  PacketReader& reader() noexcept { return reader_; }
  std::unique_ptr<Connector> connector;
  std::unique_ptr<TlsStream> handshaking;
  [[nodiscard]] bool closing() const noexcept { return closing_; }
  // DISCONNECT was written: the connection ends when all has left.
  bool ends_when_empty = false;
  std::string peer;  // "address:port"

  enum class Taken : std::uint8_t { kHere, kForPaho, kEnds };
  // Works on one packet. kForPaho: for_paho() is what Paho must read. kEnds: `ending` says why.
  [[nodiscard]] Taken receive(const Packet& packet, Burst& burst, Ending& ending);
  [[nodiscard]] Bytes for_paho() const noexcept { return for_paho_; }
  // A PUBREC that was held is what Paho must read now.
  void hand_pubrec_to_paho(std::uint16_t packet_identifier, std::uint8_t code) noexcept;
  // The server broke the protocol.
  [[nodiscard]] static Ending violated(const Violation& violation) noexcept;
  // The connection is about to end: tells the server why, where MQTT can (MQTT 5 section 4.13).
  void take_leave(const Ending& ending);
  // What receive() gathered leaves. True: the output must be flushed.
  [[nodiscard]] bool finish(Burst& burst);
  void note_received(std::int64_t now, std::size_t bytes) noexcept {
    last_received_ = now;
    total_received_.fetch_add(bytes, std::memory_order_relaxed);
  }
  // Reading stops while any reason to pause holds; resuming leaves the other reasons.
  enum Pause : unsigned { kByConsumer = 1, kByInbox = 2 };
  void pause(Pause reason) noexcept;
  void resume(Pause reason, std::int64_t now) noexcept;
  [[nodiscard]] bool paused() const noexcept { return pauses_ != 0; }
  // Sends PINGREQ when it is time. False: the broker has been silent for too long.
  [[nodiscard]] bool keep_alive(std::int64_t now);
  [[nodiscard]] std::int64_t keepalive_ms() const noexcept { return keepalive_ms_; }
  // Ends it for JavaScript, once; what comes after is not heard.
  void end(const Ending& ending);

  // -- Paho's callbacks (I/O thread, Paho's lock held) --
  void on_paho_connected() noexcept override;
  void on_paho_finished(std::uint16_t packet_identifier) noexcept override;

 private:
  [[nodiscard]] Taken violate(const Violation& violation, Ending& ending) {
    ending = violated(violation);
    return Taken::kEnds;
  }
  void submit_release(CommandView command, std::vector<Outbound::Done>& done);
  void submit_acknowledgement(CommandView command);
  void submit_auth(CommandView command);
  // API thread.
  void write(std::uint8_t first, std::uint16_t packet_identifier);
  void note_asked() noexcept { asked_us_ = now_us(); }
  void note_answered() noexcept { round_trip_us_ = now_us() - asked_us_; }
  [[nodiscard]] Taken on_connack(const Packet& packet, Ending& ending);
  [[nodiscard]] Taken on_acknowledgement(const Packet& packet, Ending& ending, Burst& burst);
  [[nodiscard]] Taken on_subscription_acknowledgement(const Packet& packet, Ending& ending);
  [[nodiscard]] Taken on_disconnect(const Packet& packet, Ending& ending);
  [[nodiscard]] Taken on_auth(const Packet& packet, Ending& ending, Burst& burst);
  // Paho gets no properties, which it would leak, and the short form where it will do.
  void set_ack_for_paho(std::uint8_t first, std::uint16_t packet_identifier,
                        std::uint8_t code) noexcept;
  [[nodiscard]] int version() const noexcept { return options_.fields.version; }

  const std::uint32_t number_;
  ConnectionOptions options_;
  const std::shared_ptr<Inbox> inbox_;
  Output output_;
  Operations operations_;
  Outbound outbound_;
  Authentication authentication_;
  PacketReader reader_;
  const std::unique_ptr<HeldMessages> held_;
  Receiver receiver_;
  Bytes for_paho_;
  std::array<std::uint8_t, 5> connack_for_paho_{};
  std::array<std::uint8_t, 5> ack_for_paho_{};
  std::vector<std::uint8_t> connack_properties_;
  bool session_present_ = false;
  bool accepted_ = false;
  std::atomic<bool> opened_{false};
  std::atomic<bool> closing_{false};
  std::atomic<bool> ended_{false};
  std::int64_t keepalive_ms_;
  unsigned pauses_ = 0;
  std::int64_t last_received_ = 0;
  std::int64_t ping_sent_ = 0;  // 0: none outstanding
  // When CONNECT or the last PINGREQ was written, in microseconds.
  std::atomic<std::int64_t> asked_us_{0};
  std::atomic<std::int64_t> round_trip_us_{-1};
  std::atomic<std::uint64_t> total_received_{0};
};

}  // namespace aiomqtt
