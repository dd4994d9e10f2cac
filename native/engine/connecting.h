// Connections whose streams are being set up: TCP to the first of several addresses that answers,
// then TLS.
//
// Guarded by its lane's turn.
#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <unordered_map>

#include "engine/connection.h"
#include "engine/ending.h"
#include "platform/poller.h"

namespace aiomqtt {

class Connecting {
 public:
  using Clock = std::chrono::steady_clock;
  using Connections = std::unordered_map<std::uint32_t, std::shared_ptr<Connection>>;

  // Hears how each of them turned out, once.
  class Listener {
   public:
    virtual void on_stream_up(const std::shared_ptr<Connection>& connection,
                              std::unique_ptr<Stream> stream) = 0;
    virtual void on_stream_failed(const std::shared_ptr<Connection>& connection,
                                  const Ending& ending) = 0;

   protected:
    ~Listener() = default;
  };

  Connecting(Poller& poller, Listener& listener) noexcept : poller_(poller), listener_(listener) {}

  void start(const std::shared_ptr<Connection>& connection);
  // Null if it is none of these.
  [[nodiscard]] std::shared_ptr<Connection> find(std::uint32_t number) const;
  // One of the descriptors of this connection is ready.
  void on_ready(const std::shared_ptr<Connection>& connection, std::uint32_t part);
  // Begins with the next address where the last one takes its time.
  void on_time(Clock::time_point now);
  // When on_time() is due.
  [[nodiscard]] Clock::time_point due() const noexcept;
  // The connection ends, or is up: nothing more is heard of it.
  void forget(Connection& connection);
  [[nodiscard]] const Connections& connections() const noexcept { return connections_; }

 private:
  void on_connector(const std::shared_ptr<Connection>& connection, Connector::State state);
  void on_socket(const std::shared_ptr<Connection>& connection, std::unique_ptr<Stream> socket);
  void on_handshake(const std::shared_ptr<Connection>& connection);

  Poller& poller_;
  Listener& listener_;
  Connections connections_;
};

}  // namespace aiomqtt
