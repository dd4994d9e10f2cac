#include "engine/lane.h"

#include <algorithm>
#include <cerrno>
#include <new>
#include <string>
#include <utility>

#include "engine/api_thread.h"
#include "engine/clock.h"
#include "engine/exit_gate.h"
#include "engine/io_thread.h"
#include "platform/memory_reserve.h"

namespace aiomqtt {
namespace {

Ending out_of_memory(Connection& connection) noexcept {
  return Ending::transport(Ending::kReading, ENOMEM, connection.io().peer);
}

// How long it takes until another look is worth it whether there is memory again.
constexpr std::chrono::milliseconds kRelief{10};

// A connection that holds less is not what the memory is short for.
constexpr std::uint64_t kHeavy = 256 * 1024;

std::uint64_t weight_of(Connection& connection) noexcept {
  const Account held = connection.state().account.get();
  return held.unread + held.unreleased + held.aliases + connection.output().size();
}

}  // namespace

int Lane::open() {
  const std::lock_guard lock(mutex_);
  if (open_) return 0;
  if (const int error = poller_.open(); error != 0) return error;
  io_.watch(shared_from_this());
  open_ = true;
  return 0;
}

void Lane::start(std::shared_ptr<Connection> connection) {
  post({Post::Kind::kStart, std::move(connection), nullptr});
  // Setting up a stream is too much work for an event loop.
  led_by_loop_ = false;
  io_.wake();
}

void Lane::close(std::shared_ptr<Connection> connection, bool force) {
  post({force ? Post::Kind::kAbort : Post::Kind::kClose, std::move(connection), nullptr});
}

void Lane::resume(std::shared_ptr<Connection> connection) {
  post({Post::Kind::kResume, std::move(connection), nullptr});
}

void Lane::resume_all(std::shared_ptr<Inbox> inbox) {
  post({Post::Kind::kRoom, nullptr, std::move(inbox)});
}

void Lane::abandon(std::shared_ptr<Inbox> inbox) {
  led_by_loop_ = false;
  if (!open_) return;
  post({Post::Kind::kAbandon, nullptr, std::move(inbox)});
  io_.wake();
}

void Lane::hand_pubrec(std::shared_ptr<Connection> connection, std::uint16_t packet_identifier,
                       std::uint8_t code) {
  post({Post::Kind::kPubrec, std::move(connection), nullptr, packet_identifier, code});
}

void Lane::post(Post post) {
  const auto add = [this, &post] {
    const std::lock_guard lock(mutex_);
    // Its connections have ended, whatever it is.
    if (over_) return;
    const bool is_first = posted_.empty();
    posted_.push_back(post);
    if (post.kind == Post::Kind::kStart) ++starts_posted_;
    if (is_first) poller_.wake();
  };
  // Nobody looks for one that has not been started.
  if (post.kind == Post::Kind::kStart) return add();
  insist(add);
}

void Lane::note_short(Connection& connection) noexcept {
  connection.state().short_of_memory = true;
  someone_is_short_ = true;
  if (open_) poller_.wake();
}

bool Lane::has_posts() const {
  const std::lock_guard lock(mutex_);
  return !posted_.empty();
}

Lane::Worked Lane::work(unsigned looks, int timeout_ms, std::size_t most) noexcept {
  bytes_read_ = 0;
  try {
    return work_on(looks, timeout_ms, most);
  } catch (const std::bad_alloc&) {
    give_up();
    return Worked::kShort;
  }
}

void Lane::give_up() noexcept {
  const bool is_post = next_post_ < running_.size() && !reading_.is_on() && !at_work_;
  std::shared_ptr<Connection> connection = reading_.is_on() ? reading_.connection() : at_work_;
  reading_.drop();
  at_work_.reset();
  if (is_post) {
    connection = running_[next_post_].connection;
    // What concerns nobody alone, or one that has not begun, is done again.
    if (connection && is_known(*connection)) {
      ++next_post_;
    } else {
      connection.reset();
    }
  }
  if (connection) note_short(*connection);
}

bool Lane::is_known(const Connection& connection) const {
  const std::uint32_t number = connection.number();
  return connection.ended() || live_.contains(number) || connecting_.connections().contains(number);
}

void Lane::relieve() {
  if (someone_is_short_.exchange(false)) {
    try {
      while (const auto connection = shortest()) end(connection, out_of_memory(*connection));
    } catch (const std::bad_alloc&) {
      someone_is_short_ = true;
    }
  }
  if (!MemoryReserve::is_spent() || MemoryReserve::refill()) return;
  if (const auto connection = heaviest()) end(connection, out_of_memory(*connection));
}

std::shared_ptr<Connection> Lane::shortest() const {
  for (const auto* connections : {&live_, &connecting_.connections()}) {
    for (const auto& [number, connection] : *connections) {
      if (connection->state().short_of_memory) return connection;
    }
  }
  return nullptr;
}

std::shared_ptr<Connection> Lane::heaviest() const {
  std::shared_ptr<Connection> found;
  std::uint64_t most = kHeavy;
  for (const auto& [number, connection] : live_) {
    const std::uint64_t weight = weight_of(*connection);
    if (weight < most) continue;
    most = weight;
    found = connection;
  }
  return found;
}

Lane::Worked Lane::work_on(unsigned looks, int timeout_ms, std::size_t most) {
  for (;;) {
    gate_.park_if_exiting();
    if (reading_.is_on()) {
      if (read_on()) return Worked::kForPaho;
      continue;
    }
    if (!pubrecs_.empty()) {
      if (hand_over_pubrec()) return Worked::kForPaho;
      continue;
    }
    if (bytes_read_ >= most) return Worked::kSome;
    if (event_ < event_count_) {
      on_event(events_[event_++]);
      continue;
    }
    if (!reading_again_.empty()) {
      const std::shared_ptr<Connection> connection = std::move(reading_again_.back());
      reading_again_.pop_back();
      at_work_ = connection;
      if (!connection->ended()) on_stream(connection, Poller::kReadable);
      continue;
    }
    at_work_.reset();
    run_posts();
    on_time();
    relieve();
    reading_.flush();
    if (std::exchange(pace_is_stale_, false)) set_pace();
    // Each has one turn between two looks at everything else, however much more it holds.
    reading_again_.swap(read_again_);
    due_ = next_due();
    // The I/O thread is about to sleep for longer, or sees it before it does (IoThread::sleep()).
    if (due_.load() < io_.sleeps_until()) io_.wake();
    if (looks == 0) break;
    --looks;
    event_ = 0;
    event_count_ = poller_.wait(reading_again_.empty() ? timeout_ms : 0, events_);
    timeout_ms = 0;
    if (event_count_ == 0 && reading_again_.empty() && !has_posts()) break;
  }
  finish_if_over();
  return reading_again_.empty() && pubrecs_.empty() ? Worked::kAll : Worked::kSome;
}

Lane::Watch Lane::try_to_lead() {
  const std::unique_lock turn(turn_, std::try_to_lock);
  if (!turn || !is_calm(Clock::now())) return {};
  led_by_loop_ = true;
  return {true, 0};
}

Lane::Watch Lane::work_on_loop() noexcept {
  const std::unique_lock turn(turn_, std::try_to_lock);
  if (!turn || !led_by_loop_ || reading_.is_on()) {
    // What it was woken for is the I/O thread's.
    led_by_loop_ = false;
    io_.wake();
    return {};
  }
  const Clock::time_point now = Clock::now();
  ++turns_of_loop_;
  const std::size_t packets_before = reading_.packets();
  const Worked worked = work(1, 0, kFlood);
  if (worked != Worked::kAll) {
    give_up_the_lead();
    return {};
  }
  return {true, pace_.note_look(now, reading_.packets() - packets_before)};
}

bool Lane::is_calm(Clock::time_point now) const {
  if (!Poller::kNests || abandoned_ || reading_.is_on()) return false;
  if (!connecting_.connections().empty()) return false;
  if (now - for_paho_at_ < kUncalm || now - flooded_at_ < kUncalm) return false;
  const std::lock_guard lock(mutex_);
  return starts_posted_ == 0;
}

void Lane::give_up_the_lead() noexcept {
  led_by_loop_ = false;
  due_ = Clock::time_point::min();
  io_.wake();
}

void Lane::finish_if_over() {
  if (!abandoned_ || !live_.empty() || !connecting_.connections().empty() || !lingering_.empty()) {
    return;
  }
  // What is left is of connections that have ended, which keep the lane.
  reading_again_.clear();
  read_again_.clear();
  pubrecs_.clear();
  std::vector<Post> posts;
  const std::lock_guard lock(mutex_);
  over_ = true;
  posts.swap(posted_);
}

void Lane::run_posts() {
  if (next_post_ == running_.size()) {
    running_.clear();
    next_post_ = 0;
    const std::lock_guard lock(mutex_);
    running_.swap(posted_);
    starts_posted_ = 0;
  }
  for (; next_post_ < running_.size(); ++next_post_) run(running_[next_post_]);
  running_.clear();
  next_post_ = 0;
}

void Lane::run(Post& post) {
  switch (post.kind) {
    case Post::Kind::kStart:
      connecting_.start(post.connection);
      break;
    case Post::Kind::kClose:
      close_gently(post.connection);
      break;
    case Post::Kind::kAbort:
      end(post.connection, {Ending::kAborted, 0, 0, {}});
      break;
    case Post::Kind::kResume:
      resume(post.connection, IoHalf::kForRoom);
      break;
    case Post::Kind::kRoom:
      for (const auto& connection : connections_of(*post.inbox)) {
        resume(connection, IoHalf::kByInbox);
      }
      break;
    case Post::Kind::kAbandon:
      // A lane that all environments share goes on.
      abandoned_ = Poller::kNests;
      for (const auto& connection : connections_of(*post.inbox)) {
        end(connection, {Ending::kAborted, 0, 0, {}});
      }
      break;
    case Post::Kind::kPubrec:
      pubrecs_.push_back(post);
      break;
  }
}

std::vector<std::shared_ptr<Connection>> Lane::connections_of(const Inbox& inbox) const {
  std::vector<std::shared_ptr<Connection>> result;
  for (const auto* connections : {&live_, &connecting_.connections()}) {
    for (const auto& [number, connection] : *connections) {
      if (connection->inbox().get() == &inbox) result.push_back(connection);
    }
  }
  return result;
}

std::span<std::uint8_t> Lane::scratch() {
  if (!scratch_) scratch_.reset(new std::uint8_t[kScratchSize]);
  return {scratch_.get(), kScratchSize};
}

void Lane::on_event(const Poller::Event& event) {
  const std::uint32_t number = event.token.connection;
  if (lingering_.on_ready(number, scratch())) return;
  if (const auto found = live_.find(number); found != live_.end()) {
    const std::shared_ptr<Connection> connection = found->second;
    at_work_ = connection;
    on_stream(connection, event.ready);
    return;
  }
  if (const auto connection = connecting_.find(number)) {
    at_work_ = connection;
    connecting_.on_ready(connection, event.token.part);
  }
}

void Lane::on_stream_up(const std::shared_ptr<Connection>& connection,
                        std::unique_ptr<Stream> stream) {
  connection->io().note_received(now_ms(), 0);
  connection->output().attach(std::move(stream));
  // In this order, so that it is in one of them whatever fails.
  live_.emplace(connection->number(), connection);
  connecting_.forget(*connection);
  pace_is_stale_ = true;
  next_tick_ = std::min(next_tick_, Clock::now() + kSoonestTick);
  api_.establish(connection);
}

void Lane::on_stream_failed(const std::shared_ptr<Connection>& connection, const Ending& ending) {
  end(connection, ending);
}

void Lane::on_stream(const std::shared_ptr<Connection>& connection, std::uint32_t ready) {
  // What was read may have been left in the middle.
  if (connection->state().short_of_memory) return;
  if ((ready & Poller::kWritable) != 0) on_writable(connection);
  if (connection->ended()) return;
  if ((ready & Poller::kReadable) != 0) on_readable(connection, (ready & Poller::kBroken) != 0);
}

void Lane::on_writable(const std::shared_ptr<Connection>& connection) {
  Output& output = connection->output();
  output.on_writable();
  connection->state().tell_departed();
  if (!output.owes_replies()) resume(connection, IoHalf::kByReplies);
  if (connection->io().ends_when_empty && (output.empty() || output.error() != 0)) {
    end(connection, {});
    return;
  }
  if (output.size() < Output::kLowWater && connection->state().limits.is_waiting()) {
    api_.feed(connection);
  }
}

void Lane::on_readable(const std::shared_ptr<Connection>& connection, bool broken) {
  IoHalf& half = connection->io();
  if (half.paused()) {
    if (broken) connection->output().stop_polling();
    return;
  }
  if (connection->inbox()->is_full()) {
    half.pause(IoHalf::kByInbox);
    return;
  }
  if (connection->output().owes_replies()) {
    half.pause(IoHalf::kByReplies);
    return;
  }
  if (half.reader().has_aside()) {
    half.reader().resume();
    reading_.begin(connection);
    return;
  }
  const Transfer got = half.reader().fill(*connection->output().stream(), scratch());
  switch (got.state) {
    case Transfer::State::kMoved:
      half.note_received(now_ms(), got.bytes);
      bytes_read_ += got.bytes;
      if (bytes_read_ >= kFlood) flooded_at_ = Clock::now();
      reading_.begin(connection);
      break;
    case Transfer::State::kWouldBlock:
      break;
    case Transfer::State::kEnded:
    case Transfer::State::kFailed:
      on_stream_down(connection, got.error);
      break;
  }
}

void Lane::on_stream_down(const std::shared_ptr<Connection>& connection, int error) {
  if (connection->state().closing) {
    end(connection, {});
    return;
  }
  const std::string& peer = connection->io().peer;
  // The system tells only once what broke the connection, and a write may have been told: EPIPE
  // says no more than the end does.
  const int unwritten = connection->output().error();
  if (error == 0 && unwritten != 0 && unwritten != EPIPE) {
    end(connection, Ending::transport(Ending::kWriting, unwritten, peer));
    return;
  }
  const std::string why = connection->output().stream()->explanation();
  end(connection, error != 0 && !why.empty() ? Ending{Ending::kTls, 0, 0, bytes_of(why)}
                                             : Ending::transport(Ending::kReading, error, peer));
}

void Lane::resume(const std::shared_ptr<Connection>& connection, IoHalf::Pause reason) {
  if (connection->ended()) return;
  connection->io().resume(reason);
  read_again_if_more(connection);
}

void Lane::read_again_if_more(const std::shared_ptr<Connection>& connection) {
  const Stream* const stream = connection->output().stream();
  IoHalf& half = connection->io();
  if (stream == nullptr || half.paused()) return;
  if (half.reader().has_aside() || stream->has_more()) read_again_.push_back(connection);
}

bool Lane::read_on() {
  const std::shared_ptr<Connection> connection = reading_.connection();
  Ending ending;
  const Reading::Step step = reading_.go_on(ending);
  if (step == Reading::Step::kForPaho) {
    for_paho_at_ = Clock::now();
    return true;
  }
  read_again_if_more(connection);
  if (step == Reading::Step::kEnds) {
    connection->io().take_leave(ending);
    end(connection, ending);
  }
  return false;
}

bool Lane::hand_over_pubrec() {
  const Post pubrec = std::move(pubrecs_.front());
  pubrecs_.pop_front();
  if (pubrec.connection->ended() || pubrec.connection->state().closing) return false;
  reading_.begin_with_pubrec(pubrec.connection, pubrec.packet_identifier, pubrec.code);
  return true;
}

void Lane::end(const std::shared_ptr<Connection>& connection, const Ending& ending) {
  if (connection->ended()) return;
  connection->io().end(ending);
  connecting_.forget(*connection);
  live_.erase(connection->number());
  pace_is_stale_ = true;
  if (std::unique_ptr<Stream> stream = connection->output().detach();
      stream && (ending.cause == Ending::kLocal || ending.cause == Ending::kProtocol)) {
    lingering_.add(connection->number(), std::move(stream));
  }
  insist([&] { api_.release(connection); });
}

void Lane::close_gently(const std::shared_ptr<Connection>& connection) {
  if (connection->ended()) return;
  connection->io().ends_when_empty = true;
  const Output& output = connection->output();
  if (output.stream() == nullptr || output.empty() || output.error() != 0) {
    end(connection, {});
  }
}

void Lane::on_time() {
  const Clock::time_point now = Clock::now();
  connecting_.on_time(now);
  lingering_.on_time(now);
  if (now >= next_tick_) look_after(now);
}

void Lane::look_after(Clock::time_point now) {
  // Asleep, stopped, or busy for so long: others may have spoken meanwhile without being heard.
  constexpr std::chrono::milliseconds kAbsence{500};
  const std::int64_t now_in_ms = now_ms();
  const auto late = std::chrono::duration_cast<std::chrono::milliseconds>(now - next_tick_);
  std::vector<std::shared_ptr<Connection>> silent;
  std::int64_t next = now_in_ms + kLongestTick.count();
  for (const auto& [number, connection] : live_) {
    IoHalf& half = connection->io();
    if (late > kAbsence) half.keepalive().note_absence(late.count());
    if (!half.keep_alive(now_in_ms)) silent.push_back(connection);
    next = std::min(next, half.next_look(now_in_ms));
  }
  for (const auto& connection : silent) {
    const int error = connection->output().error();
    end(connection, error == 0 ? Ending{Ending::kKeepalive, 0, 0, {}}
                               : Ending::transport(Ending::kWriting, error, connection->io().peer));
  }
  next_tick_ = now + std::chrono::milliseconds(std::max<std::int64_t>(next - now_in_ms, 1));
}

void Lane::set_pace() noexcept {
  auto least = live_.empty() ? std::chrono::milliseconds(0) : kLongestWait;
  for (const auto& [number, connection] : live_) {
    least = std::min(least, connection->io().latency);
  }
  pace_.set_latency(least);
}

Lane::Clock::time_point Lane::next_due() const {
  auto due = std::min(connecting_.due(), lingering_.due());
  if (!live_.empty()) due = std::min(due, next_tick_);
  if (someone_is_short_ || MemoryReserve::is_spent()) due = std::min(due, Clock::now() + kRelief);
  return due;
}

}  // namespace aiomqtt
