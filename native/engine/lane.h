// The connections of one JavaScript environment, and all that is done for them but calling Paho:
// they connect, are read, checked and kept alive here, and end here.
//
// No thread has a lane for good. Whoever works on it holds its turn, for as long as there is
// something to do and no longer; the turn guards everything here that is not marked otherwise, and
// the halves of its connections (IoHalf). Two threads take it:
//
// - JavaScript's, while its event loop leads: it watches the poller, so that a message that comes
//   alone wakes one thread. It takes the turn only if it is free, and never waits for it.
// - The I/O thread, while nobody leads. It takes the lead, and the event loop learns of that when
//   it looks (work_on_loop()), if the loop has left something lying (IoThread::kPatience), if a
//   flood comes, as two threads are faster then, if a connection is to be opened, if a packet is
//   Paho's, and if the environment goes. Where a time has come, keepalive's for one, it works
//   whoever leads. So nothing here depends on JavaScript.
//
// A lane that has an environment's thread in its turn when the process exits is never looked at
// again: the I/O thread has been parked by then (ExitGate). When the environment goes, abandon()
// takes the lead from it before its event loop is taken down.
//
// No memory: who something was being done for ends, with ENOMEM, and the rest goes on
// (platform/memory_reserve.h).
//
// Locks: the turn before all others but that of Paho's API (ApiThread), which is never taken within
// this one nor this one within it. Paho's own lock may be taken with it, never the other way round.
#pragma once

#include <array>
#include <atomic>
#include <chrono>
#include <cstdint>
#include <deque>
#include <memory>
#include <mutex>
#include <span>
#include <unordered_map>
#include <vector>

#include "engine/connecting.h"
#include "engine/connection.h"
#include "engine/lingering.h"
#include "engine/pace.h"
#include "engine/reading.h"
#include "platform/poller.h"

namespace aiomqtt {

class ApiThread;
class ExitGate;
class IoThread;

class Lane final : public std::enable_shared_from_this<Lane>, private Connecting::Listener {
 public:
  using Clock = std::chrono::steady_clock;

  Lane(ApiThread& api, IoThread& io, ExitGate& gate) noexcept : api_(api), io_(io), gate_(gate) {}

  // -- any thread --
  // Before the first connection starts. 0, or an errno: there is no descriptor for it, and another
  // call tries again.
  [[nodiscard]] int open();
  Poller& poller() noexcept { return poller_; }
  void start(std::shared_ptr<Connection> connection);
  // Graceful: when all that was written has left. By force: now.
  void close(std::shared_ptr<Connection> connection, bool force);
  // It had stopped for want of room, and has some.
  void resume(std::shared_ptr<Connection> connection);
  // The inbox was full and has room again.
  void resume_all(std::shared_ptr<Inbox> inbox);
  // The environment is gone: all its connections end by force, and its event loop leads no more.
  void abandon(std::shared_ptr<Inbox> inbox);
  // A PUBREC that was held goes to Paho, which answers it.
  void hand_pubrec(std::shared_ptr<Connection> connection, std::uint16_t packet_identifier,
                   std::uint8_t code);
  // Something of the connection's could not be done for want of memory: it ends, and says so. Takes
  // none itself.
  void note_short(Connection& connection) noexcept;
  // Something was sent that may be answered.
  void note_asked() noexcept { pace_.note_asked(Clock::now()); }
  [[nodiscard]] bool may_be_answered() const noexcept {
    return pace_.may_be_answered(Clock::now());
  }

  // -- whoever has the turn --
  [[nodiscard]] std::unique_lock<std::mutex> take_turn() { return std::unique_lock(turn_); }
  enum class Worked : std::uint8_t {
    kAll,      // there is nothing to do
    kSome,     // there may be more
    kShort,    // there was no memory for something: there is more, in a moment
    kForPaho,  // a packet is Paho's, in reading(): the I/O thread's to hand over
  };
  // Looks so often for what is to be done, and does it, until so many bytes have been read. The
  // first look waits.
  [[nodiscard]] Worked work(unsigned looks, int timeout_ms, std::size_t most = SIZE_MAX) noexcept;
  Reading& reading() noexcept { return reading_; }

  // -- the environment's thread --
  // What its event loop is to do now.
  struct Watch {
    bool leads = false;  // watch the poller …
    int wait_ms = 0;     // … after so many milliseconds, so that more comes together
  };
  // Leads from now on, unless this is no time for it.
  [[nodiscard]] Watch try_to_lead();
  // Works, as something has happened or the wait is over. The caller holds the inbox's bell.
  [[nodiscard]] Watch work_on_loop() noexcept;

  // -- any thread --
  [[nodiscard]] bool is_open() const noexcept { return open_; }
  [[nodiscard]] bool is_led_by_loop() const noexcept { return led_by_loop_; }

  // -- the I/O thread --
  void take_the_lead() noexcept { led_by_loop_ = false; }
  // Changes whenever the loop has had a turn.
  [[nodiscard]] std::uint64_t turns_of_loop() const noexcept { return turns_of_loop_; }
  // When to work whatever happens.
  [[nodiscard]] Clock::time_point due() const noexcept { return due_; }
  // Abandoned, and nothing is left.
  [[nodiscard]] bool is_over() const noexcept { return over_; }

