#include "engine/api_thread.h"

#include <new>
#include <utility>

#include "engine/io_thread.h"
#include "platform/memory_reserve.h"

namespace aiomqtt {
namespace {

thread_local bool this_thread_has_the_turn = false;

// A batch of so many bytes at most is run where it is submitted: a few dozen short messages. With
// more of them two threads are faster than one.
constexpr std::size_t kMostRunHere = 8 * 1024;

// So many bytes of commands are run before Paho works on them, so that the first leave early.
constexpr std::size_t kBytesBeforePaho = 256 * 1024;

}  // namespace

bool ApiThread::is_current() noexcept { return this_thread_has_the_turn; }

bool ApiThread::submit(std::vector<std::uint8_t> commands, std::shared_ptr<Inbox> owner,
                       std::deque<SharedBuffer> staged) {
  const bool is_small = commands.size() <= kMostRunHere && staged.empty();
  Task task{Task::Kind::kCommands, nullptr, std::move(owner), std::move(commands),
            std::move(staged)};
  if (!is_small || !PahoClient::can_work() || !try_to_take_turn()) {
    post(std::move(task));
    return false;
  }
  const std::shared_ptr<Inbox> inbox = task.owner;
  try {
    tasks_.push_back(std::move(task));
  } catch (const std::bad_alloc&) {
    give_turn_back();
    throw;
  }
  inbox->hold_bell();
  run_here();
  give_turn_back();
  return inbox->let_ring();
}

bool ApiThread::try_to_take_turn() {
  const std::lock_guard lock(mutex_);
  if (has_turn_ || !posted_.empty()) return false;
  has_turn_ = true;
  return true;
}

void ApiThread::run_here() noexcept {
  this_thread_has_the_turn = true;
  for (bool is_done = false; !is_done;) {
    try {
      while (run()) PahoClient::work();
      flush();
      is_done = true;
    } catch (const std::bad_alloc&) {
      give_up();
      // What it was handed before is of others, and leaves.
      if (std::exchange(paho_has_work_, false)) PahoClient::work();
    }
  }
  this_thread_has_the_turn = false;
}

void ApiThread::give_turn_back() noexcept {
  bool must_wake = false;
  {
    const std::lock_guard lock(mutex_);
    has_turn_ = false;
    must_wake = !posted_.empty();
  }
  if (must_wake) ready_.notify_one();
}

void ApiThread::establish(std::shared_ptr<Connection> connection) {
  insist([&] { post({Task::Kind::kEstablish, connection, nullptr, {}, {}}); });
}

void ApiThread::feed(std::shared_ptr<Connection> connection) {
  insist([&] { post({Task::Kind::kFeed, connection, nullptr, {}, {}}); });
}

void ApiThread::note_short(Connection& connection) noexcept {
  connection.lane().note_short(connection);
}

void ApiThread::release(std::shared_ptr<Connection> connection) {
  post({Task::Kind::kRelease, std::move(connection), nullptr, {}, {}});
}

void ApiThread::post(Task task) {
  bool must_wake = false;
  {
    const std::lock_guard lock(mutex_);
    // Whoever has the turn looks here before giving it back.
    must_wake = posted_.empty() && !has_turn_;
    posted_.push_back(std::move(task));
  }
  if (must_wake) ready_.notify_one();
}

void ApiThread::turn() noexcept {
  this_thread_has_the_turn = true;
  for (;;) {
    gate_.park_if_exiting();
    try {
      if (run()) return;
      flush();
    } catch (const std::bad_alloc&) {
      give_up();
      // What Paho was handed before is of others, and leaves.
      if (std::exchange(paho_has_work_, false)) return;
      continue;
    }
    std::unique_lock lock(mutex_);
    has_turn_ = false;
    ready_.wait(lock, [this] { return !has_turn_ && !posted_.empty(); });
    has_turn_ = true;
    tasks_.swap(posted_);
  }
}

void ApiThread::give_up() noexcept {
  if (tasks_.empty()) {
    // What was done could not be told.
    for (const Reports& reports : reports_) note_short(*reports.connection);
    reports_.clear();
    return;
  }
  Task& task = tasks_.front();
  // The command that failed counts as run; those after it are of a connection that ends, or of
  // others.
  Connection* const failed = task.connection ? task.connection.get() : current_;
  if (failed != nullptr) note_short(*failed);
  done_.clear();
  if (task.kind != Task::Kind::kCommands || cursor_ >= task.commands.size()) {
    tasks_.pop_front();
    cursor_ = 0;
  }
}

// Signals come from Paho's addCommand on the thread that has the turn, and from a CONNACK, a PUBACK
// and a PUBCOMP on the other, which queue nothing and which no command of Paho's waits for
// (Outbound has the window): the send thread never needs to be woken for any.
void ApiThread::note_paho_signal() {
  if (is_current()) paho_has_work_ = true;
}

bool ApiThread::run() {
  paho_has_work_ = false;
  while (!tasks_.empty()) {
    Task& task = tasks_.front();
    bool finished = true;
    switch (task.kind) {
      case Task::Kind::kCommands:
        finished = run_commands(task);
        break;
      case Task::Kind::kEstablish:
        if (!task.connection->ended() && !task.connection->state().closing) {
          task.connection->api().establish(*task.connection);
        }
        break;
      case Task::Kind::kFeed:
        current_ = task.connection.get();
        if (!task.connection->ended()) finished = task.connection->api().feed(done_);
        note_done(task.connection);
        break;
      case Task::Kind::kRelease:
        // Paho holds no command of this handle: it was posted when the connection had ended, so
        // what was run before in this turn is of other connections.
        let_go(*task.connection);
        connections_.forget(task.connection->number());
        break;
    }
    if (finished) {
      tasks_.pop_front();
      cursor_ = 0;
    }
    if (paho_has_work_ && (!finished || tasks_.empty())) return true;
  }
  return paho_has_work_;
}

bool ApiThread::run_commands(Task& task) {
  std::size_t run = 0;
  std::shared_ptr<Connection> connection;
  while (cursor_ < task.commands.size()) {
    const Bytes rest = Bytes(task.commands).subspan(cursor_);
    const CommandView command(rest.first(CommandView(rest).word(command::kLength)));
    if (!connection || connection->number() != command.connection()) {
      if (connection) note_done(connection);
      connection = connections_.find(command.connection());
      if (connection && connection->inbox() != task.owner) connection = nullptr;
      current_ = connection.get();
      if (connection && command.kind() != command::kAcknowledge) connection->lane().note_asked();
    }
    // DISCONNECT comes after all that was submitted before: let Paho write that first.
    if (command.kind() == command::kClose && paho_has_work_) break;
    const SharedBuffer payload = take_staged(task, command);
    cursor_ += command.bytes().size();
    if (connection && !connection->ended()) {
      run_command(connection, command, payload);
    }
    run += command.bytes().size() + (payload ? payload->size() : 0);
    if (paho_has_work_ && run >= kBytesBeforePaho) break;
  }
  if (connection) note_done(connection);
  return cursor_ == task.commands.size();
}

void ApiThread::run_command(const std::shared_ptr<Connection>& connection, CommandView command,
                            const SharedBuffer& payload) {
  if (command.kind() == command::kClose) {
    close(connection, command);
    return;
  }
  ApiHalf& half = connection->api();
  if (!half.takes_commands()) return;
  const auto [must_flush, held_pubrec] = half.submit(command, payload, done_);
  if (must_flush) note_unflushed(connection);
  if (held_pubrec) {
    connection->lane().hand_pubrec(connection, held_pubrec->packet_identifier, held_pubrec->code);
  }
}

SharedBuffer ApiThread::take_staged(Task& task, CommandView command) {
  const bool has_staged = command.kind() == command::kPublish &&
                          (command.flags() & publish::kStaged) != 0 && !task.staged.empty();
  if (!has_staged) return nullptr;
  SharedBuffer payload = std::move(task.staged.front());
  task.staged.pop_front();
  return payload;
}

void ApiThread::close(const std::shared_ptr<Connection>& connection, CommandView command) {
  const bool force = (command.flags() & close::kForce) != 0;
  if (!force) {
    const auto reason = static_cast<std::uint8_t>(command.word(close::kReason));
    const Bytes properties =
        command.after(close::kWords).first(command.word(close::kPropertiesLength));
    if (reason == reason::kSuccess && properties.empty()) {
      connection->state().note_closing();
      let_go(*connection);
    } else {
      connection->api().disconnect(reason, properties);
    }
    flush(*connection);
    // What was done before is told before the end is.
    note_done(connection);
    flush();
  }
  connection->lane().close(connection, force);
}

void ApiThread::let_go(Connection& connection) {
  const auto paho_waits = io_.hold_off_paho();
  connection.api().release();
}

void ApiThread::note_done(const std::shared_ptr<Connection>& connection) {
  if (done_.empty()) return;
  if (!reports_.empty() && reports_.back().connection == connection) {
    std::vector<Outbound::Done>& last = reports_.back().done;
    last.insert(last.end(), done_.begin(), done_.end());
    done_.clear();
  } else {
    reports_.push_back({connection, std::exchange(done_, {})});
  }
}

void ApiThread::flush() {
  report();
  for (const auto& connection : unflushed_) flush(*connection);
  unflushed_.clear();
}

void ApiThread::flush(Connection& connection) noexcept {
  connection.output().flush();
  try {
    connection.state().tell_departed();
  } catch (const std::bad_alloc&) {
    note_short(connection);
  }
}

void ApiThread::report() {
  for (const Reports& reports : reports_) {
    Inbox::Writer writer(*reports.connection->inbox());
    for (const Outbound::Done& done : reports.done) {
      writer.append(
          make_record(event::kDone, reports.connection->number(), done.operation, 0, done.code));
    }
  }
  reports_.clear();
}

void ApiThread::note_unflushed(std::shared_ptr<Connection> connection) {
  unflushed_.push_back(std::move(connection));
}

std::uint16_t ApiThread::assign_packet_identifier() {
  return current_ == nullptr ? std::uint16_t{0} : current_->api().assign_packet_identifier();
}

}  // namespace aiomqtt
