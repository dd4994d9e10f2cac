#include "engine/connection_state.h"

#include <utility>

#include "engine/records.h"
#include "engine/session_bytes.h"

namespace aiomqtt {

ConnectionState::ConnectionState(std::uint32_t its_number, const ConnectionOptions& options,
                                 const PropertyValues& own, std::shared_ptr<Inbox> its_inbox,
                                 Poller& poller)
    : number(its_number),
      version(options.fields.version),
      inbox(std::move(its_inbox)),
      output(poller, {its_number, kStreamPart}),
      operations(saved_packet_identifier(options.session), options.hold_releases),
      authentication(own),
      limits(options.max_inflight),
      held(options.hold_acknowledgements ? std::make_unique<HeldMessages>(own.receive_maximum)
                                         : nullptr) {
  inbox->note_begun();
  if (options.awaits_credit) (void)credit.grant(0, 0);
}

void ConnectionState::tell_departed() {
  if (!output.has_departed()) return;
  // Locked first, so that what one thread has taken is told before what another one takes.
  Inbox::Writer writer(*inbox);
  for (const std::uint32_t operation : output.take_departed()) {
    writer.append(make_record(event::kDone, number, operation));
  }
}

}  // namespace aiomqtt
