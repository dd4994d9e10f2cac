#include "engine/reading.h"

#include <utility>

namespace aiomqtt {

void Reading::begin(const std::shared_ptr<Connection>& connection) {
  connection_ = connection;
  burst_.emplace(*connection->inbox());
}

void Reading::begin_with_pubrec(const std::shared_ptr<Connection>& connection,
                                std::uint16_t packet_identifier, std::uint8_t code) {
  begin(connection);
  connection->io().hand_pubrec_to_paho(packet_identifier, code);
  for_paho_ = connection->io().for_paho();
  rings_later_ = true;
}

Reading::Step Reading::go_on(Ending& ending) {
  // Found by a thread that is not Paho's, and still to be handed over.
  if (!for_paho_.empty()) return Step::kForPaho;
  IoHalf& half = connection_->io();
  Packet packet;
  Violation violation;
  while (!connection_->ended()) {
    switch (half.reader().next(packet, violation)) {
      case PacketReader::Next::kNothing:
        half.reader().settle();
        half.check_announced(*burst_);
        finish();
        return Step::kOver;
      case PacketReader::Next::kViolation:
        ending = violated(violation);
        finish();
        return Step::kEnds;
      case PacketReader::Next::kPacket:
        ++packets_;
        break;
    }
    switch (half.receive(packet, *burst_, ending)) {
      case IoHalf::Taken::kHere:
        break;
      case IoHalf::Taken::kForPaho:
        if (half.finish(*burst_)) note_unflushed(connection_);
        for_paho_ = half.for_paho();
        rings_later_ = true;
        return Step::kForPaho;
      case IoHalf::Taken::kNoRoom:
        if (!half.stall(packet, *burst_)) {
          half.reader().put_back(packet);
          break;
        }
        finish();
        return Step::kOver;
      case IoHalf::Taken::kEnds:
        finish();
        return Step::kEnds;
    }
  }
  finish();
  return Step::kOver;
}

void Reading::finish() {
  const bool must_flush = connection_->io().finish(*burst_);
  if (std::exchange(rings_later_, false)) connection_->inbox()->ring();
  if (must_flush) connection_->output().flush();
  burst_.reset();
  connection_.reset();
}

bool Reading::note_handed_over() {
  for_paho_ = connection_ ? connection_->io().take_then_for_paho() : Bytes();
  return !for_paho_.empty();
}

void Reading::drop() noexcept {
  for_paho_ = {};
  rings_later_ = false;
  burst_.reset();
  connection_.reset();
}

const std::uint8_t* Reading::take_for_paho(std::uint32_t connection, std::size_t size) noexcept {
  if (!connection_ || connection_->number() != connection || for_paho_.size() < size) {
    return nullptr;
  }
  const std::uint8_t* const at = for_paho_.data();
  for_paho_ = for_paho_.subspan(size);
  return at;
}

void Reading::note_unflushed(std::shared_ptr<Connection> connection) {
  unflushed_.push_back(std::move(connection));
}

void Reading::flush() {
  for (const auto& connection : unflushed_) connection->output().flush();
  unflushed_.clear();
}

}  // namespace aiomqtt
