// ConnectionOptions from their JavaScript form (ts/engine/binding.ts).
#pragma once

#include "addon/napi_setup.h"
#include "engine/connection_options.h"

namespace aiomqtt {

[[nodiscard]] ConnectionOptions read_connection_options(const Napi::Object& object);

}  // namespace aiomqtt
