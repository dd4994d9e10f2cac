#include "mqtt/properties.h"

#include "fuzz/targets.h"
#include "tests/bytes.h"
#include "tests/harness.h"

namespace aiomqtt::fuzz {

void properties(Bytes input) {
  using namespace aiomqtt::testing;
  const ExactCopy keep(input);
  const PropertyList list = split_properties(keep.view());
  if (list.violation) return;
  CHECK(lies_within(list.properties, keep.view()));
  CHECK(list.size <= keep.view().size());
  for (std::uint8_t type = packet::kConnack; type <= packet::kAuth; ++type) {
    PropertyValues values;
    if (check_properties(list.properties, type, values)) continue;
    // What is good once is good again, and has the same values.
    PropertyValues again;
    CHECK(!check_properties(list.properties, type, again));
    CHECK_EQ(again.topic_alias, values.topic_alias);
    CHECK(values.receive_maximum > 0);
  }
}

}  // namespace aiomqtt::fuzz
