// UTF-8 as MQTT wants it: well formed, without surrogates and without U+0000 (MQTT 5
// section 1.5.4).
#pragma once

#include "mqtt/wire.h"

namespace aiomqtt {

[[nodiscard]] bool is_mqtt_utf8(Bytes text) noexcept;

// A topic name that a server may send: UTF-8 as above and no wildcard characters [MQTT-3.3.2-2].
[[nodiscard]] bool is_topic_name(Bytes text) noexcept;

}  // namespace aiomqtt
