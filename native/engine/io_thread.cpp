#include "engine/io_thread.h"

#include <algorithm>
#include <cerrno>
#include <new>
#include <thread>
#include <utility>

#include "engine/api_thread.h"
#include "engine/clock.h"
#include "platform/memory_reserve.h"

namespace aiomqtt {
namespace {

Ending transport_ending(Connection& connection, Ending::Step step, int error) {
  return {Ending::kTransport, step, error, bytes_of(connection.io().peer)};
}

Ending out_of_memory(Connection& connection) {
  return transport_ending(connection, Ending::kReading, ENOMEM);
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

void IoThread::start(std::shared_ptr<Connection> connection) {
  post({Post::Kind::kStart, std::move(connection), nullptr});
}

void IoThread::close(std::shared_ptr<Connection> connection, bool force) {
  post({force ? Post::Kind::kAbort : Post::Kind::kClose, std::move(connection), nullptr});
}

void IoThread::resume(std::shared_ptr<Connection> connection) {
  post({Post::Kind::kResume, std::move(connection), nullptr});
}

void IoThread::resume_all(std::shared_ptr<Inbox> inbox) {
  post({Post::Kind::kRoom, nullptr, std::move(inbox)});
}

void IoThread::abandon(std::shared_ptr<Inbox> inbox) {
  post({Post::Kind::kAbandon, nullptr, std::move(inbox)});
}

void IoThread::hand_pubrec(std::shared_ptr<Connection> connection, std::uint16_t packet_identifier,
                           std::uint8_t code) {
  post({Post::Kind::kPubrec, std::move(connection), nullptr, packet_identifier, code});
}

void IoThread::post(Post post) {
  const auto add = [this, &post] {
    const std::lock_guard lock(mutex_);
    const bool is_first = posted_.empty();
    posted_.push_back(post);
    if (is_first) poller_.wake();
  };
  // Nobody looks for one that has not been started.
  if (post.kind == Post::Kind::kStart) return add();
  insist(add);
}

void IoThread::note_short(Connection& connection) noexcept {
  connection.state().short_of_memory = true;
  someone_is_short_ = true;
  poller_.wake();
}

std::uint32_t IoThread::next() noexcept {
  for (;;) {
    try {
      return next_packet();
    } catch (const std::bad_alloc&) {
      give_up();
    }
  }
}

void IoThread::give_up() noexcept {
  const bool is_post = next_post_ < running_.size() && !reading_ && !at_work_;
  std::shared_ptr<Connection> connection = reading_ ? std::move(reading_) : std::move(at_work_);
  reading_.reset();
  at_work_.reset();
  rings_later_ = false;
  burst_.reset();
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
  std::this_thread::sleep_for(std::chrono::milliseconds(1));
}

bool IoThread::is_known(const Connection& connection) const {
  const std::uint32_t number = connection.number();
  return connection.ended() || live_.contains(number) || connecting_.contains(number);
}

void IoThread::relieve() {
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

std::shared_ptr<Connection> IoThread::shortest() const {
  for (const auto* connections : {&live_, &connecting_}) {
    for (const auto& [number, connection] : *connections) {
      if (connection->state().short_of_memory) return connection;
    }
  }
  return nullptr;
}

std::shared_ptr<Connection> IoThread::heaviest() const {
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

std::uint32_t IoThread::next_packet() {
  for_paho_ = reading_ ? reading_->io().take_then_for_paho() : Bytes();
  if (!for_paho_.empty()) return reading_->number();
  if (paho_reads_now_.owns_lock()) paho_reads_now_.unlock();
  for (;;) {
    gate_.park_if_exiting();
    if (reading_ && work_through_burst()) {
      paho_reads_now_.lock();
      return reading_->number();
    }
    if (!pubrecs_.empty()) {
      if (!hand_over_pubrec()) continue;
      paho_reads_now_.lock();
      return reading_->number();
    }
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
    flush();
    // Each has one turn between two looks at everything else, however much more it holds.
    reading_again_.swap(read_again_);
    event_ = 0;
    event_count_ = poller_.wait(reading_again_.empty() ? timeout_ms() : 0, events_);
  }
}

const std::uint8_t* IoThread::take_for_paho(std::uint32_t connection, std::size_t size) noexcept {
  if (!reading_ || reading_->number() != connection || for_paho_.size() < size) return nullptr;
  const std::uint8_t* const at = for_paho_.data();
  for_paho_ = for_paho_.subspan(size);
  return at;
}

void IoThread::run_posts() {
  if (next_post_ == running_.size()) {
    running_.clear();
    next_post_ = 0;
    const std::lock_guard lock(mutex_);
    running_.swap(posted_);
  }
  for (; next_post_ < running_.size(); ++next_post_) run(running_[next_post_]);
  running_.clear();
  next_post_ = 0;
}

void IoThread::run(Post& post) {
  switch (post.kind) {
    case Post::Kind::kStart:
      start_connecting(post.connection);
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
      for (const auto& connection : connections_of(*post.inbox)) {
        end(connection, {Ending::kAborted, 0, 0, {}});
      }
      break;
    case Post::Kind::kPubrec:
      pubrecs_.push_back(post);
      break;
  }
}

std::vector<std::shared_ptr<Connection>> IoThread::connections_of(const Inbox& inbox) const {
  std::vector<std::shared_ptr<Connection>> result;
  for (const auto* connections : {&live_, &connecting_}) {
    for (const auto& [number, connection] : *connections) {
      if (connection->inbox().get() == &inbox) result.push_back(connection);
    }
  }
  return result;
}

void IoThread::start_connecting(const std::shared_ptr<Connection>& connection) {
  IoHalf& half = connection->io();
  connecting_.emplace(connection->number(), connection);
  StreamOptions& options = half.stream_options;
  if (options.descriptor) {
    on_socket(connection, std::make_unique<SocketStream>(std::move(options.descriptor),
                                                         SocketStream::Kind::kLocal));
    return;
  }
  half.connector = std::make_unique<Connector>(
      std::move(options.addresses), std::move(options.socket), poller_, connection->number());
  on_connector(connection, half.connector->start(Clock::now()));
}

void IoThread::on_event(const Poller::Event& event) {
  const std::uint32_t number = event.token.connection;
  if (const auto found = lingering_.find(number); found != lingering_.end()) {
    const Transfer got = found->second.stream->read({scratch_.get(), kScratchSize});
    const bool over = got.state == Transfer::State::kEnded || got.state == Transfer::State::kFailed;
    if (over) {
      poller_.remove(found->second.stream->descriptor());
      lingering_.erase(found);
    }
    return;
  }
  if (const auto found = live_.find(number); found != live_.end()) {
    const std::shared_ptr<Connection> connection = found->second;
    at_work_ = connection;
    on_stream(connection, event.ready);
    return;
  }
  if (const auto found = connecting_.find(number); found != connecting_.end()) {
    const std::shared_ptr<Connection> connection = found->second;
    at_work_ = connection;
    IoHalf& half = connection->io();
    if (half.handshaking) {
      on_handshake(connection);
      return;
    }
    on_connector(connection, half.connector->on_ready(event.token.part, Clock::now()));
  }
}

void IoThread::on_connector(const std::shared_ptr<Connection>& connection, Connector::State state) {
  IoHalf& half = connection->io();
  if (state == Connector::State::kConnecting) return;
  Connector& connector = *half.connector;
  half.peer = connector.address();
  if (state == Connector::State::kFailed) {
    end(connection, transport_ending(*connection, Ending::kConnecting, connector.error()));
    return;
  }
  std::unique_ptr<Stream> socket = connector.take_stream();
  half.connector.reset();
  on_socket(connection, std::move(socket));
}

void IoThread::on_socket(const std::shared_ptr<Connection>& connection,
                         std::unique_ptr<Stream> socket) {
  IoHalf& half = connection->io();
  const std::optional<TlsOptions>& tls = half.stream_options.tls;
  if (!tls) {
    on_stream_up(connection, std::move(socket));
    return;
  }
  TlsError error;
  half.handshaking = TlsStream::make(std::move(socket), *tls, error);
  if (!half.handshaking) {
    end(connection, {Ending::kTls, 0, 0, bytes_of(error.text)});
    return;
  }
  poller_.add(half.handshaking->descriptor(), {connection->number(), kStreamPart}, 0);
  on_handshake(connection);
}

void IoThread::on_handshake(const std::shared_ptr<Connection>& connection) {
  TlsStream& stream = *connection->io().handshaking;
  const Poller::Token token{connection->number(), kStreamPart};
  TlsError error;
  int system_error = 0;
  switch (stream.shake_hands(error, system_error)) {
    case TlsStream::Handshake::kWantsRead:
      poller_.change(stream.descriptor(), token, Poller::kReadable);
      return;
    case TlsStream::Handshake::kWantsWrite:
      poller_.change(stream.descriptor(), token, Poller::kWritable);
      return;
    case TlsStream::Handshake::kFailed:
      if (error.text.empty() && error.verify_result == 0) {
        end(connection, transport_ending(*connection, Ending::kShakingHands, system_error));
      } else {
        end(connection, {Ending::kTls, static_cast<std::uint32_t>(error.verify_result), 0,
                         bytes_of(error.text)});
      }
      return;
    case TlsStream::Handshake::kDone:
      poller_.remove(stream.descriptor());
      on_stream_up(connection, std::move(connection->io().handshaking));
      return;
  }
}

void IoThread::on_stream_up(const std::shared_ptr<Connection>& connection,
                            std::unique_ptr<Stream> stream) {
  connection->io().note_received(now_ms(), 0);
  connection->output().attach(std::move(stream));
  // In this order, so that it is in one of them whatever fails.
  live_.emplace(connection->number(), connection);
  connecting_.erase(connection->number());
  next_tick_ = std::min(next_tick_, Clock::now() + kSoonestTick);
  api_.establish(connection);
}

void IoThread::on_stream(const std::shared_ptr<Connection>& connection, std::uint32_t ready) {
  // What was read may have been left in the middle.
  if (connection->state().short_of_memory) return;
  IoHalf& half = connection->io();
  if ((ready & Poller::kWritable) != 0) {
    Output& output = connection->output();
    output.on_writable();
    connection->state().tell_departed();
    if (!output.owes_replies()) resume(connection, IoHalf::kByReplies);
    if (half.ends_when_empty && (output.empty() || output.error() != 0)) {
      end(connection, {});
      return;
    }
    if (output.size() < Output::kLowWater && connection->state().limits.is_waiting()) {
      api_.feed(connection);
    }
  }
  if ((ready & Poller::kReadable) == 0) return;
  if (half.paused()) {
    if ((ready & Poller::kBroken) != 0) connection->output().stop_polling();
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
    reading_ = connection;
    burst_.emplace(*connection->inbox());
    return;
  }
  const Transfer got =
      half.reader().fill(*connection->output().stream(), {scratch_.get(), kScratchSize});
  switch (got.state) {
    case Transfer::State::kMoved:
      half.note_received(now_ms(), got.bytes);
      reading_ = connection;
      burst_.emplace(*connection->inbox());
      break;
    case Transfer::State::kWouldBlock:
      break;
    case Transfer::State::kEnded:
    case Transfer::State::kFailed:
      on_stream_down(connection, got.error);
      break;
  }
}

void IoThread::resume(const std::shared_ptr<Connection>& connection, IoHalf::Pause reason) {
  if (connection->ended()) return;
  connection->io().resume(reason);
  read_again_if_more(connection);
}

void IoThread::on_stream_down(const std::shared_ptr<Connection>& connection, int error) {
  if (connection->state().closing) {
    end(connection, {});
    return;
  }
  // The system tells only once what broke the connection, and a write may have been told: EPIPE
  // says no more than the end does.
  const int unwritten = connection->output().error();
  if (error == 0 && unwritten != 0 && unwritten != EPIPE) {
    end(connection, transport_ending(*connection, Ending::kWriting, unwritten));
    return;
  }
  const std::string why = connection->output().stream()->explanation();
  end(connection, error != 0 && !why.empty()
                      ? Ending{Ending::kTls, 0, 0, bytes_of(why)}
                      : transport_ending(*connection, Ending::kReading, error));
}

bool IoThread::hand_over_pubrec() {
  const Post pubrec = std::move(pubrecs_.front());
  pubrecs_.pop_front();
  if (pubrec.connection->ended() || pubrec.connection->state().closing) return false;
  reading_ = pubrec.connection;
  burst_.emplace(*reading_->inbox());
  IoHalf& half = reading_->io();
  half.hand_pubrec_to_paho(pubrec.packet_identifier, pubrec.code);
  for_paho_ = half.for_paho();
  rings_later_ = true;
  return true;
}

bool IoThread::work_through_burst() {
  IoHalf& half = reading_->io();
  Packet packet;
  Violation violation;
  Ending ending;
  for (;;) {
    if (reading_->ended()) break;
    switch (half.reader().next(packet, violation)) {
      case PacketReader::Next::kNothing:
        half.reader().settle();
        half.check_announced(*burst_);
        finish_burst();
        return false;
      case PacketReader::Next::kViolation:
        end_burst(violated(violation));
        return false;
      case PacketReader::Next::kPacket:
        break;
    }
    switch (half.receive(packet, *burst_, ending)) {
      case IoHalf::Taken::kHere:
        break;
      case IoHalf::Taken::kForPaho: {
        if (half.finish(*burst_)) note_unflushed(reading_);
        for_paho_ = half.for_paho();
        rings_later_ = true;
        return true;
      }
      case IoHalf::Taken::kNoRoom:
        if (!half.stall(packet, *burst_)) {
          half.reader().put_back(packet);
          break;
        }
        finish_burst();
        return false;
      case IoHalf::Taken::kEnds:
        end_burst(ending);
        return false;
    }
  }
  finish_burst();
  return false;
}

void IoThread::finish_burst() {
  const bool must_flush = reading_->io().finish(*burst_);
  if (std::exchange(rings_later_, false)) reading_->inbox()->ring();
  if (must_flush) reading_->output().flush();
  burst_.reset();
  read_again_if_more(reading_);
  reading_.reset();
}

void IoThread::read_again_if_more(const std::shared_ptr<Connection>& connection) {
  const Stream* const stream = connection->output().stream();
  IoHalf& half = connection->io();
  if (stream == nullptr || half.paused()) return;
  if (half.reader().has_aside() || stream->has_more()) read_again_.push_back(connection);
}

void IoThread::end_burst(const Ending& ending) {
  const std::shared_ptr<Connection> connection = reading_;
  finish_burst();
  connection->io().take_leave(ending);
  end(connection, ending);
}

void IoThread::end(const std::shared_ptr<Connection>& connection, const Ending& ending) {
  if (connection->ended()) return;
  IoHalf& half = connection->io();
  half.end(ending);
  const std::uint32_t number = connection->number();
  half.connector.reset();
  if (half.handshaking) poller_.remove(half.handshaking->descriptor());
  half.handshaking.reset();
  connecting_.erase(number);
  live_.erase(number);
  if (std::unique_ptr<Stream> stream = connection->output().detach();
      stream && (ending.cause == Ending::kLocal || ending.cause == Ending::kProtocol)) {
    linger(number, std::move(stream));
  }
  insist([&] { api_.release(connection); });
}

// Closing with unread bytes would reset the connection and might take our DISCONNECT with it.
void IoThread::linger(std::uint32_t number, std::unique_ptr<Stream> stream) noexcept {
  stream->end_writing();
  const int descriptor = stream->descriptor();
  try {
    lingering_.emplace(number, Lingering{std::move(stream), Clock::now() + kLinger});
  } catch (const std::bad_alloc&) {
    return;
  }
  poller_.add(descriptor, {number, kStreamPart}, Poller::kReadable);
}

void IoThread::close_gently(const std::shared_ptr<Connection>& connection) {
  if (connection->ended()) return;
  connection->io().ends_when_empty = true;
  const Output& output = connection->output();
  if (output.stream() == nullptr || output.empty() || output.error() != 0) {
    end(connection, {});
  }
}

void IoThread::on_time() {
  const Clock::time_point now = Clock::now();
  if (!connecting_.empty()) {
    std::vector<std::shared_ptr<Connection>> due;
    for (const auto& [number, connection] : connecting_) {
      const Connector* const connector = connection->io().connector.get();
      if (connector != nullptr && now >= connector->next_attempt_at()) {
        due.push_back(connection);
      }
    }
    for (const auto& connection : due) {
      on_connector(connection, connection->io().connector->on_time(now));
    }
  }
  std::erase_if(lingering_, [&](const auto& entry) {
    if (now < entry.second.until) return false;
    poller_.remove(entry.second.stream->descriptor());
    return true;
  });
  if (now >= next_tick_) look_after(now);
}

void IoThread::look_after(Clock::time_point now) {
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
                               : transport_ending(*connection, Ending::kWriting, error));
  }
  next_tick_ = now + std::chrono::milliseconds(std::max<std::int64_t>(next - now_in_ms, 1));
}

int IoThread::timeout_ms() const {
  {
    const std::lock_guard lock(mutex_);
    if (!posted_.empty()) return 0;
  }
  auto until = Clock::time_point::max();
  if (!live_.empty()) until = next_tick_;
  for (const auto& [number, connection] : connecting_) {
    const Connector* const connector = connection->io().connector.get();
    if (connector != nullptr) until = std::min(until, connector->next_attempt_at());
  }
  for (const auto& [number, lingering] : lingering_) until = std::min(until, lingering.until);
  if (someone_is_short_ || MemoryReserve::is_spent())
    until = std::min(until, Clock::now() + kRelief);
  if (until == Clock::time_point::max()) return -1;
  const auto left = std::chrono::ceil<std::chrono::milliseconds>(until - Clock::now()).count();
  return static_cast<int>(std::max<std::int64_t>(left, 0));
}

void IoThread::flush() {
  for (const auto& connection : unflushed_) connection->output().flush();
  unflushed_.clear();
}

void IoThread::note_unflushed(std::shared_ptr<Connection> connection) {
  unflushed_.push_back(std::move(connection));
}

}  // namespace aiomqtt
