#include "fuzz/targets.h"
#include "tests/parsing.h"

namespace aiomqtt::fuzz {

void packet(Bytes input) {
  using namespace aiomqtt::testing;
  if (input.empty()) return;
  const int version = kMqtt31 + input[0] % 3;
  const ExactCopy keep(input.subspan(1));
  Packet whole;
  if (!split_packet(keep.view(), whole) || !has_parser(whole.type)) return;
  const Parsed parsed = parse(keep, version);
  if (parsed.violation) return;
  for (const Bytes part :
       {parsed.connack.properties, parsed.publish.topic, parsed.publish.properties,
        parsed.publish.payload, parsed.subscription.codes, parsed.disconnect.properties,
        parsed.auth.method, parsed.auth.properties}) {
    CHECK(lies_within(part, keep.view()));
  }
}

}  // namespace aiomqtt::fuzz
