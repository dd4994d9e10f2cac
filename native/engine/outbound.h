// What JavaScript wants sent on one connection: commands in order, held back only by what must hold
// them back. QoS 1 and 2 wait for a place in the in-flight window, without holding back the rest;
// everything waits while the stream has too much to send. API thread only.
#pragma once

#include <atomic>
#include <cstdint>
#include <deque>
#include <span>
#include <vector>

#include "engine/operations.h"
#include "engine/output.h"
#include "engine/topic_aliases.h"
#include "engine/waiting_commands.h"
#include "mqtt/raw_buffer.h"
#include "mqtt/wire.h"
#include "paho/paho_client.h"

namespace aiomqtt {

// The layout of commands, as ts/engine/command-batch.ts writes them: words of the host's byte
// order.
namespace command {
inline constexpr std::uint32_t kPublish = 1;
inline constexpr std::uint32_t kSubscribe = 2;
inline constexpr std::uint32_t kUnsubscribe = 3;
inline constexpr std::uint32_t kCancel = 4;
inline constexpr std::uint32_t kClose = 5;
inline constexpr std::uint32_t kRelease = 8;
inline constexpr std::uint32_t kAcknowledge = 9;
inline constexpr std::uint32_t kAuth = 10;

inline constexpr std::size_t kHeadWords = 4;

// A flag of PUBLISH: its payload is not among its bytes, but was handed over on its own.
inline constexpr std::uint32_t kStaged = 0b1'0000;

// The code of a DONE event for an operation that was withdrawn before it was sent.
inline constexpr std::uint32_t kWithdrawn = 0x100;
// The code of a DONE event that Paho refused to take: this minus Paho's (negative) result.
inline constexpr std::uint32_t kRefused = 0x1000;
// The same with Paho's MQTTASYNC_NO_MORE_MSGIDS: the packet identifier is in use.
inline constexpr std::uint32_t kIdentifierInUse = kRefused + 10;
}  // namespace command

// One command in a batch.
class CommandView {
 public:
  explicit CommandView(Bytes bytes) noexcept : bytes_(bytes) {}
  [[nodiscard]] std::uint32_t word(std::size_t i) const noexcept;
  [[nodiscard]] std::uint32_t kind() const noexcept { return word(1) & 0xff; }
  [[nodiscard]] std::uint32_t flags() const noexcept { return word(1) >> 8; }
  [[nodiscard]] std::uint32_t connection() const noexcept { return word(2); }
  [[nodiscard]] std::uint32_t operation() const noexcept { return word(3); }
  // The bytes after `words` words.
  [[nodiscard]] Bytes after(std::size_t words) const noexcept { return bytes_.subspan(4 * words); }
  [[nodiscard]] Bytes bytes() const noexcept { return bytes_; }

 private:
  Bytes bytes_;
};

class Outbound {
 public:
  // A finished operation, to be told to JavaScript.
  struct Done {
    std::uint32_t operation = 0;
    std::uint32_t code = 0;
  };

  Outbound(Operations& operations, Output& output, std::uint16_t window,
           std::uint16_t topic_aliases = 0) noexcept;

  PahoClient& paho() noexcept { return paho_; }

  // PUBLISH, SUBSCRIBE, UNSUBSCRIBE and CANCEL. Appends to `done` what is over already. `payload`:
  // of a PUBLISH that has it not among its bytes; else null.
  void submit(CommandView command, const SharedBuffer& payload, std::vector<Done>& done);
  // Sends what may be sent now of what waited. False: there may be more, once Paho has worked.
  [[nodiscard]] bool feed(std::vector<Done>& done);
  // Nothing more will be sent.
  void stop() noexcept;

  // I/O thread, before anything is published: what the broker said of topic aliases, and of the
  // size of packets (0: no limit).
  void allow_aliases(std::uint16_t most, std::uint32_t maximum_packet_size) noexcept {
    if (maximum_packet_size != 0) maximum_packet_size_ = maximum_packet_size;
    aliases_.allow(most);
  }
  // I/O thread: the broker takes fewer at once.
  void lower_window(std::uint16_t most) noexcept {
    if (most < window_.load()) window_ = most;
  }
  // I/O thread: a QoS 1 or 2 publish is over. True if one waits for its place.
  [[nodiscard]] bool release_window() noexcept {
    return inflight_.fetch_sub(1) > 0 && waiting_.load() > 0;
  }
  // Any engine thread: something waits for the stream or for the window.
  [[nodiscard]] bool is_waiting() const noexcept { return waiting_.load() > 0; }

  // The packet identifier for the operation that Paho is being handed (seam.h).
  [[nodiscard]] std::uint16_t assign_packet_identifier();
  // Whether what Paho writes just now is a PUBLISH that was submitted with DUP, which Paho itself
  // never sets. Told once. The parts are Paho's: fixed header, topic length, topic, identifier and
  // properties, payload.
  [[nodiscard]] bool take_repeated(std::span<const Bytes> parts) noexcept {
    return !repeated_.empty() && take_repeated_from(parts);
  }

 private:
  void send(CommandView command, const SharedBuffer& payload, std::vector<Done>& done);
  void send_publish(CommandView command, const SharedBuffer& payload, std::vector<Done>& done);
  void send(const WaitingCommands::Waiting& waiting, std::vector<Done>& done) {
    send(CommandView(waiting.bytes), waiting.payload, done);
  }
  void send_publish(const WaitingCommands::Waiting& waiting, std::vector<Done>& done) {
    send_publish(CommandView(waiting.bytes), waiting.payload, done);
  }
  [[nodiscard]] Bytes with_alias(Bytes properties, std::uint16_t alias);
  void send_subscription(CommandView command, std::vector<Done>& done);
  [[nodiscard]] bool take_repeated_from(std::span<const Bytes> parts) noexcept;
  void withdraw(std::uint32_t operation, std::vector<Done>& done);
  [[nodiscard]] bool window_is_full() const noexcept { return inflight_.load() >= window_.load(); }
  void keep(WaitingCommands& queue, CommandView command, const SharedBuffer& payload);
  WaitingCommands::Waiting take(WaitingCommands& queue);

  PahoClient paho_;
  Operations& operations_;
  Output& output_;
  WaitingCommands for_stream_;
  WaitingCommands for_window_;
  Operation next_operation_;
  std::uint16_t next_identifier_ = 0;   // the caller's choice, or 0
  std::deque<std::uint16_t> repeated_;  // submitted with DUP and not yet written, in order
  std::atomic<std::uint32_t> window_;
  TopicAliases aliases_;
  std::atomic<std::uint32_t> maximum_packet_size_{UINT32_MAX};
  std::vector<std::uint8_t> with_alias_;
  std::atomic<std::uint32_t> inflight_{0};
  std::atomic<std::uint32_t> waiting_{0};
};

}  // namespace aiomqtt
