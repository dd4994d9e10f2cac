#include "engine/ending.h"

#include <cstring>

namespace aiomqtt {

Ending violated(const Violation& violation) noexcept {
  return {Ending::kProtocol,
          violation.reason,
          0,
          {reinterpret_cast<const std::uint8_t*>(violation.text), std::strlen(violation.text)}};
}

}  // namespace aiomqtt
