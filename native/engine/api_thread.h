// Where Paho's API is called: on Paho's own send thread, whose wait is turn(). It runs what
// JavaScript submitted, lets Paho write it, flushes, and sleeps. Paho's lock is not held in turn().
//
// While it sleeps, a small batch is run by the thread that submits it, in its place: a message that
// leaves alone wakes nobody. Whoever runs commands has the turn (has_turn_), and nobody else does
// meanwhile. JavaScript's thread only ever takes a turn that is free and that nothing waits for:
// it never waits for one. Otherwise, and with larger batches, commands are handed over in their
// order.
//
// Within a turn, locks are taken in this order: IoThread::hold_off_paho(), Paho's own, those of a
// connection's state. A lane's turn is never taken within this one.
#pragma once

#include <condition_variable>
#include <cstdint>
#include <deque>
#include <memory>
#include <mutex>
#include <vector>

#include "engine/connection.h"
#include "engine/connections.h"
#include "engine/exit_gate.h"

namespace aiomqtt {

class IoThread;

class ApiThread {
 public:
  ApiThread(IoThread& io, Connections& connections, ExitGate& gate) noexcept
      : io_(io), connections_(connections), gate_(gate) {}

  // -- an environment's thread --
  // Commands of one environment: only its own connections are touched. `staged`: the payloads of
  // those PUBLISH commands that do not have them among their bytes, in their order. True: they were
  // run here, and something waits in the inbox that nothing rings for; the caller drains it.
  [[nodiscard]] bool submit(std::vector<std::uint8_t> commands, std::shared_ptr<Inbox> owner,
                            std::deque<SharedBuffer> staged = {});

  // -- any thread --
  void establish(std::shared_ptr<Connection> connection);
  void feed(std::shared_ptr<Connection> connection);
  // See Lane::note_short().
  void note_short(Connection& connection) noexcept;
  // The connection has ended: destroy its handle and forget it.
  void release(std::shared_ptr<Connection> connection);

  // -- whoever has the turn, by way of Paho (paho/hooks.h) --
  // Paho's send thread has nothing to do. Returns when Paho has commands to process.
  void turn() noexcept;
  // Paho's command list got something, or might have.
  void note_paho_signal();
  // Bytes for this connection must be flushed before the thread sleeps.
  void note_unflushed(std::shared_ptr<Connection> connection);
  // Whether the calling thread has the turn.
  [[nodiscard]] static bool is_current() noexcept;
  // The packet identifier for what is being handed to Paho just now.
  [[nodiscard]] std::uint16_t assign_packet_identifier();

 private:
  struct Task {
    enum class Kind : std::uint8_t { kCommands, kEstablish, kFeed, kRelease };
    Kind kind = Kind::kCommands;
    std::shared_ptr<Connection> connection;
    std::shared_ptr<Inbox> owner;
    std::vector<std::uint8_t> commands;
    std::deque<SharedBuffer> staged;
  };

  void post(Task task);
  // There was no memory for what was being done: who it was done for ends.
  void give_up() noexcept;
  // True: the turn was free, and is the calling thread's.
  [[nodiscard]] bool try_to_take_turn();
  // Runs tasks_ on the calling thread, which has the turn.
  void run_here() noexcept;
  void give_turn_back() noexcept;
  // Runs tasks until there are none, or Paho must work first. True: Paho must work.
  bool run();
  bool run_commands(Task& task);
  void run_command(const std::shared_ptr<Connection>& connection, CommandView command,
                   const SharedBuffer& payload);
  // The payload that was handed over beside this command; null if it has none.
  static SharedBuffer take_staged(Task& task, CommandView command);
  // Graceful: Paho writes DISCONNECT; what still waits for its turn is not sent.
  void close(const std::shared_ptr<Connection>& connection, CommandView command);
  // Paho is in the middle of no packet meanwhile.
  void let_go(Connection& connection);
  // What Paho refused or was withdrawn.
  void note_done(const std::shared_ptr<Connection>& connection);
  void report();
  void flush();
  void flush(Connection& connection) noexcept;

  IoThread& io_;
  Connections& connections_;
  ExitGate& gate_;

  // Any thread, under the lock; it is held while nothing else is called.
  std::mutex mutex_;
  std::condition_variable ready_;
  std::deque<Task> posted_;
  // Somebody has the turn: at first Paho's thread, before it has come here.
  bool has_turn_ = true;

  // Whoever has the turn.
  std::deque<Task> tasks_;
  std::size_t cursor_ = 0;  // into the commands of tasks_.front()
  bool paho_has_work_ = false;
  Connection* current_ = nullptr;
  std::vector<std::shared_ptr<Connection>> unflushed_;
  std::vector<Outbound::Done> done_;
  struct Reports {
    std::shared_ptr<Connection> connection;
    std::vector<Outbound::Done> done;
  };
  std::vector<Reports> reports_;
};

}  // namespace aiomqtt
