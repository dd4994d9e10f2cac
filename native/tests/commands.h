// Builds what JavaScript submits, as ts/engine/command-batch.ts does.
#pragma once

#include <cstring>
#include <deque>
#include <initializer_list>
#include <string>

#include "engine/outbound.h"
#include "tests/bytes.h"

namespace aiomqtt::testing {

inline Buffer raw_command(std::uint32_t kind, std::uint32_t flags, std::uint32_t connection,
                          std::uint32_t operation, std::initializer_list<std::size_t> words,
                          const Buffer& rest) {
  std::vector<std::uint32_t> head = {0, kind | flags << 8, connection, operation};
  for (const std::size_t word : words) head.push_back(static_cast<std::uint32_t>(word));
  const std::size_t size = (head.size() * 4 + rest.size() + 3) / 4 * 4;
  head[0] = static_cast<std::uint32_t>(size);
  Buffer result(size);
  std::memcpy(result.data(), head.data(), head.size() * 4);
  std::copy(rest.begin(), rest.end(),
            result.begin() + static_cast<std::ptrdiff_t>(head.size() * 4));
  return result;
}

struct PublishFields {
  std::string topic = "a";
  Buffer payload;
  int qos = 0;
  bool retain = false;
  Buffer properties;  // with their length prefix
  bool dup = false;
  std::uint16_t identifier = 0;  // 0: the engine chooses
};

inline PublishFields fields_of(std::string topic, const Buffer& payload, int qos) {
  PublishFields fields;
  fields.topic = std::move(topic);
  fields.payload = payload;
  fields.qos = qos;
  return fields;
}

inline Buffer publish_command(std::uint32_t connection, std::uint32_t operation,
                              const PublishFields& fields) {
  const std::uint32_t flags =
      static_cast<std::uint32_t>(fields.qos) | (fields.retain ? 4U : 0U) | (fields.dup ? 8U : 0U);
  return raw_command(
      command::kPublish, flags, connection, operation,
      {fields.topic.size(), fields.properties.size(), fields.payload.size(), fields.identifier},
      bytes(fields.topic, 0, fields.properties, fields.payload));
}

// The same with its payload beside it.
inline Buffer staged_publish_command(std::uint32_t connection, std::uint32_t operation,
                                     PublishFields fields, std::deque<SharedBuffer>& staged) {
  auto payload = std::make_shared<RawBuffer>();
  payload->append(fields.payload);
  staged.push_back(std::move(payload));
  fields.payload.clear();
  Buffer command = publish_command(connection, operation, fields);
  command[4 + 1] |= publish::kStaged;
  return command;
}

struct FilterFields {
  std::string filter;
  int options = 0;
};

// SUBSCRIBE or UNSUBSCRIBE. With identifier 0 the engine chooses.
inline Buffer filters_command(std::uint32_t kind, std::uint32_t connection, std::uint32_t operation,
                              const std::vector<FilterFields>& filters,
                              const Buffer& properties = {}, std::uint16_t identifier = 0) {
  Buffer rest = properties;
  for (const FilterFields& each : filters) {
    const auto size = static_cast<int>(each.filter.size());
    put(rest, bytes(each.options, size & 255, size >> 8, each.filter, 0));
  }
  return raw_command(kind, 0, connection, operation,
                     {filters.size(), properties.size(), identifier}, rest);
}

inline Buffer subscribe_command(std::uint32_t connection, std::uint32_t operation,
                                const std::vector<FilterFields>& filters,
                                const Buffer& properties = {}, std::uint16_t identifier = 0) {
  return filters_command(command::kSubscribe, connection, operation, filters, properties,
                         identifier);
}

inline Buffer unsubscribe_command(std::uint32_t connection, std::uint32_t operation,
                                  const std::vector<FilterFields>& filters,
                                  const Buffer& properties = {}, std::uint16_t identifier = 0) {
  return filters_command(command::kUnsubscribe, connection, operation, filters, properties,
                         identifier);
}

inline Buffer cancel_command(std::uint32_t connection, std::uint32_t operation) {
  return raw_command(command::kCancel, 0, connection, operation, {}, {});
}

inline Buffer release_command(std::uint32_t connection, std::uint32_t operation,
                              std::uint16_t identifier) {
  return raw_command(command::kRelease, 0, connection, operation, {identifier}, {});
}

inline Buffer acknowledge_command(std::uint32_t connection, int qos, std::uint16_t identifier) {
  return raw_command(command::kAcknowledge, static_cast<std::uint32_t>(qos), connection, 0,
                     {identifier}, {});
}

// `properties` with their length prefix.
inline Buffer auth_command(std::uint32_t connection, int code, const Buffer& properties) {
  return raw_command(command::kAuth, 0, connection, 0,
                     {static_cast<std::size_t>(code), properties.size()}, properties);
}

// `reason` and `properties` (with their length prefix): DISCONNECT's, on MQTT 5.
inline Buffer close_command(std::uint32_t connection, bool force = false, int reason = 0,
                            const Buffer& properties = {}) {
  return raw_command(command::kClose, force ? 1 : 0, connection, 0,
                     {static_cast<std::size_t>(reason), properties.size()}, properties);
}

}  // namespace aiomqtt::testing
