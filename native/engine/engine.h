// The engine of this process: one API thread and one I/O thread (Paho's), and all connections.
//
// It is made on first use and never destroyed: its threads run until the process is gone. At exit
// they park, so that they touch nothing while the process is taken down around them.
//
// Any thread; what it has guards itself.
#pragma once

#include <cstdint>
#include <deque>
#include <memory>
#include <mutex>
#include <optional>
#include <vector>

#include "engine/api_thread.h"
#include "engine/connection.h"
#include "engine/connections.h"
#include "engine/exit_gate.h"
#include "engine/inbox.h"
#include "engine/io_thread.h"
#include "paho/hooks.h"

namespace aiomqtt {

class Engine final : private PahoHooks {
 public:
  static Engine& instance();

  // For the connections of one environment.
  [[nodiscard]] std::shared_ptr<Lane> make_lane();
  // Starts connecting, in this environment's lane; the connection's number. One for which the
  // engine's own descriptors and threads could not be had has ended at once, and another tries
  // again.
  std::uint32_t open(ConnectionOptions options, std::shared_ptr<Inbox> inbox,
                     const std::shared_ptr<Lane>& lane);
  // Commands of one environment, on its thread: see ApiThread::submit().
  [[nodiscard]] bool submit(std::vector<std::uint8_t>&& commands,
                            const std::shared_ptr<Inbox>& owner,
                            std::deque<SharedBuffer>&& staged = {});
  // This environment's connection may take in so much since it began (credit.h).
  void grant(std::uint32_t number, const std::shared_ptr<Inbox>& inbox, std::uint64_t messages,
             std::uint64_t bytes);
  // The environment goes: its inbox takes nothing more, its connections end.
  static void abandon(const std::shared_ptr<Inbox>& inbox, Lane& lane);
  // What a connection has moved; nothing if there is none.
  [[nodiscard]] std::optional<Traffic> traffic(std::uint32_t number) const;

  ExitGate& gate() noexcept { return gate_; }

 private:
  Engine() = default;
  // There is no memory for what this environment wants done: its connections end.
  void fail(const std::shared_ptr<Inbox>& inbox) noexcept;
  void write(const std::shared_ptr<Connection>& connection, PahoPacket& packet);
  // 0 once it runs, or the errno of what could not be had.
  [[nodiscard]] int start() noexcept;

  // -- Paho's threads --
  void wait_for_commands() noexcept override { api_.turn(); }
  void note_command() noexcept override { api_.note_paho_signal(); }
  std::uint16_t assign_packet_identifier() noexcept override;
  std::uint32_t next_packet() noexcept override { return io_.next(); }
  const std::uint8_t* take(std::uint32_t connection, std::size_t size) noexcept override {
    return io_.take_for_paho(connection, size);
  }
  bool has_connection(std::uint32_t connection) noexcept override;
  void write(std::uint32_t connection, PahoPacket packet) noexcept override;

  ExitGate gate_;
  Connections connections_;
  IoThread io_{gate_};
  ApiThread api_{io_, connections_, gate_};
  // All environments share one where pollers cannot watch each other.
  const std::shared_ptr<Lane> only_lane_ =
      Poller::kNests ? nullptr : std::make_shared<Lane>(api_, io_, gate_);
  std::mutex starting_;
  bool is_started_ = false;
};

}  // namespace aiomqtt
