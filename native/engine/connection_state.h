// What both halves of a connection touch, and any other thread may: each member is constant or
// atomic, or guards itself with a lock of its own, within which nothing but that member is called;
// the inbox's alone may be held while another is taken.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>

#include "engine/authentication.h"
#include "engine/connection_options.h"
#include "engine/credit.h"
#include "engine/held_messages.h"
#include "engine/inbox.h"
#include "engine/operations.h"
#include "engine/output.h"
#include "engine/publish_limits.h"
#include "engine/traffic.h"

namespace aiomqtt {

// The part of a connection's poller tokens that is its stream; smaller ones are the connector's.
inline constexpr std::uint32_t kStreamPart = 0xffffffff;

struct ConnectionState {
  // `own`: what CONNECT says in its properties.
  ConnectionState(std::uint32_t number, const ConnectionOptions& options, const PropertyValues& own,
                  std::shared_ptr<Inbox> inbox, Poller& poller);

  const std::uint32_t number;
  const int version;
  const std::shared_ptr<Inbox> inbox;
  Output output;
  Operations operations;
  Authentication authentication;
  PublishLimits limits;
  Credit credit;
  // Null unless JavaScript acknowledges.
  const std::unique_ptr<HeldMessages> held;
  TrafficMeter meter;
  SharedAccount account;
  // OPENED was told.
  std::atomic<bool> opened{false};
  // Nothing that still arrives is of interest, and the end of the stream is no loss.
  std::atomic<bool> closing{false};
  // Something of it could not be done for want of memory: it is to end (Lane::note_short()).
  std::atomic<bool> short_of_memory{false};
  // CLOSED was told: what comes after is not heard.
  std::atomic<bool> ended{false};

  // Tells of the publishes that have left since it was last called. After what may have flushed.
  void tell_departed();
  void note_closing() noexcept {
    closing = true;
    output.end_replies();
  }
  [[nodiscard]] Traffic traffic() const noexcept {
    return {meter.received(), output.total_sent(), meter.round_trip_us(), account.get(),
            output.replies_size()};
  }
};

}  // namespace aiomqtt
