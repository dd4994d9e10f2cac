// What JavaScript wants sent on one connection: commands in order, held back only by what must hold
// them back. QoS 1 and 2 wait for a place in the in-flight window, without holding back the rest;
// everything waits while the stream has too much to send. API thread only.
#pragma once

#include <cstdint>
#include <deque>
#include <vector>

#include "engine/boundary.h"
#include "engine/operations.h"
#include "engine/output.h"
#include "engine/publish_limits.h"
#include "engine/topic_aliases.h"
#include "engine/waiting_commands.h"
#include "mqtt/raw_buffer.h"
#include "mqtt/wire.h"
#include "paho/paho_client.h"

namespace aiomqtt {

// The code of a DONE event for an operation that Paho refused to take.
[[nodiscard]] constexpr std::uint32_t refusal_code(int paho_result) noexcept {
  return code::kRefused - static_cast<std::uint32_t>(paho_result);
}

// One command in a batch.
class CommandView {
 public:
  explicit CommandView(Bytes bytes) noexcept : bytes_(bytes) {}
  [[nodiscard]] std::uint32_t word(std::size_t i) const noexcept;
  [[nodiscard]] std::uint32_t kind() const noexcept { return word(command::kHead) & 0xff; }
  [[nodiscard]] std::uint32_t flags() const noexcept { return word(command::kHead) >> 8; }
  [[nodiscard]] std::uint32_t connection() const noexcept { return word(command::kConnection); }
  [[nodiscard]] std::uint32_t operation() const noexcept { return word(command::kOperation); }
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

  Outbound(Operations& operations, Output& output, PublishLimits& limits,
           std::uint16_t topic_aliases = 0) noexcept;

  PahoClient& paho() noexcept { return paho_; }
  [[nodiscard]] const PahoClient& paho() const noexcept { return paho_; }

  // PUBLISH, SUBSCRIBE, UNSUBSCRIBE and CANCEL. Appends to `done` what is over already. `payload`:
  // of a PUBLISH that has it not among its bytes; else null.
  void submit(CommandView command, const SharedBuffer& payload, std::vector<Done>& done);
  // Sends what may be sent now of what waited. False: there may be more, once Paho has worked.
  [[nodiscard]] bool feed(std::vector<Done>& done);
  // The publish of QoS 0 that Paho is writing just now, if `packet` is one; else 0. It is over when
  // it has left (Output). Told once.
  [[nodiscard]] std::uint32_t take_departing(const PahoPacket& packet) noexcept {
    return departing_.empty() ? 0 : take_departing_from(packet);
  }
  // Nothing more will be sent.
  void stop() noexcept;

  // The packet identifier for the operation that Paho is being handed (paho/hooks.h).
  [[nodiscard]] std::uint16_t assign_packet_identifier();
  // Whether what Paho writes just now is a PUBLISH that was submitted with DUP, which Paho itself
  // never sets. Told once.
  [[nodiscard]] bool take_repeated(const PahoPacket& packet) noexcept {
    return !repeated_.empty() && take_repeated_from(packet);
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
  [[nodiscard]] bool take_repeated_from(const PahoPacket& packet) noexcept;
  [[nodiscard]] std::uint32_t take_departing_from(const PahoPacket& packet) noexcept;
  void withdraw(std::uint32_t operation, std::vector<Done>& done);
  void keep(WaitingCommands& queue, CommandView command, const SharedBuffer& payload);
  WaitingCommands::Waiting take(WaitingCommands& queue);

  PahoClient paho_;
  Operations& operations_;
  Output& output_;
  PublishLimits& limits_;
  WaitingCommands for_stream_;
  WaitingCommands for_window_;
  Operation next_operation_;
  std::uint16_t next_identifier_ = 0;    // the caller's choice, or 0
  std::deque<std::uint16_t> repeated_;   // submitted with DUP and not yet written, in order
  std::deque<std::uint32_t> departing_;  // of QoS 0 and not yet written, in order
  TopicAliases aliases_;
  RawBuffer with_alias_;
};

}  // namespace aiomqtt
