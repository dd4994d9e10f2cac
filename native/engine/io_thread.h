// The thread that reads: Paho's own receive thread, whose wait for a ready socket is next(). It
// connects, reads, checks and delivers; packets that are Paho's it hands over one at a time. It
// flushes acknowledgements after each burst, keeps connections alive, and ends them.
#pragma once

#include <array>
#include <atomic>
#include <chrono>
#include <cstdint>
#include <deque>
#include <memory>
#include <mutex>
#include <optional>
#include <unordered_map>
#include <vector>

#include "engine/connection.h"
#include "engine/exit_gate.h"
#include "platform/poller.h"

namespace aiomqtt {

class ApiThread;

class IoThread {
 public:
  using Clock = std::chrono::steady_clock;

  IoThread(ApiThread& api, ExitGate& gate) noexcept : api_(api), gate_(gate) {}

  // -- any thread --
  Poller& poller() noexcept { return poller_; }
  void start(std::shared_ptr<Connection> connection);
  // Graceful: when all that was written has left. By force: now.
  void close(std::shared_ptr<Connection> connection, bool force);
  // It had stopped for want of room, and has some.
  void resume(std::shared_ptr<Connection> connection);
  // The inbox was full and has room again.
  void resume_all(std::shared_ptr<Inbox> inbox);
  // The environment is gone: all its connections end by force.
  void abandon(std::shared_ptr<Inbox> inbox);
  // A PUBREC that was held goes to Paho, which answers it.
  void hand_pubrec(std::shared_ptr<Connection> connection, std::uint16_t packet_identifier,
                   std::uint8_t code);
  // Something of the connection's could not be done for want of memory: it ends, and says so. Takes
  // none itself.
  void note_short(Connection& connection) noexcept;
  // While it is held Paho is not in the middle of a packet. A handle that is destroyed just then
  // leaks the packet. Taken before Paho's own lock.
  [[nodiscard]] std::unique_lock<std::mutex> hold_off_paho() {
    return std::unique_lock(paho_reads_);
  }

  // -- I/O thread, by way of Paho (paho/hooks.h) --
  // Waits until a packet is there for Paho; returns its connection's number.
  [[nodiscard]] std::uint32_t next() noexcept;
  // The packet that next() returned for: reads on from where the last call ended. Null when
  // `connection` has none, or less than `size` bytes of it are left.
  [[nodiscard]] const std::uint8_t* take_for_paho(std::uint32_t connection,
                                                  std::size_t size) noexcept;
  void note_unflushed(std::shared_ptr<Connection> connection);

 private:
  static constexpr std::size_t kScratchSize = 256 * 1024;
  static constexpr std::size_t kEventsAtOnce = 128;
  // How long a peer may take to close after our DISCONNECT before we close ourselves.
  static constexpr std::chrono::seconds kLinger{2};
  static constexpr std::chrono::milliseconds kLongestTick{4000};
  // After a connection is made, which may be one of many, and needs looking after.
  static constexpr std::chrono::milliseconds kSoonestTick{100};

  struct Post {
    enum class Kind : std::uint8_t { kStart, kClose, kAbort, kResume, kRoom, kAbandon, kPubrec };
    Kind kind = Kind::kStart;
    std::shared_ptr<Connection> connection;
    std::shared_ptr<Inbox> inbox;
    // Of a PUBREC.
    std::uint16_t packet_identifier = 0;
    std::uint8_t code = 0;
  };
  struct Lingering {
    std::unique_ptr<Stream> stream;
    Clock::time_point until;
  };

  [[nodiscard]] std::uint32_t next_packet();
  // There was no memory for what was being done: who it was done for ends.
  void give_up() noexcept;
  // Ends those that are short of memory; and while the reserve cannot be had again, who holds most.
  void relieve();
  [[nodiscard]] bool is_known(const Connection& connection) const;
  [[nodiscard]] std::shared_ptr<Connection> shortest() const;
  [[nodiscard]] std::shared_ptr<Connection> heaviest() const;
  void post(Post post);
  [[nodiscard]] std::vector<std::shared_ptr<Connection>> connections_of(const Inbox& inbox) const;
  void run_posts();
  void run(Post& post);
  void linger(std::uint32_t number, std::unique_ptr<Stream> stream) noexcept;
  void start_connecting(const std::shared_ptr<Connection>& connection);
  void on_event(const Poller::Event& event);
  void on_connector(const std::shared_ptr<Connection>& connection, Connector::State state);
  void on_socket(const std::shared_ptr<Connection>& connection, std::unique_ptr<Stream> socket);
  void on_handshake(const std::shared_ptr<Connection>& connection);
  void on_stream_up(const std::shared_ptr<Connection>& connection, std::unique_ptr<Stream> stream);
  void on_stream(const std::shared_ptr<Connection>& connection, std::uint32_t ready);
  void on_stream_down(const std::shared_ptr<Connection>& connection, int error);
  void resume(const std::shared_ptr<Connection>& connection, IoHalf::Pause reason);
  // The stream may hold bytes that the poller knows nothing of.
  void read_again_if_more(const std::shared_ptr<Connection>& connection);
  // Begins a burst with the oldest PUBREC that was held. True: it is in for_paho_.
  [[nodiscard]] bool hand_over_pubrec();
  // Works through what was read. True: a packet for Paho is in for_paho_.
  [[nodiscard]] bool work_through_burst();
  void finish_burst();
  void end_burst(const Ending& ending);
  void end(const std::shared_ptr<Connection>& connection, const Ending& ending);
  void close_gently(const std::shared_ptr<Connection>& connection);
  void on_time();
  // The keepalives of all connections.
  void look_after(Clock::time_point now);
  [[nodiscard]] int timeout_ms() const;
  void flush();

  ApiThread& api_;
  ExitGate& gate_;
  Poller poller_;
  // Any thread, under the lock; it is held while nothing else is called.
  mutable std::mutex mutex_;
  std::vector<Post> posted_;
  std::mutex paho_reads_;
  std::atomic<bool> someone_is_short_{false};

  // I/O thread only.
  std::unordered_map<std::uint32_t, std::shared_ptr<Connection>> live_;
  std::unordered_map<std::uint32_t, std::shared_ptr<Connection>> connecting_;
  std::unordered_map<std::uint32_t, Lingering> lingering_;
  std::array<Poller::Event, kEventsAtOnce> events_{};
  std::size_t event_ = 0;
  std::size_t event_count_ = 0;
  std::unique_ptr<std::uint8_t[]> scratch_ = std::make_unique<std::uint8_t[]>(kScratchSize);
  std::vector<Post> running_;
  std::size_t next_post_ = 0;            // of running_
  std::shared_ptr<Connection> at_work_;  // whose event is being worked on
  std::shared_ptr<Connection> reading_;  // whose burst is being worked through
  std::optional<Burst> burst_;
  bool rings_later_ = false;  // Paho worked in this burst, and what it said was not rung for
  Bytes for_paho_;
  std::unique_lock<std::mutex> paho_reads_now_{paho_reads_, std::defer_lock};
  std::vector<std::shared_ptr<Connection>> unflushed_;
  std::vector<std::shared_ptr<Connection>> reading_again_;  // in this round
  std::vector<std::shared_ptr<Connection>> read_again_;     // in the next one
  std::deque<Post> pubrecs_;
  Clock::time_point next_tick_{};
};

}  // namespace aiomqtt