 private:
  static constexpr std::size_t kScratchSize = 256 * 1024;
  static constexpr std::size_t kEventsAtOnce = 128;
  // So many bytes in one turn are a flood.
  static constexpr std::size_t kFlood = 32 * 1024;
  // How long after a flood, or after a packet of Paho's, the event loop does not lead.
  static constexpr std::chrono::milliseconds kUncalm{50};
  // More than IoThread::kPatience would be taken for a loop that does not turn.
  static constexpr std::chrono::milliseconds kLongestWait{10};
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

  void post(Post post);
  [[nodiscard]] Worked work_on(unsigned looks, int timeout_ms, std::size_t most);
  // There was no memory for what was being done: who it was done for ends.
  void give_up() noexcept;
  // Ends those that are short of memory; and while the reserve cannot be had again, who holds most.
  void relieve();
  [[nodiscard]] bool is_known(const Connection& connection) const;
  [[nodiscard]] std::shared_ptr<Connection> shortest() const;
  [[nodiscard]] std::shared_ptr<Connection> heaviest() const;
  [[nodiscard]] bool has_posts() const;
  void run_posts();
  void run(Post& post);
  [[nodiscard]] std::vector<std::shared_ptr<Connection>> connections_of(const Inbox& inbox) const;
  [[nodiscard]] std::span<std::uint8_t> scratch();
  void on_event(const Poller::Event& event);
  void on_stream_up(const std::shared_ptr<Connection>& connection,
                    std::unique_ptr<Stream> stream) override;
  void on_stream_failed(const std::shared_ptr<Connection>& connection,
                        const Ending& ending) override;
  void on_stream(const std::shared_ptr<Connection>& connection, std::uint32_t ready);
  void on_writable(const std::shared_ptr<Connection>& connection);
  void on_readable(const std::shared_ptr<Connection>& connection, bool broken);
  void on_stream_down(const std::shared_ptr<Connection>& connection, int error);
  void resume(const std::shared_ptr<Connection>& connection, IoHalf::Pause reason);
  // The stream may hold bytes that the poller knows nothing of.
  void read_again_if_more(const std::shared_ptr<Connection>& connection);
  // Works through what was read. True: a packet is Paho's.
  [[nodiscard]] bool read_on();
  // The oldest PUBREC that was held. True: it is Paho's.
  [[nodiscard]] bool hand_over_pubrec();
  void end(const std::shared_ptr<Connection>& connection, const Ending& ending);
  void close_gently(const std::shared_ptr<Connection>& connection);
  void on_time();
  // The keepalives of all connections.
  void look_after(Clock::time_point now);
  // The least latency that one of the connections asks for is that of all.
  void set_pace() noexcept;
  [[nodiscard]] Clock::time_point next_due() const;
  // Whether the event loop may lead.
  [[nodiscard]] bool is_calm(Clock::time_point now) const;
  // The event loop leads no more, and the I/O thread works at once.
  void give_up_the_lead() noexcept;
  // Once there is nothing left after abandon(): lets go of everything.
  void finish_if_over();

  ApiThread& api_;
  IoThread& io_;
  ExitGate& gate_;
  Poller poller_;
  // Any thread, under the lock; it is held while nothing else is called.
  mutable std::mutex mutex_;
  std::vector<Post> posted_;
  std::size_t starts_posted_ = 0;
  // Any thread.
  std::mutex turn_;
  std::atomic<bool> open_{false};
  std::atomic<bool> led_by_loop_{false};
  std::atomic<std::uint64_t> turns_of_loop_{0};
  std::atomic<Clock::time_point> due_{Clock::time_point::max()};
  std::atomic<bool> over_{false};
  std::atomic<bool> someone_is_short_{false};
  Pace pace_;

  // Whoever has the turn.
  Connecting connecting_{poller_, *this};
  Lingering lingering_{poller_};
  std::unordered_map<std::uint32_t, std::shared_ptr<Connection>> live_;
  std::array<Poller::Event, kEventsAtOnce> events_{};
  std::size_t event_ = 0;
  std::size_t event_count_ = 0;
  std::unique_ptr<std::uint8_t[]> scratch_;  // from the first read on
  std::vector<Post> running_;
  std::size_t next_post_ = 0;            // of running_
  std::shared_ptr<Connection> at_work_;  // whose event is being worked on
  Reading reading_;
  std::size_t bytes_read_ = 0;  // in this call of work()
  bool abandoned_ = false;
  bool pace_is_stale_ = false;
  Clock::time_point for_paho_at_{};
  Clock::time_point flooded_at_{};
  std::vector<std::shared_ptr<Connection>> reading_again_;  // in this round
  std::vector<std::shared_ptr<Connection>> read_again_;     // in the next one
  std::deque<Post> pubrecs_;
  Clock::time_point next_tick_{};
};

}  // namespace aiomqtt
