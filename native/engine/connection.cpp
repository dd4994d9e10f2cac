#include "engine/connection.h"

#include <new>
#include <utility>

#include "engine/api_thread.h"
#include "engine/lane.h"

namespace aiomqtt {
namespace {

PropertyValues announced(const ConnectFields& fields) noexcept {
  if (fields.properties.empty()) return {};
  return read_own_properties(split_properties(fields.properties).properties);
}

}  // namespace

Connection::Connection(std::uint32_t number, ConnectionOptions options,
                       std::shared_ptr<Inbox> inbox, std::shared_ptr<Lane> lane, ApiThread& thread)
    : Connection(number, options, announced(options.fields), std::move(inbox), std::move(lane),
                 thread) {}

Connection::Connection(std::uint32_t number, ConnectionOptions& options, const PropertyValues& own,
                       std::shared_ptr<Inbox> inbox, std::shared_ptr<Lane> lane, ApiThread& thread)
    : thread_(thread),
      lane_(std::move(lane)),
      state_(number, options, own, std::move(inbox), lane_->poller()),
      io_(state_, options, own),
      api_(state_, std::move(options.fields), options.topic_aliases) {}

void Connection::on_paho_connected() noexcept try {
  io_.tell_opened();
} catch (const std::bad_alloc&) {
  thread_.note_short(*this);
}

void Connection::on_paho_finished(std::uint16_t packet_identifier) noexcept try {
  const auto operation = state_.operations.finish(packet_identifier);
  if (!operation || ended()) return;
  {
    // On the I/O thread it is in the middle of a burst, whose end rings.
    Inbox::Writer writer(*inbox(),
                         ApiThread::is_current() ? Inbox::Ring::kAtEnd : Inbox::Ring::kLater);
    Record record =
        make_record(event::kDone, number(), operation->number,
                    operation->codes.size() + operation->properties.size(), operation->code);
    record[done::kPropertiesLength] = static_cast<std::uint32_t>(operation->properties.size());
    writer.append(record, operation->codes, operation->properties);
  }
  if (operation->is_publish() && state_.limits.release_place(operation->abandoned))
    thread_.feed(shared_from_this());
} catch (const std::bad_alloc&) {
  thread_.note_short(*this);
}

}  // namespace aiomqtt
