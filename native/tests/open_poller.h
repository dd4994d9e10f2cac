#pragma once

#include "platform/poller.h"
#include "tests/harness.h"

namespace aiomqtt::testing {

class OpenPoller : public Poller {
 public:
  OpenPoller() { CHECK_EQ(open(), 0); }
};

}  // namespace aiomqtt::testing
