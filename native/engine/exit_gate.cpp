#include "engine/exit_gate.h"

#include "platform/process.h"

namespace aiomqtt {

void ExitGate::park() noexcept { sleep_for_ever(); }

}  // namespace aiomqtt
